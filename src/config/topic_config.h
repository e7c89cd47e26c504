// The effective configuration of one topic: its own overrides over the broker's values. Immutable and cheap to copy; a
// changed config is made anew.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "config/broker_config.h"

namespace stele::config {

enum class TimestampType : int8_t { kCreateTime = 0, kLogAppendTime = 1 };

// The numbers of a batch's attributes, and -1 where the client's codec is kept.
enum class TopicCompression : int8_t { kProducer = -1, kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };

struct TopicConfig {
  bool cleanup_delete = true;  // both false: nothing is ever cleaned up
  bool cleanup_compact = false;
  int64_t retention_ms = 604'800'000;  // -1: for ever
  int64_t retention_bytes = -1;        // per partition; negative: no limit
  int32_t segment_bytes = 1 << 30;
  int64_t segment_ms = 604'800'000;
  int64_t segment_jitter_ms = 0;
  int32_t segment_index_bytes = 10 << 20;
  int32_t index_interval_bytes = 4096;
  int64_t file_delete_delay_ms = 60'000;
  bool preallocate = false;
  int32_t max_message_bytes = 1'048'588;
  TimestampType timestamp_type = TimestampType::kCreateTime;
  int64_t timestamp_before_max_ms = INT64_MAX;
  int64_t timestamp_after_max_ms = 3'600'000;
  TopicCompression compression = TopicCompression::kProducer;
  int32_t gzip_level = -1;  // -1: the codec's own default
  int32_t lz4_level = 9;
  int32_t zstd_level = 3;
  int32_t min_insync_replicas = 1;
  bool unclean_leader_election = false;
  bool synced = false;  // stele.durability
  int64_t flush_messages = INT64_MAX;
  int64_t flush_ms = INT64_MAX;
  int64_t delete_retention_ms = 86'400'000;
  int64_t min_compaction_lag_ms = 0;
  int64_t max_compaction_lag_ms = INT64_MAX;
  double min_cleanable_dirty_ratio = 0.5;

  bool operator==(const TopicConfig&) const = default;
};

// `overrides` come from the metadata log. A name that is not in the table and a value that does not parse are passed
// over: a later version may have written them.
TopicConfig make_topic_config(const BrokerConfig& broker, const ConfigMap& overrides);
// The same from the broker's values made ready once (make_topic_config(broker, {})): costs only what the topic
// overrides.
TopicConfig make_topic_config(const TopicConfig& inherited, const ConfigMap& overrides);

// Whether a topic may have these overrides (all of them, not only those that change): INVALID_CONFIG with Kafka's
// sentence. Beside Kafka's own rules: what Stele would have to ignore at the cost of durability is refused unless
// stele.allow.insecure is set.
base::Result<> check_topic_configs(const BrokerConfig& broker, const ConfigMap& overrides);
base::Result<> check_group_configs(const BrokerConfig& broker, const ConfigMap& overrides);

enum class AlterOp : int8_t { kSet = 0, kDelete = 1, kAppend = 2, kSubtract = 3 };
enum class ConfigScope : uint8_t { kTopic, kGroup, kBroker };

// The value that IncrementalAlterConfigs leaves of one config; nullopt: no override. `current` is the present override;
// APPEND and SUBTRACT without one begin from what is inherited. On what is no list they are INVALID_CONFIG.
base::Result<std::optional<std::string>> altered_value(const BrokerConfig& broker, ConfigScope scope,
                                                       std::string_view name, AlterOp op,
                                                       const std::optional<std::string>& current,
                                                       std::string_view operand);

// What a topic or group config is without an override: the broker's value of its nearest synonym that is set, else the
// default.
Value inherited_value(const BrokerConfig& broker, const Option& option);

}  // namespace stele::config
