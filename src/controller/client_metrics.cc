#include "controller/client_metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <vector>

#include "config/value.h"

namespace stele::controller {

namespace {

using base::Error;
using base::ErrorCode;

constexpr std::string_view kMetrics = "metrics";
constexpr std::string_view kInterval = "interval.ms";
constexpr std::string_view kMatch = "match";
constexpr int32_t kIntervalLeast = 100;
constexpr int32_t kIntervalLargest = 3'600'000;

std::string_view trimmed(std::string_view text) {
  const auto is_blank = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

Error bad_config(std::string text) { return {ErrorCode::kInvalidConfig, std::move(text)}; }

base::Result<void> check_list(std::string_view name, const std::vector<std::string>& list) {
  if (std::ranges::find(list, "") != list.end()) {
    return bad_config(fmt::format("Configuration '{}' values must not be empty.", name));
  }
  return {};
}

base::Result<void> check_interval(std::string_view value) {
  const std::string_view digits = trimmed(value);
  int32_t interval = 0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), interval);
  if (problem != std::errc{} || end != digits.data() + digits.size()) {
    return bad_config(fmt::format("Invalid value {} for configuration {}: Not a number of type INT", value, kInterval));
  }
  if (interval < kIntervalLeast || interval > kIntervalLargest) {
    return {ErrorCode::kInvalidRequest,
            fmt::format("Invalid value {} for {}, interval must be between {} and {} (1 hour)", interval, kInterval,
                        kIntervalLeast, kIntervalLargest)};
  }
  return {};
}

// "client_id=abc.*"
bool is_match(std::string_view part) {
  constexpr std::array<std::string_view, 6> kParameters{"client_instance_id",    "client_id",
                                                        "client_software_name",  "client_software_version",
                                                        "client_source_address", "client_source_port"};
  const size_t equals = part.find('=');
  if (equals == std::string_view::npos || equals + 1 == part.size()) return false;
  const std::string_view pattern = part.substr(equals + 1);
  // java.lang.String.split leaves out what is empty at the end.
  if (const size_t more = pattern.find('='); more != std::string_view::npos) {
    if (more == 0 || pattern.find_first_not_of('=', more) != std::string_view::npos) return false;
  }
  return std::ranges::find(kParameters, trimmed(part.substr(0, equals))) != kParameters.end() &&
         looks_like_pattern(trimmed(pattern.substr(0, pattern.find('='))));
}

}  // namespace

bool looks_like_pattern(std::string_view text) {
  int open = 0;
  bool atom = false;  // something that a quantifier may follow
  for (size_t i = 0; i < text.size(); ++i) {
    switch (text[i]) {
      case '\\':
        if (++i == text.size()) return false;
        atom = true;
        break;
      case '[': {
        // Classes nest, and a bracket at the front is a letter only where Java has it so: after "[^" or "[" it is not.
        int depth = 1;
        for (++i; i < text.size() && depth > 0; ++i) {
          if (text[i] == '\\') {
            ++i;
          } else if (text[i] == '[') {
            ++depth;
          } else if (text[i] == ']') {
            --depth;
          }
        }
        if (depth > 0) return false;
        --i;
        atom = true;
        break;
      }
      case '(':
        ++open;
        atom = false;
        if (i + 1 < text.size() && text[i + 1] == '?') ++i;  // (?:, (?=, (?<name> and flags
        break;
      case ')':
        if (--open < 0) return false;
        atom = true;
        break;
      case '|':
        atom = false;
        break;
      case '*':
      case '+':
      case '?':
        if (!atom) return false;
        break;
      default:
        atom = true;
    }
  }
  return open == 0;
}

base::Result<void> check_client_metrics(const config::ConfigMap& values) {
  for (const auto& [name, value] : values) {
    if (name != kMetrics && name != kInterval && name != kMatch) {
      return {ErrorCode::kInvalidRequest, fmt::format("Unknown client metrics configuration: {}", name)};
    }
  }
  const auto list_of = [&values](std::string_view name) {
    const auto found = values.find(std::string{name});
    return found == values.end() ? std::vector<std::string>{} : config::split_list(found->second);
  };
  STELE_TRY(check_list(kMetrics, list_of(kMetrics)));
  const auto interval = values.find(std::string{kInterval});
  const base::Result<void> checked = interval == values.end() ? base::Result<void>{} : check_interval(interval->second);
  if (checked.code() == ErrorCode::kInvalidConfig) return checked;
  const std::vector<std::string> matches = list_of(kMatch);
  STELE_TRY(check_list(kMatch, matches));
  STELE_TRY(checked);  // its range, once all of them could be read
  for (const std::string& part : matches) {
    if (!is_match(part)) return bad_config(fmt::format("Illegal client matching pattern: {}", part));
  }
  return {};
}

}  // namespace stele::controller
