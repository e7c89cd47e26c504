#include "app/common_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>

#include "app/address.h"

namespace stele::app {

void add_client_options(CLI::App& command, ClientOptions& options) {
  command.add_option("-b,--bootstrap-server", options.bootstrap, "host:port of one or more brokers, commas between")
      ->check([](const std::string& text) {
        const auto parsed = parse_addresses(text);
        return parsed.ok() ? std::string{} : parsed.error().message;
      })
      ->capture_default_str();
  command.add_option("--timeout", options.timeout_seconds, "seconds to wait for an answer")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  add_json_option(command, options.json);
}

void add_json_option(CLI::App& command, bool& json) {
  command.add_flag("--json", json, "print JSON, one document a line; errors too, on standard error");
}

std::optional<KeyValue> split_key_value(std::string_view text) {
  const size_t at = text.find('=');
  if (at == std::string_view::npos || at == 0) return std::nullopt;
  return KeyValue{text.substr(0, at), text.substr(at + 1)};
}

base::Result<std::vector<KeyValue>> split_key_values(const std::vector<std::string>& texts) {
  std::vector<KeyValue> pairs;
  for (const std::string& text : texts) {
    auto pair = split_key_value(text);
    if (!pair) return {base::ErrorCode::kInvalidRequest, fmt::format("'{}' is not of the form name=value", text)};
    pairs.push_back(*std::move(pair));
  }
  return pairs;
}

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    ++i;
    if (next == 'n') {
      out += '\n';
    } else if (next == 't') {
      out += '\t';
    } else if (next == 'r') {
      out += '\r';
    } else if (next == '0') {
      out += '\0';
    } else if (next == '\\') {
      out += '\\';
    } else if (next == 'x' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      out += '\\';
      out += next;
    }
  }
  return out;
}

std::string human_bytes(double bytes) {
  constexpr std::array<std::string_view, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < kUnits.size()) {
    bytes /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

std::string human_count(uint64_t count) {
  std::string digits = std::to_string(count);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

}  // namespace stele::app
