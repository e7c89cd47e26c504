#include "config/topic_config.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace stele::config {
namespace {

TopicCompression compression_of(std::string_view name) {
  if (name == "uncompressed") return TopicCompression::kNone;
  if (name == "gzip") return TopicCompression::kGzip;
  if (name == "snappy") return TopicCompression::kSnappy;
  if (name == "lz4") return TopicCompression::kLz4;
  if (name == "zstd") return TopicCompression::kZstd;
  return TopicCompression::kProducer;
}

int64_t whole(const Value& value) { return std::get<int64_t>(value); }
int32_t whole32(const Value& value) { return static_cast<int32_t>(whole(value)); }

void set_cleanup(TopicConfig& topic, const Value& value) {
  const auto& policy = std::get<std::vector<std::string>>(value);
  topic.cleanup_delete = std::ranges::find(policy, "delete") != policy.end();
  topic.cleanup_compact = std::ranges::find(policy, "compact") != policy.end();
}

void set_timestamp_type(TopicConfig& topic, const Value& value) {
  topic.timestamp_type =
      std::get<std::string>(value) == "LogAppendTime" ? TimestampType::kLogAppendTime : TimestampType::kCreateTime;
}

// How a config's value becomes a field. One that is not here (throttles, tiered storage) has no effect yet.
struct Field {
  std::string_view name;
  void (*set)(TopicConfig& topic, const Value& value);
};

constexpr Field kFields[] = {
    {"cleanup.policy", set_cleanup},
    {"retention.ms", [](TopicConfig& t, const Value& v) { t.retention_ms = whole(v); }},
    {"retention.bytes", [](TopicConfig& t, const Value& v) { t.retention_bytes = whole(v); }},
    {"segment.bytes", [](TopicConfig& t, const Value& v) { t.segment_bytes = whole32(v); }},
    // Stronger than segment.bytes, so it comes after it; it has no default.
    {"internal.segment.bytes",
     [](TopicConfig& t, const Value& v) {
       if (std::holds_alternative<int64_t>(v)) t.segment_bytes = whole32(v);
     }},
    {"segment.ms", [](TopicConfig& t, const Value& v) { t.segment_ms = whole(v); }},
    {"segment.jitter.ms", [](TopicConfig& t, const Value& v) { t.segment_jitter_ms = whole(v); }},
    {"segment.index.bytes", [](TopicConfig& t, const Value& v) { t.segment_index_bytes = whole32(v); }},
    {"index.interval.bytes", [](TopicConfig& t, const Value& v) { t.index_interval_bytes = whole32(v); }},
    {"file.delete.delay.ms", [](TopicConfig& t, const Value& v) { t.file_delete_delay_ms = whole(v); }},
    {"preallocate", [](TopicConfig& t, const Value& v) { t.preallocate = std::get<bool>(v); }},
    {"max.message.bytes", [](TopicConfig& t, const Value& v) { t.max_message_bytes = whole32(v); }},
    {"message.timestamp.type", set_timestamp_type},
    {"message.timestamp.before.max.ms", [](TopicConfig& t, const Value& v) { t.timestamp_before_max_ms = whole(v); }},
    {"message.timestamp.after.max.ms", [](TopicConfig& t, const Value& v) { t.timestamp_after_max_ms = whole(v); }},
    {"compression.type",
     [](TopicConfig& t, const Value& v) { t.compression = compression_of(std::get<std::string>(v)); }},
    {"compression.gzip.level", [](TopicConfig& t, const Value& v) { t.gzip_level = whole32(v); }},
    {"compression.lz4.level", [](TopicConfig& t, const Value& v) { t.lz4_level = whole32(v); }},
    {"compression.zstd.level", [](TopicConfig& t, const Value& v) { t.zstd_level = whole32(v); }},
    {"min.insync.replicas", [](TopicConfig& t, const Value& v) { t.min_insync_replicas = whole32(v); }},
    {"unclean.leader.election.enable",
     [](TopicConfig& t, const Value& v) { t.unclean_leader_election = std::get<bool>(v); }},
    {"stele.durability", [](TopicConfig& t, const Value& v) { t.synced = std::get<std::string>(v) == "synced"; }},
    {"flush.messages", [](TopicConfig& t, const Value& v) { t.flush_messages = whole(v); }},
    {"flush.ms", [](TopicConfig& t, const Value& v) { t.flush_ms = whole(v); }},
    {"delete.retention.ms", [](TopicConfig& t, const Value& v) { t.delete_retention_ms = whole(v); }},
    {"min.compaction.lag.ms", [](TopicConfig& t, const Value& v) { t.min_compaction_lag_ms = whole(v); }},
    {"max.compaction.lag.ms", [](TopicConfig& t, const Value& v) { t.max_compaction_lag_ms = whole(v); }},
    {"min.cleanable.dirty.ratio",
     [](TopicConfig& t, const Value& v) { t.min_cleanable_dirty_ratio = std::get<double>(v); }},
};

const Option& topic_option(std::string_view name) {
  const Option* option = find_topic_option(name);
  STELE_CHECK(option != nullptr, "no topic config {}", name);
  return *option;
}

base::Error invalid_config(std::string message) { return {base::ErrorCode::kInvalidConfig, std::move(message)}; }

std::vector<std::string> parts_of(std::string_view list) {
  std::vector<std::string> parts = split_list(list);
  std::erase(parts, "");
  return parts;
}

base::Result<> check_configs(const BrokerConfig& broker, const ConfigMap& overrides, std::span<const Option> options,
                             std::string_view kind) {
  const auto known = [&](std::string_view name) {
    return std::ranges::find(options, name, &Option::name) != options.end();
  };
  for (const auto& [name, text] : overrides) {
    if (!known(name)) return invalid_config(fmt::format("Unknown {} config name: {}", kind, name));
  }
  // In the table's order, which is Kafka's: of several wrong values it names the same one.
  for (const Option& option : options) {
    const auto own = overrides.find(option.name);
    if (own == overrides.end()) continue;
    base::Result<Value> value = parse_value(option, own->second);
    if (!value.ok()) return std::move(value).error();
    if (option.effect == Effect::kRefuses && *value != default_value(option) && !broker.allow_insecure()) {
      if (option.name == "remote.storage.enable") {
        return invalid_config(
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log "
            "storage.");
      }
      return invalid_config(
          fmt::format("Stele does not support {} yet, and to ignore it would weaken durability", option.name));
    }
  }
  return {};
}

// A group's own value must lie between the limits that the broker sets for all groups: share.session.timeout.ms between
// group.share.min.session.timeout.ms and group.share.max.session.timeout.ms.
base::Result<> check_group_limits(const BrokerConfig& broker, const ConfigMap& overrides) {
  for (const Option& option : group_options()) {
    const auto own = overrides.find(option.name);
    if (own == overrides.end()) continue;
    const size_t dot = option.name.find('.');
    const std::string_view kind = option.name.substr(0, dot);
    std::string_view rest = option.name.substr(dot + 1);
    if (rest.starts_with("num.")) rest.remove_prefix(4);
    const int64_t* number = nullptr;
    const base::Result<Value> value = parse_value(option, own->second);
    if (value.ok()) number = std::get_if<int64_t>(&*value);
    if (number == nullptr) continue;
    const std::string least = fmt::format("group.{}.min.{}", kind, rest);
    if (find_broker_option(least) != nullptr && *number < broker.number(least)) {
      return invalid_config(fmt::format("{} must be greater than or equal to {}", option.name, least));
    }
    const std::string most = fmt::format("group.{}.max.{}", kind, rest);
    if (find_broker_option(most) != nullptr && *number > broker.number(most)) {
      return invalid_config(fmt::format("{} must be less than or equal to {}", option.name, most));
    }
  }
  return {};
}

}  // namespace

