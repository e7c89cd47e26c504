#include "config/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/check.h"

namespace stele::config {
namespace {

base::Error invalid(std::string_view name, std::string_view value, std::string_view why) {
  return {base::ErrorCode::kInvalidConfig,
          why.empty() ? fmt::format("Invalid value {} for configuration {}", value, name)
                      : fmt::format("Invalid value {} for configuration {}: {}", value, name, why)};
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

std::optional<int64_t> parse_integer(std::string_view text, int64_t low, int64_t high) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  if (value < low || value > high) return std::nullopt;
  return value;
}

// What Double.parseDouble takes: a sign, "Infinity", decimals, an exponent and a type suffix. A NaN is refused, since
// no range check stops one: Kafka lets it through.
std::optional<double> parse_double(std::string_view text) {
  double sign = 1;
  if (text.starts_with('+') || text.starts_with('-')) {
    sign = text[0] == '-' ? -1 : 1;
    text.remove_prefix(1);
  }
  if (text == "Infinity") return sign * std::numeric_limits<double>::infinity();
  if (!text.empty() && std::string_view("fFdD").find(text.back()) != std::string_view::npos) text.remove_suffix(1);
  if (text.empty() || std::string_view("0123456789.").find(text[0]) == std::string_view::npos) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) value = std::numeric_limits<double>::infinity();
  return sign * value;
}

std::string bound_text(double bound) {
  return bound == std::floor(bound) ? fmt::format("{:.0f}", bound) : java_double(bound);
}

// Kafka prints a list inside a message as Java does: [a, b].
std::string shown(const Value& value) {
  if (const auto* list = std::get_if<std::vector<std::string>>(&value))
    return fmt::format("[{}]", fmt::join(*list, ", "));
  return to_text(value);
}

double number_of(const Value& value) {
  if (const auto* whole = std::get_if<int64_t>(&value)) return static_cast<double>(*whole);
  if (const auto* real = std::get_if<double>(&value)) return *real;
  return 0;
}

bool is_replica(std::string_view text) {
  const size_t colon = text.find(':');
  const auto digits = [](std::string_view part) {
    return !part.empty() && std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
  };
  return colon != std::string_view::npos && digits(text.substr(0, colon)) && digits(text.substr(colon + 1));
}

// An ISO 8601 duration of days and times, as java.time.Duration reads it, that is not negative: P1DT2H30M1.5S.
bool is_duration(std::string_view text) {
  double total = 0;
  double sign = 1;
  if (text.starts_with('+') || text.starts_with('-')) {
    sign = text[0] == '-' ? -1 : 1;
    text.remove_prefix(1);
  }
  if (text.empty() || (text[0] != 'P' && text[0] != 'p')) return false;
  text.remove_prefix(1);
  constexpr std::string_view kUnits = "dthms";
  constexpr double kSeconds[] = {86'400, 0, 3'600, 60, 1};
  size_t next = 0;  // units come in this order, each once
  bool number_last = false;
  while (!text.empty()) {
    const size_t end = text.find_first_not_of("+-0123456789.");
    if (end == std::string_view::npos) return false;
    const size_t unit = kUnits.find(lower(text.substr(end, 1)));
    const bool is_time_mark = unit == 1;
    if (unit == std::string_view::npos || unit < next || is_time_mark != (end == 0)) return false;
    if (unit > 1 && next < 2) return false;
    if (!is_time_mark) {
      const std::string_view digits = text.substr(0, end);
      const std::optional<double> number = parse_double(digits);
      if (!number || (digits.find('.') != std::string_view::npos && unit != 4)) return false;
      total += *number * kSeconds[unit];
    }
    number_last = !is_time_mark;
    next = unit + 1;
    text.remove_prefix(end + 1);
  }
  return number_last && sign * total >= 0;
}

bool is_offset_reset(std::string_view text) {
  constexpr std::string_view kByDuration = "by_duration:";
  if (text == "latest" || text == "earliest") return true;
  return text.starts_with(kByDuration) && is_duration(text.substr(kByDuration.size()));
}

bool contains(std::string_view names, std::string_view name) {
  const std::vector<std::string> all = split_list(names);
  return std::ranges::find(all, name) != all.end();
}

base::Result<> check_list(const Option& option, const std::vector<std::string>& list, const Value& value) {
  switch (option.check.kind) {
    case Check::Kind::kEachOneOf:
      for (const std::string& part : list) {
        if (part.empty()) {
          return base::Error{base::ErrorCode::kInvalidConfig,
                             fmt::format("Configuration '{}' values must not be empty.", option.name)};
        }
      }
      for (const std::string& part : list) {
        if (!contains(option.check.names, part)) {
          return invalid(option.name, part, fmt::format("String must be one of: {}", option.check.names));
        }
      }
      return {};
    case Check::Kind::kNonEmptyList:
      if (list.empty()) {
        return base::Error{
            base::ErrorCode::kInvalidConfig,
            fmt::format("Configuration '{}' must not be empty. Valid values include: any non-empty value",
                        option.name)};
      }
      return {};
    case Check::Kind::kThrottledReplicas:
      if (list == std::vector<std::string>{"*"} || std::ranges::all_of(list, is_replica)) return {};
      return invalid(option.name, shown(value),
                     fmt::format("{} must be the literal '*' or a list of replicas in the following format: "
                                 "[partitionId]:[brokerId],[partitionId]:[brokerId],...",
                                 option.name));
    default:
      return {};
  }
}

base::Result<> check_value(const Option& option, const Value& value) {
  const Check& check = option.check;
  const double number = number_of(value);
  const auto* text = std::get_if<std::string>(&value);
  switch (check.kind) {
    case Check::Kind::kAny:
      return {};
    case Check::Kind::kRange:
      if (number < check.low) {
        return invalid(option.name, shown(value), fmt::format("Value must be at least {}", bound_text(check.low)));
      }
      if (number > check.high) {
        return invalid(option.name, shown(value), fmt::format("Value must be no more than {}", bound_text(check.high)));
      }
      return {};
    case Check::Kind::kRangeOrMinusOne:
      if (number == -1 || (number >= check.low && number <= check.high)) return {};
      return invalid(
          option.name, shown(value),
          fmt::format("Value must be between {} and {} or equal to -1", bound_text(check.low), bound_text(check.high)));
    case Check::Kind::kOneOf:
      if (contains(check.names, *text)) return {};
      return invalid(option.name, *text, fmt::format("String must be one of: {}", check.names));
    case Check::Kind::kOneOfIgnoreCase:
      if (contains(lower(check.names), lower(*text))) return {};
      return invalid(option.name, *text, fmt::format("String must be one of (case insensitive): {}", check.names));
    case Check::Kind::kNonEmptyString:
      if (!text->empty()) return {};
      return invalid(option.name, *text, "String must be non-empty");
    case Check::Kind::kOffsetReset:
      if (is_offset_reset(*text)) return {};
      return invalid(
          option.name, *text,
          fmt::format("Invalid value `{}` for configuration {}. The value must be either 'earliest', 'latest' or "
                      "of the format 'by_duration:<PnDTnHnMn.nS>'.",
                      *text, option.name));
    case Check::Kind::kEachOneOf:
    case Check::Kind::kNonEmptyList:
    case Check::Kind::kThrottledReplicas:
      return check_list(option, std::get<std::vector<std::string>>(value), value);
  }
  return {};
}

base::Result<Value> parse_number(const Option& option, std::string_view text, int64_t low, int64_t high,
                                 std::string_view type) {
  const std::optional<int64_t> number = parse_integer(text, low, high);
  if (!number) return invalid(option.name, text, fmt::format("Not a number of type {}", type));
  return Value(*number);
}

base::Result<Value> parse_typed(const Option& option, std::string_view text) {
  switch (option.type) {
    case ValueType::kBoolean:
      if (lower(text) == "true") return Value(true);
      if (lower(text) == "false") return Value(false);
      return invalid(option.name, text, "Expected value to be either true or false");
    case ValueType::kInt:
      return parse_number(option, text, INT32_MIN, INT32_MAX, "INT");
    case ValueType::kShort:
      return parse_number(option, text, INT16_MIN, INT16_MAX, "SHORT");
    case ValueType::kLong:
      return parse_number(option, text, INT64_MIN, INT64_MAX, "LONG");
    case ValueType::kDouble: {
      const std::optional<double> number = parse_double(text);
      if (!number) return invalid(option.name, text, "Not a number of type DOUBLE");
      return Value(*number);
    }
    case ValueType::kList: {
      std::vector<std::string> list = split_list(text);
      if (option.check.kind == Check::Kind::kEachOneOf || option.check.kind == Check::Kind::kNonEmptyList) {
        std::vector<std::string> distinct;
        for (std::string& part : list) {
          if (std::ranges::find(distinct, part) == distinct.end()) distinct.push_back(std::move(part));
        }
        list = std::move(distinct);
      }
      return Value(std::move(list));
    }
    case ValueType::kString:
    case ValueType::kClass:
    case ValueType::kPassword:
    case ValueType::kUnknown:
      return Value(std::string(text));
  }
  return Value();
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  text = trimmed(text);
  if (text.empty()) return parts;
  for (;;) {
    const size_t comma = text.find(',');
    parts.emplace_back(trimmed(text.substr(0, comma)));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

base::Result<Value> parse_value(const Option& option, std::string_view text) {
  STELE_TRY_ASSIGN(Value value, parse_typed(option, trimmed(text)));
  STELE_TRY(check_value(option, value));
  return value;
}

Value default_value(const Option& option) {
  if (option.default_value == nullptr) return {};
  base::Result<Value> value = parse_typed(option, option.default_value);
  STELE_CHECK(value.ok(), "the default of {} has the wrong type", option.name);
  return std::move(value).value();
}

std::string to_text(const Value& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* whole = std::get_if<int64_t>(&value)) return fmt::format("{}", *whole);
  if (const auto* real = std::get_if<double>(&value)) return java_double(*real);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) return fmt::format("{}", fmt::join(*list, ","));
  return {};
}

std::string java_double(double value) {
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  if (std::isnan(value)) return "NaN";
  const double size = std::fabs(value);
  if (size == 0 || (size >= 1e-3 && size < 1e7)) {
    std::string text = fmt::format("{}", value);
    return text.find('.') == std::string::npos ? text + ".0" : text;
  }
  // The shortest digits in scientific form, then Java's spelling of the exponent: 1.0E-4.
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  const std::string_view all(buffer, static_cast<size_t>(end - buffer));
  const size_t e = all.find('e');
  std::string digits(all.substr(0, e));
  if (digits.find('.') == std::string::npos) digits += ".0";
  const std::optional<int64_t> exponent = parse_integer(all.substr(e + 1), -400, 400);
  return fmt::format("{}E{}", digits, exponent.value_or(0));
}

}  // namespace stele::config
