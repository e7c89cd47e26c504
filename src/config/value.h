// The value of an option: parsed from text and checked with Kafka's own messages
// (org.apache.kafka.common.config.ConfigDef), and printed back in the form in which Kafka shows it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "config/option.h"

namespace stele::config {

// monostate: no value (the option's default is null). Numbers of any width are int64_t; strings, classes and passwords
// are strings.
using Value = std::variant<std::monostate, bool, int64_t, double, std::string, std::vector<std::string>>;

// What stands between blanks and control characters, as Java's String.trim leaves it.
std::string_view trimmed(std::string_view text);

// The parts of a comma-separated list, blanks around commas dropped; "" is the empty list.
std::vector<std::string> split_list(std::string_view text);

// INVALID_CONFIG with Kafka's sentence if the text has the wrong type or is out of range.
base::Result<Value> parse_value(const Option& option, std::string_view text);

// The value of the option's default; monostate where there is none.
Value default_value(const Option& option);

// As Kafka prints it ("1.0E-4", "compact,delete"); "" for monostate.
std::string to_text(const Value& value);

// A double as Java's Double.toString prints it.
std::string java_double(double value);

}  // namespace stele::config
