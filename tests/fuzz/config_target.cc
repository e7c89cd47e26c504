// server.properties, and the values that change while the broker runs.
#include "base/check.h"
#include "config/broker_config.h"
#include "config/describe.h"
#include "config/endpoint.h"
#include "config/topic_config.h"
#include "fuzz/input.h"
#include "fuzz/target.h"

namespace stele::fuzz {

namespace {

void read_all(const config::BrokerConfig& config) {
  (void)config.listeners();
  (void)config.log_retention_ms();
  (void)config.log_roll_ms();
  (void)config.log_roll_jitter_ms();
  (void)config.log_flush_interval_ms();
  (void)config.metadata_log_dir();
  (void)config::replication_shortfalls(config, 1);
  (void)config::describe_broker(config);
}

// The configs of one file as those of a topic and as values that change later.
void change(const config::BrokerConfig& config, const config::ConfigMap& values) {
  const auto topic = config::check_topic_configs(config, values);
  const config::TopicConfig made = config::make_topic_config(config, values);
  if (topic.ok()) {
    STELE_CHECK(made.segment_bytes > 0 && made.max_message_bytes >= 0 && made.segment_index_bytes >= 0);
    (void)config::describe_topic(config, values);
  }
  (void)config::check_group_configs(config, values);
  if (config::check_dynamic_values(config, values, true).ok()) read_all(config.with_dynamic({}, values));
  if (config::check_dynamic_values(config, values, false).ok()) read_all(config.with_dynamic(values, {}));
  for (const auto& [name, value] : values) {
    for (const auto op : {config::AlterOp::kAppend, config::AlterOp::kSubtract}) {
      const auto altered = config::altered_value(config, config::ConfigScope::kTopic, name, op, value, value);
      STELE_CHECK(altered.ok() || altered.code() != base::ErrorCode::kNone);
    }
    (void)config::parse_endpoint(value);
    (void)config::parse_voter(value);
  }
}

}  // namespace

void broker_config(base::Bytes bytes) {
  const base::ByteVector content = exact(bytes);
  const std::string_view text = base::as_text(content);
  const config::BrokerConfig::Loaded loaded = config::BrokerConfig::load(text);
  bool errors = false;
  for (const config::Finding& finding : loaded.findings) {
    errors |= finding.is_error();
    STELE_CHECK(!config::to_text(finding).empty());
  }
  STELE_CHECK(loaded.config.has_value() != errors, "a file is refused without a reason, or loaded in spite of one");
  if (loaded.config) read_all(*loaded.config);
  const auto properties = config::parse_properties(text);
  if (!properties.ok()) return;
  config::ConfigMap values;
  for (const config::Property& property : *properties) values.insert_or_assign(property.key, property.value);
  change(config::BrokerConfig::without_file(), values);
}

}  // namespace stele::fuzz
