#include "config/option.h"

#include <algorithm>
#include <array>
#include <string>

#include "config/option_tables.h"

namespace stele::config {
namespace {

const Option* find_in(std::span<const Option> options, std::string_view name) {
  const auto found = std::ranges::find(options, name, &Option::name);
  return found == options.end() ? nullptr : &*found;
}

// Edits (insert, delete, replace, swap of neighbours) that lead from one name to the other.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1);
  std::vector<size_t> last(b.size() + 1);
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1] ? 1 : 0)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::vector<const Option*> sorted_by_name() {
  std::vector<const Option*> all;
  for (const OptionGroup& group : broker_option_groups()) {
    for (const Option& option : group.options) all.push_back(&option);
  }
  std::ranges::sort(all, {}, &Option::name);
  return all;
}

const Option* find_in_groups(std::string_view name) {
  static const std::vector<const Option*> kSorted = sorted_by_name();
  const auto found = std::ranges::lower_bound(kSorted, name, {}, &Option::name);
  return found == kSorted.end() || (*found)->name != name ? nullptr : *found;
}

}  // namespace

std::span<const OptionGroup> broker_option_groups() {
  static const std::array<OptionGroup, 7> kGroups = {{
      {"Stele's own", stele_options()},
      {"Listeners, connections and threads", network_options()},
      {"Logs, segments and retention", log_options()},
      {"Roles, controller, metadata and replication", cluster_options()},
      {"Groups, transactions and share groups", groups_options()},
      {"Security", security_options()},
      {"Tiered storage", tiered_options()},
  }};
  return kGroups;
}

const Option* find_broker_option(std::string_view name) {
  if (const Option* option = find_in_groups(name)) return option;
  constexpr std::string_view kListenerPrefix = "listener.name.";
  if (!name.starts_with(kListenerPrefix)) return nullptr;
  // listener.name.<listener>[.<mechanism>].<option>: what stands behind some dot is the option's own name.
  for (size_t dot = name.find('.', kListenerPrefix.size()); dot != std::string_view::npos;
       dot = name.find('.', dot + 1)) {
    if (const Option* option = find_in_groups(name.substr(dot + 1))) return option;
  }
  return nullptr;
}

const Option* find_topic_option(std::string_view name) { return find_in(topic_options(), name); }

const Option* find_group_option(std::string_view name) { return find_in(group_options(), name); }

std::vector<std::string_view> broker_synonyms(std::string_view name) {
  if (name == "log.retention.ms" || name == "log.retention.minutes" || name == "log.retention.hours") {
    return {"log.retention.ms", "log.retention.minutes", "log.retention.hours"};
  }
  if (name == "log.roll.ms" || name == "log.roll.hours") return {"log.roll.ms", "log.roll.hours"};
  if (name == "log.roll.jitter.ms" || name == "log.roll.jitter.hours") {
    return {"log.roll.jitter.ms", "log.roll.jitter.hours"};
  }
  if (name == "log.flush.interval.ms") return {name, "log.flush.scheduler.interval.ms"};
  return {name};
}

std::string_view nearest_broker_option(std::string_view name) {
  std::string_view best;
  size_t best_distance = std::min<size_t>(4, name.size() / 3 + 1);
  for (const OptionGroup& group : broker_option_groups()) {
    for (const Option& option : group.options) {
      const size_t d = distance(name, option.name);
      if (d < best_distance && !option.internal) {
        best = option.name;
        best_distance = d;
      }
    }
  }
  return best;
}

std::string_view type_name(ValueType type) {
  constexpr std::array<std::string_view, 10> kNames = {"unknown", "boolean", "string", "int",   "short",
                                                       "long",    "double",  "list",   "class", "password"};
  return kNames[static_cast<size_t>(type)];
}

std::string_view importance_name(Importance importance) {
  constexpr std::array<std::string_view, 3> kNames = {"high", "medium", "low"};
  return kNames[static_cast<size_t>(importance)];
}

std::string_view mode_name(UpdateMode mode) {
  constexpr std::array<std::string_view, 3> kNames = {"read-only", "per-broker", "cluster-wide"};
  return kNames[static_cast<size_t>(mode)];
}

}  // namespace stele::config
