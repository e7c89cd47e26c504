// The one typed table of options: every broker, topic and group config of Apache Kafka 4.3.1 and Stele's own
// (`stele.`). The facts (names, types, defaults, ranges, importance, update modes) are held against Kafka's ConfigDef
// by option_test.cc; the texts are ours. docs/configuration.md and the answers of DescribeConfigs are made from it.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

namespace stele::config {

// The numbers are those of DescribeConfigsResponse.ConfigType.
enum class ValueType : int8_t {
  kUnknown = 0,
  kBoolean = 1,
  kString = 2,
  kInt = 3,
  kShort = 4,
  kLong = 5,
  kDouble = 6,
  kList = 7,
  kClass = 8,
  kPassword = 9,
};

enum class Importance : uint8_t { kHigh, kMedium, kLow };

// How a broker option may change while the broker runs. Topic and group configs are always dynamic.
enum class UpdateMode : uint8_t { kReadOnly, kPerBroker, kClusterWide };

// What Stele does with a value that is not the default.
enum class Effect : uint8_t {
  kHonoured,  // it is obeyed
  kSilent,    // accepted without a word: it tunes something that Stele does not have or does in its own way
  kWarns,     // accepted, and the log says that it has no effect yet
  kRefuses,   // ignoring it would weaken security or durability: no start, or INVALID_CONFIG for a topic
};

// What a value must satisfy beyond its type.
struct Check {
  enum class Kind : uint8_t {
    kAny,
    kRange,              // low <= value <= high
    kOneOf,              // one of `names`
    kOneOfIgnoreCase,    // one of `names` in any case
    kEachOneOf,          // every element of the list is one of `names`, none empty
    kNonEmptyList,       // at least one element
    kNonEmptyString,     // at least one character
    kRangeOrMinusOne,    // low <= value <= high, or -1
    kThrottledReplicas,  // "*" or partition:broker pairs
    kOffsetReset,        // latest, earliest or by_duration:<ISO 8601 duration>
  };
  Kind kind = Kind::kAny;
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  std::string_view names;  // separated by ", "
};

constexpr Check any() { return {}; }
constexpr Check at_least(double low) { return {Check::Kind::kRange, low, std::numeric_limits<double>::infinity(), {}}; }
constexpr Check between(double low, double high) { return {Check::Kind::kRange, low, high, {}}; }
constexpr Check between_or_minus_one(double low, double high) { return {Check::Kind::kRangeOrMinusOne, low, high, {}}; }
constexpr Check one_of(std::string_view names) { return {Check::Kind::kOneOf, 0, 0, names}; }
constexpr Check one_of_ignore_case(std::string_view names) { return {Check::Kind::kOneOfIgnoreCase, 0, 0, names}; }
constexpr Check each_one_of(std::string_view names) { return {Check::Kind::kEachOneOf, 0, 0, names}; }
constexpr Check of_kind(Check::Kind kind) { return {kind, 0, 0, {}}; }

struct Option {
  std::string_view name;
  ValueType type = ValueType::kString;
  const char* default_value = nullptr;  // as Kafka prints it; nullptr where there is none
  Check check;
  Importance importance = Importance::kMedium;
  UpdateMode mode = UpdateMode::kReadOnly;
  Effect effect = Effect::kWarns;
  std::string_view text;  // one sentence
  bool internal = false;  // not shown by DescribeConfigs unless it is set, and not in the manual
  std::string_view
      synonyms{};  // broker option(s) a topic or group config falls back to, nearest first, separated by ","

  bool sensitive() const { return type == ValueType::kPassword; }
};

struct OptionGroup {
  std::string_view title;
  std::span<const Option> options;
};

// The broker's options by subject, as the manual lists them.
std::span<const OptionGroup> broker_option_groups();
// Topic and group configs in the order in which Kafka checks them.
std::span<const Option> topic_options();
std::span<const Option> group_options();

// nullptr for an unknown name. A broker name may carry a listener prefix ("listener.name.<listener>.<option>").
const Option* find_broker_option(std::string_view name);
const Option* find_topic_option(std::string_view name);
const Option* find_group_option(std::string_view name);

// The names whose values stand for `name`, the strongest first: log.retention.hours -> {log.retention.ms,
// log.retention.minutes, log.retention.hours}; most options have only themselves.
std::vector<std::string_view> broker_synonyms(std::string_view name);

// The known broker option that looks most like an unknown name, or "" if none is near.
std::string_view nearest_broker_option(std::string_view name);

std::string_view type_name(ValueType type);
std::string_view importance_name(Importance importance);
std::string_view mode_name(UpdateMode mode);

}  // namespace stele::config
