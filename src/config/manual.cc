#include "config/manual.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <iterator>
#include <string_view>

#include "config/option.h"
#include "config/value.h"

namespace stele::config {
namespace {

constexpr std::string_view kIntroduction =
    R"(<!-- Written by `make docs` from src/config/options_*.cc; a test fails when it is stale. -->
# Configuration

Stele reads Kafka's `server.properties`: the same names, meanings and defaults as Apache Kafka 4.3.1, and a few options of
its own that begin with `stele.`. `stele broker --config <file>` reads a file; without one the defaults hold, with a
replication factor of 1 for the internal topics.

- A wrong value stops the start and is named with its line. An unknown name is a warning with the nearest known name, since
  files often carry options of plugins; an unknown `stele.` name is an error.
- The column **effect** says what becomes of a value other than the default:
  **yes** it is obeyed; **not needed** it tunes something that Stele does not have or does in its own way, and is accepted
  without a word; **not yet** it is accepted with a warning; **refused** to ignore it would weaken security or durability, so
  the broker does not start (a topic config: INVALID_CONFIG) unless `stele.allow.insecure=true`.
- **update** says how an option may change while the broker runs: not at all (read-only), for one broker (per-broker), or for
  one or all (cluster-wide).
)";

std::string bound(double value) {
  return value == std::floor(value) ? fmt::format("{:.0f}", value) : java_double(value);
}

std::string names_of(const Check& check) {
  std::string out;
  for (const std::string& name : split_list(check.names)) out += (out.empty() ? "" : ", ") + name;
  return out;
}

std::string range_of(const Check& check) {
  switch (check.kind) {
    case Check::Kind::kAny:
      return "";
    case Check::Kind::kRange:
      return std::isinf(check.high) ? fmt::format("≥ {}", bound(check.low))
                                    : fmt::format("{} to {}", bound(check.low), bound(check.high));
    case Check::Kind::kRangeOrMinusOne:
      return fmt::format("-1, or {} to {}", bound(check.low), bound(check.high));
    case Check::Kind::kOneOf:
    case Check::Kind::kOneOfIgnoreCase:
      return fmt::format("one of {}", names_of(check));
    case Check::Kind::kEachOneOf:
      return fmt::format("any of {}", names_of(check));
    case Check::Kind::kNonEmptyList:
    case Check::Kind::kNonEmptyString:
      return "not empty";
    case Check::Kind::kThrottledReplicas:
      return "`*` or partition:broker,...";
    case Check::Kind::kOffsetReset:
      return "latest, earliest or by_duration:PnDTnHnMn.nS";
  }
  return "";
}

std::string_view effect_of(Effect effect) {
  constexpr std::array<std::string_view, 4> kWords = {"yes", "not needed", "not yet", "refused"};
  return kWords[static_cast<size_t>(effect)];
}

// The largest values of Kafka's types say "no limit" to a reader.
std::string default_of(const Option& option) {
  const std::string_view text = option.default_value == nullptr ? "" : option.default_value;
  if (option.default_value == nullptr) return "none";
  if (text.empty()) return "empty";
  if (text == "9223372036854775807" || text == "1.7976931348623157E308") return "no limit";
  if (text == "2147483647" && option.type == ValueType::kInt) return "no limit";
  return fmt::format("`{}`", text);
}

std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

void broker_table(std::string& out, const OptionGroup& group) {
  fmt::format_to(std::back_inserter(out), "\n## {}\n\n", group.title);
  out += "| option | type | default | values | update | effect | |\n| --- | --- | --- | --- | --- | --- | --- |\n";
  for (const Option& option : group.options) {
    if (option.internal) continue;
    fmt::format_to(std::back_inserter(out), "| `{}` | {} | {} | {} | {} | {} | {} |\n", option.name,
                   type_name(option.type), cell(default_of(option)), cell(range_of(option.check)),
                   mode_name(option.mode), effect_of(option.effect), cell(option.text));
  }
}

void override_table(std::string& out, std::string_view title, std::span<const Option> options) {
  fmt::format_to(std::back_inserter(out), "\n## {}\n\n", title);
  out += "| config | type | default | values | broker option behind it | effect | |\n";
  out += "| --- | --- | --- | --- | --- | --- | --- |\n";
  for (const Option& option : options) {
    if (option.internal) continue;
    std::string behind;
    for (const std::string& name : split_list(option.synonyms))
      behind += fmt::format("{}`{}`", behind.empty() ? "" : ", ", name);
    fmt::format_to(std::back_inserter(out), "| `{}` | {} | {} | {} | {} | {} | {} |\n", option.name,
                   type_name(option.type), cell(default_of(option)), cell(range_of(option.check)), behind,
                   effect_of(option.effect), cell(option.text));
  }
}

}  // namespace

std::string configuration_manual() {
  std::string out(kIntroduction);
  for (const OptionGroup& group : broker_option_groups()) broker_table(out, group);
  override_table(out, "Topic configs", topic_options());
  override_table(out, "Group configs", group_options());
  return out;
}

}  // namespace stele::config
