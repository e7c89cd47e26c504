#include "broker/topic_rules.h"

namespace stele::broker {

namespace {

int32_t level_of(const config::TopicConfig& topic) {
  switch (topic.compression) {
    case config::TopicCompression::kGzip:
      return topic.gzip_level;
    case config::TopicCompression::kLz4:
      return topic.lz4_level;
    case config::TopicCompression::kZstd:
      return topic.zstd_level;
    case config::TopicCompression::kProducer:
    case config::TopicCompression::kNone:
    case config::TopicCompression::kSnappy:
      break;
  }
  return record::kDefaultLevel;
}

PartitionRules partition_rules(const config::TopicConfig& topic) {
  PartitionRules rules;
  rules.append.batch_bytes_max = static_cast<size_t>(topic.max_message_bytes);
  rules.append.timestamp_type = topic.timestamp_type == config::TimestampType::kLogAppendTime
                                    ? record::TimestampType::kLogAppendTime
                                    : record::TimestampType::kCreateTime;
  rules.append.before_max_ms = topic.timestamp_before_max_ms;
  rules.append.after_max_ms = topic.timestamp_after_max_ms;
  if (topic.compression != config::TopicCompression::kProducer) {
    rules.append.codec = static_cast<record::Codec>(topic.compression);
    rules.append.level = level_of(topic);
  }
  rules.append.compacted = topic.cleanup_compact;
  rules.delete_records = topic.cleanup_delete || !topic.cleanup_compact;
  return rules;
}

}  // namespace

TopicRules rules_of(const config::BrokerConfig& broker, const metadata::Image& image, const std::string& topic) {
  config::ConfigMap overrides;
  if (const auto* set = image.config_of({metadata::ResourceType::kTopic, topic})) {
    for (const auto& [name, value] : *set) overrides.emplace(name, value.value);
  }
  const config::TopicConfig effective = config::make_topic_config(broker, overrides);
  TopicRules rules;
  rules.partition = partition_rules(effective);
  rules.log = {.segment_bytes = effective.segment_bytes,
               .segment_ms = effective.segment_ms,
               .segment_jitter_ms = effective.segment_jitter_ms,
               .index_interval_bytes = effective.index_interval_bytes,
               .index_bytes = effective.segment_index_bytes,
               .retention_ms = effective.retention_ms,
               .retention_bytes = effective.retention_bytes,
               .delete_policy = effective.cleanup_delete,
               .compact = effective.cleanup_compact,
               .file_delete_delay_ms = effective.file_delete_delay_ms,
               .producer_id_expiration_ms = broker.number("producer.id.expiration.ms"),
               .producers_max = broker.number("stele.producer.ids.max"),
               .recheck_ms = broker.number("stele.fetch.recheck.ms"),
               .synced = effective.synced};
  return rules;
}

}  // namespace stele::broker