Value inherited_value(const BrokerConfig& broker, const Option& option) {
  if (option.name == "retention.ms") return broker.log_retention_ms();
  if (option.name == "segment.ms") return broker.log_roll_ms();
  if (option.name == "segment.jitter.ms") return broker.log_roll_jitter_ms();
  if (option.name == "flush.ms") return broker.log_flush_interval_ms();
  if (option.synonyms.empty()) return default_value(option);
  return broker.value(option.synonyms.substr(0, option.synonyms.find(',')));
}

TopicConfig make_topic_config(const BrokerConfig& broker, const ConfigMap& overrides) {
  TopicConfig inherited;
  for (const Field& field : kFields) field.set(inherited, inherited_value(broker, topic_option(field.name)));
  return make_topic_config(inherited, overrides);
}

TopicConfig make_topic_config(const TopicConfig& inherited, const ConfigMap& overrides) {
  TopicConfig topic = inherited;
  if (overrides.empty()) return topic;
  for (const Field& field : kFields) {
    const auto own = overrides.find(field.name);
    if (own == overrides.end()) continue;
    const base::Result<Value> value = parse_value(topic_option(field.name), own->second);
    if (value.ok()) field.set(topic, *value);
  }
  return topic;
}

base::Result<> check_topic_configs(const BrokerConfig& broker, const ConfigMap& overrides) {
  STELE_TRY(check_configs(broker, overrides, topic_options(), "topic"));
  const TopicConfig topic = make_topic_config(broker, overrides);
  if (topic.min_compaction_lag_ms > topic.max_compaction_lag_ms) {
    return invalid_config(
        fmt::format("conflict topic config setting min.compaction.lag.ms ({}) > max.compaction.lag.ms ({})",
                    topic.min_compaction_lag_ms, topic.max_compaction_lag_ms));
  }
  return {};
}

base::Result<> check_group_configs(const BrokerConfig& broker, const ConfigMap& overrides) {
  STELE_TRY(check_configs(broker, overrides, group_options(), "group"));
  return check_group_limits(broker, overrides);
}

base::Result<std::optional<std::string>> altered_value(const BrokerConfig& broker, ConfigScope scope,
                                                       std::string_view name, AlterOp op,
                                                       const std::optional<std::string>& current,
                                                       std::string_view operand) {
  if (op == AlterOp::kSet) return std::optional<std::string>(operand);
  if (op == AlterOp::kDelete) return std::optional<std::string>();
  const Option* option = scope == ConfigScope::kBroker  ? find_broker_option(name)
                         : scope == ConfigScope::kGroup ? find_group_option(name)
                                                        : find_topic_option(name);
  if (option == nullptr || option->type != ValueType::kList) {
    const bool append = op == AlterOp::kAppend;
    if (scope == ConfigScope::kBroker) {
      return invalid_config(
          fmt::format("Config value {} is not allowed for config key: {}", append ? "append" : "subtract", name));
    }
    return invalid_config(
        fmt::format("Can't {} to key {} because its type is not LIST.", append ? "APPEND" : "SUBTRACT", name));
  }
  const std::string before =
      current ? *current
              : to_text(scope == ConfigScope::kBroker ? broker.value(name) : inherited_value(broker, *option));
  std::vector<std::string> parts = parts_of(before);
  for (const std::string& part : parts_of(operand)) {
    if (op == AlterOp::kSubtract) {
      std::erase(parts, part);
    } else if (std::ranges::find(parts, part) == parts.end()) {
      parts.push_back(part);
    }
  }
  return std::optional<std::string>(fmt::format("{}", fmt::join(parts, ",")));
}

}  // namespace stele::config
