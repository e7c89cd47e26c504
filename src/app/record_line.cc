#include "app/record_line.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "base/error_code.h"

namespace stele::app {

namespace {

using Json = nlohmann::ordered_json;

void put(Json& document, const std::string& name, const std::optional<std::string_view>& bytes) {
  if (!bytes) {
    document[name] = nullptr;
  } else if (is_utf8(*bytes)) {
    document[name] = *bytes;
  } else {
    document[name + "_base64"] = base64(*bytes);
  }
}

void append_headers(std::string& out, const ReadRecord& record) {
  bool first = true;
  for (const auto& [name, value] : record.headers) {
    if (!std::exchange(first, false)) out += ',';
    out += name;
    out += '=';
    out += value.value_or("null");
  }
}

}  // namespace

base::Result<LineRecord> split_line(std::string_view line, const std::optional<std::string>& separator,
                                    const std::optional<std::string>& null_text) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  LineRecord record{.key = std::nullopt, .value = line};
  if (separator) {
    const size_t at = line.find(*separator);
    if (at == std::string_view::npos) {
      return {base::ErrorCode::kInvalidRecord, "the line has no key: its separator is not in it"};
    }
    record.key = line.substr(0, at);
    record.value = line.substr(at + separator->size());
  }
  if (null_text && record.key == *null_text) record.key.reset();
  if (null_text && record.value == *null_text) record.value.reset();
  return record;
}

void append_formatted(std::string& out, std::string_view format, const ReadRecord& record) {
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out += format[i];
      continue;
    }
    switch (format[++i]) {
      case 't':
        out += record.topic;
        break;
      case 'p':
        fmt::format_to(std::back_inserter(out), "{}", record.partition);
        break;
      case 'o':
        fmt::format_to(std::back_inserter(out), "{}", record.offset);
        break;
      case 'T':
        fmt::format_to(std::back_inserter(out), "{}", record.timestamp);
        break;
      case 'k':
        out += record.key.value_or("null");
        break;
      case 'v':
        out += record.value.value_or("null");
        break;
      case 'h':
        append_headers(out, record);
        break;
      default:
        out += format[i];
    }
  }
}

std::string format_fault(std::string_view format) {
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') continue;
    if (++i == format.size()) return "the format ends with a lone %; write %% for a percent sign";
    if (std::string_view{"tpoTkvh%"}.find(format[i]) == std::string_view::npos) {
      return fmt::format("%{} means nothing; there are %t %p %o %T %k %v %h and %%", format[i]);
    }
  }
  return {};
}

void append_json(std::string& out, const ReadRecord& record) {
  Json document;
  document["topic"] = record.topic;
  document["partition"] = record.partition;
  document["offset"] = record.offset;
  document["timestamp"] = record.timestamp;
  document["timestamp_type"] = record.append_time ? "LogAppendTime" : "CreateTime";
  put(document, "key", record.key);
  put(document, "value", record.value);
  document["headers"] = Json::array();
  for (const auto& [name, value] : record.headers) {
    Json& header = document["headers"].emplace_back();
    put(header, "name", name);
    put(header, "value", value);
  }
  out += document.dump(-1, ' ', false, Json::error_handler_t::replace);
  out += '\n';
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t three = 0;
    for (size_t j = 0; j < 3; ++j) {
      three = three << 8 | (i + j < bytes.size() ? static_cast<uint8_t>(bytes[i + j]) : 0U);
    }
    for (size_t j = 0; j < 4; ++j) {
      out += i + j <= bytes.size() ? kDigits[three >> (18 - 6 * j) & 63] : '=';
    }
  }
  return out;
}

bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i]);
    const size_t length = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
    if (length == 0 || i + length > text.size()) return false;
    uint32_t point = length == 1 ? lead : lead & (0x7fU >> length);
    for (size_t j = 1; j < length; ++j) {
      const auto next = static_cast<uint8_t>(text[i + j]);
      if (next >> 6 != 2) return false;
      point = point << 6 | (next & 0x3fU);
    }
    constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < kLeast[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
    i += length;
  }
  return true;
}

}  // namespace stele::app
