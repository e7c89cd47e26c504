#include "config/topic_config.h"

#include <gtest/gtest.h>

#include "config/golden_tsv_test.h"

namespace stele::config {
namespace {

using testing::golden_rows;
using testing::Row;

BrokerConfig broker(std::string_view properties = "") {
  BrokerConfig::Loaded loaded = BrokerConfig::load(properties);
  EXPECT_TRUE(loaded.config.has_value());
  return *std::move(loaded.config);
}

std::string unescaped(std::string text) {
  if (const size_t at = text.find("\\t"); at != std::string::npos) text.replace(at, 2, "\t");
  return text;
}

TEST(TopicConfigs, are_judged_in_kafkas_words) {
  // NaN passes every range of Kafka's; flush.* would be ignored, so Stele refuses it.
  const auto differs = [](const std::string& field) {
    return field == "min.cleanable.dirty.ratio=NaN" || field == "flush.messages=1";
  };
  const auto rows = golden_rows("topic_answers.tsv");
  ASSERT_GT(rows.size(), 100u);
  for (const Row& row : rows) {
    const bool accepted = row.back() == "ok";
    const size_t fields = row.size() - (accepted ? 1 : 2);
    ConfigMap overrides;
    std::string shown;
    for (size_t i = 0; i < fields; ++i) {
      if (row[i].empty()) continue;
      const size_t equals = row[i].find('=');
      overrides[row[i].substr(0, equals)] = unescaped(row[i].substr(equals + 1));
      shown += row[i] + " ";
    }
    const base::Result<> answer = check_topic_configs(broker(), overrides);
    if (differs(row[0])) {
      EXPECT_EQ(answer.code(), base::ErrorCode::kInvalidConfig) << shown;
    } else if (accepted) {
      EXPECT_TRUE(answer.ok()) << shown << (answer.ok() ? "" : answer.error().message);
    } else {
      ASSERT_FALSE(answer.ok()) << shown;
      EXPECT_EQ(answer.code(), base::ErrorCode::kInvalidConfig);
      EXPECT_EQ(answer.error().message, row.back());
    }
  }
}

TEST(TopicConfigs, what_would_weaken_durability_is_refused_unless_allowed) {
  const ConfigMap flush = {{"flush.ms", "1000"}};
  EXPECT_EQ(check_topic_configs(broker(), flush).code(), base::ErrorCode::kInvalidConfig);
  EXPECT_TRUE(check_topic_configs(broker("stele.allow.insecure=true"), flush).ok());
}

TEST(TopicConfigs, without_overrides_the_struct_holds_the_tables_defaults) {
  EXPECT_EQ(make_topic_config(broker(), {}), TopicConfig{});
}

TEST(TopicConfigs, overrides_stand_over_the_broker_and_the_broker_over_the_default) {
  const BrokerConfig config = broker("log.retention.minutes=10\nlog.segment.bytes=2097152\nlog.roll.hours=2\n")
                                  .with_dynamic({{"log.segment.bytes", "4194304"}, {"message.max.bytes", "5000"}},
                                                {{"message.max.bytes", "6000"}});
  const TopicConfig topic = make_topic_config(config, {{"cleanup.policy", "compact, delete"},
                                                       {"compression.type", "zstd"},
                                                       {"message.timestamp.type", "LogAppendTime"}});
  EXPECT_EQ(topic.retention_ms, 600'000);
  EXPECT_EQ(topic.segment_bytes, 4'194'304);
  EXPECT_EQ(topic.segment_ms, 7'200'000);
  EXPECT_EQ(topic.max_message_bytes, 6000);
  EXPECT_TRUE(topic.cleanup_compact && topic.cleanup_delete);
  EXPECT_EQ(topic.compression, TopicCompression::kZstd);
  EXPECT_EQ(topic.timestamp_type, TimestampType::kLogAppendTime);
}

TEST(TopicConfigs, a_dynamic_retention_hides_the_whole_chain_of_the_file) {
  const BrokerConfig config = broker("log.retention.ms=1000\n").with_dynamic({{"log.retention.ms", "-1"}}, {});
  EXPECT_EQ(make_topic_config(config, {}).retention_ms, -1);
}

TEST(TopicConfigs, values_of_a_later_version_are_passed_over) {
  const TopicConfig topic = make_topic_config(broker(), {{"segment.bytes", "1 GiB"}, {"new.config", "x"}});
  EXPECT_EQ(topic, TopicConfig{});
}

TEST(TopicConfigs, lists_grow_and_shrink_by_elements) {
  const Option* policy = find_topic_option("cleanup.policy");
  const auto alter = [&](AlterOp op, std::optional<std::string> current, std::string_view operand) {
    return altered_value("cleanup.policy", policy, op, current, "delete", operand).value().value_or("none");
  };
  EXPECT_EQ(alter(AlterOp::kAppend, std::nullopt, "compact"), "delete,compact");
  EXPECT_EQ(alter(AlterOp::kAppend, "compact", "compact,delete"), "compact,delete");
  EXPECT_EQ(alter(AlterOp::kSubtract, "compact,delete", "delete"), "compact");
  EXPECT_EQ(alter(AlterOp::kSubtract, "compact", "delete"), "compact");
  EXPECT_EQ(alter(AlterOp::kDelete, "compact", ""), "none");
  EXPECT_EQ(alter(AlterOp::kSet, "compact", "delete"), "delete");
}

TEST(TopicConfigs, only_lists_can_be_appended_to) {
  const auto answer =
      altered_value("retention.ms", find_topic_option("retention.ms"), AlterOp::kAppend, std::nullopt, "", "1");
  EXPECT_EQ(answer.code(), base::ErrorCode::kInvalidConfig);
  EXPECT_EQ(answer.error().message, "Can't APPEND to key retention.ms because its type is not LIST.");
}

TEST(GroupConfigs, are_judged_by_their_own_table) {
  EXPECT_TRUE(check_group_configs(broker(), {{"consumer.session.timeout.ms", "50000"}}).ok());
  EXPECT_EQ(check_group_configs(broker(), {{"share.delivery.count.limit", "1"}}).error().message,
            "Invalid value 1 for configuration share.delivery.count.limit: Value must be at least 2");
  EXPECT_EQ(check_group_configs(broker(), {{"retention.ms", "1"}}).error().message,
            "Unknown group config name: retention.ms");
}

}  // namespace
}  // namespace stele::config
