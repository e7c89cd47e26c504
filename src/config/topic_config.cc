#include "config/topic_config.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace stele::config {
namespace {

// Reads typed values of one topic: an override that parses, else what is inherited.
class Reader {
 public:
  Reader(const BrokerConfig& broker, const ConfigMap& overrides) : broker_(broker), overrides_(overrides) {}

  Value value(std::string_view name) const {
    const Option* option = find_topic_option(name);
    STELE_CHECK(option != nullptr, "no topic config {}", name);
    if (const auto own = overrides_.find(name); own != overrides_.end()) {
      base::Result<Value> parsed = parse_value(*option, own->second);
      if (parsed.ok()) return std::move(parsed).value();
    }
    return inherited_value(broker_, *option);
  }
  int64_t number(std::string_view name) const { return std::get<int64_t>(value(name)); }
  int32_t number32(std::string_view name) const { return static_cast<int32_t>(number(name)); }
  bool flag(std::string_view name) const { return std::get<bool>(value(name)); }
  std::string text(std::string_view name) const { return std::get<std::string>(value(name)); }

 private:
  const BrokerConfig& broker_;
  const ConfigMap& overrides_;
};

TopicCompression compression_of(std::string_view name) {
  if (name == "uncompressed") return TopicCompression::kNone;
  if (name == "gzip") return TopicCompression::kGzip;
  if (name == "snappy") return TopicCompression::kSnappy;
  if (name == "lz4") return TopicCompression::kLz4;
  if (name == "zstd") return TopicCompression::kZstd;
  return TopicCompression::kProducer;
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
  const Reader from(broker, overrides);
  TopicConfig topic;
  const auto policy = std::get<std::vector<std::string>>(from.value("cleanup.policy"));
  topic.cleanup_delete = std::ranges::find(policy, "delete") != policy.end();
  topic.cleanup_compact = std::ranges::find(policy, "compact") != policy.end();
  topic.retention_ms = from.number("retention.ms");
  topic.retention_bytes = from.number("retention.bytes");
  topic.segment_bytes = from.number32("segment.bytes");
  if (const Value internal = from.value("internal.segment.bytes"); std::holds_alternative<int64_t>(internal)) {
    topic.segment_bytes = static_cast<int32_t>(std::get<int64_t>(internal));
  }
  topic.segment_ms = from.number("segment.ms");
  topic.segment_jitter_ms = from.number("segment.jitter.ms");
  topic.segment_index_bytes = from.number32("segment.index.bytes");
  topic.index_interval_bytes = from.number32("index.interval.bytes");
  topic.file_delete_delay_ms = from.number("file.delete.delay.ms");
  topic.preallocate = from.flag("preallocate");
  topic.max_message_bytes = from.number32("max.message.bytes");
  topic.timestamp_type = from.text("message.timestamp.type") == "LogAppendTime" ? TimestampType::kLogAppendTime
                                                                                : TimestampType::kCreateTime;
  topic.timestamp_before_max_ms = from.number("message.timestamp.before.max.ms");
  topic.timestamp_after_max_ms = from.number("message.timestamp.after.max.ms");
  topic.compression = compression_of(from.text("compression.type"));
  topic.gzip_level = from.number32("compression.gzip.level");
  topic.lz4_level = from.number32("compression.lz4.level");
  topic.zstd_level = from.number32("compression.zstd.level");
  topic.min_insync_replicas = from.number32("min.insync.replicas");
  topic.unclean_leader_election = from.flag("unclean.leader.election.enable");
  topic.flush_messages = from.number("flush.messages");
  topic.flush_ms = from.number("flush.ms");
  topic.delete_retention_ms = from.number("delete.retention.ms");
  topic.min_compaction_lag_ms = from.number("min.compaction.lag.ms");
  topic.max_compaction_lag_ms = from.number("max.compaction.lag.ms");
  topic.min_cleanable_dirty_ratio = std::get<double>(from.value("min.cleanable.dirty.ratio"));
  return topic;
}

base::Result<> check_topic_configs(const BrokerConfig& broker, const ConfigMap& overrides) {
  STELE_TRY(check_configs(broker, overrides, topic_options(), "topic"));
  const Reader from(broker, overrides);
  const int64_t min_lag = from.number("min.compaction.lag.ms");
  const int64_t max_lag = from.number("max.compaction.lag.ms");
  if (min_lag > max_lag) {
    return invalid_config(fmt::format(
        "conflict topic config setting min.compaction.lag.ms ({}) > max.compaction.lag.ms ({})", min_lag, max_lag));
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
