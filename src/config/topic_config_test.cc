#include "config/topic_config.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>

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
  const auto alter = [](AlterOp op, std::optional<std::string> current, std::string_view operand) {
    return altered_value(broker(), ConfigScope::kTopic, "cleanup.policy", op, current, operand)
        .value()
        .value_or("none");
  };
  EXPECT_EQ(alter(AlterOp::kAppend, std::nullopt, "compact"), "delete,compact");
  EXPECT_EQ(alter(AlterOp::kAppend, "compact", "compact,delete"), "compact,delete");
  EXPECT_EQ(alter(AlterOp::kSubtract, "compact,delete", "delete"), "compact");
  EXPECT_EQ(alter(AlterOp::kSubtract, "compact", "delete"), "compact");
  EXPECT_EQ(alter(AlterOp::kDelete, "compact", ""), "none");
  EXPECT_EQ(alter(AlterOp::kSet, "compact", "delete"), "delete");
}

// Overrides of the resources that the recorded changes name, changed one request at a time.
class Alterations {
 public:
  // "NONE", or the error's name and message.
  std::string alter(const std::string& resource, const std::string& name, const std::string& op,
                    const std::string& value) {
    const ConfigScope scope = resource.starts_with("topic:")   ? ConfigScope::kTopic
                              : resource.starts_with("group:") ? ConfigScope::kGroup
                                                               : ConfigScope::kBroker;
    ConfigMap next = overrides_[resource];
    const auto found = next.find(name);
    const base::Result<std::optional<std::string>> altered = altered_value(
        broker_, scope, name, op_of(op), found == next.end() ? std::nullopt : std::optional(found->second), value);
    if (!altered.ok()) return shown(altered.error());
    next.erase(name);
    if (*altered) next[name] = **altered;
    const base::Result<> checked = scope == ConfigScope::kTopic ? check_topic_configs(broker_, next)
                                   : scope == ConfigScope::kGroup
                                       ? check_group_configs(broker_, next)
                                       : check_dynamic_values(broker_, next, resource == "broker:1");
    if (!checked.ok()) return shown(checked.error());
    overrides_[resource] = std::move(next);
    return "NONE: ";
  }

 private:
  static AlterOp op_of(const std::string& op) {
    if (op == "APPEND") return AlterOp::kAppend;
    if (op == "SUBTRACT") return AlterOp::kSubtract;
    return op == "DELETE" ? AlterOp::kDelete : AlterOp::kSet;
  }
  static std::string shown(const base::Error& error) {
    return std::string(base::error_name(error.code)) + ": " + error.message;
  }

  BrokerConfig broker_ = broker();
  std::map<std::string, ConfigMap> overrides_;
};

TEST(Alterations, are_answered_in_kafkas_words) {
  const auto left_out = [](const Row& row) {
    // Judged by the handler (the resource, a null value), by the controller (ELR), or another kind of resource.
    if (row[3] == "<null>" || row[1] == "min.insync.replicas" || row[0].starts_with("client_metrics")) return true;
    if (row[0] == "topic:nowhere" || row[0] == "topic:a/b" || row[0] == "topic:" || row[0] == "group:") return true;
    // Kafka resizes thread pools step by step; Stele has none. What it cannot honour yet it refuses.
    if (row[3] == "100" && row[1].ends_with("threads")) return true;
    return row[1] == "log.flush.interval.messages" || row[1] == "listener.name.plaintext.ssl.keystore.type";
  };
  Alterations alterations;
  size_t compared = 0;
  for (const Row& row : golden_rows("alter_answers.tsv")) {
    if (left_out(row)) continue;
    EXPECT_EQ(alterations.alter(row[0], row[1], row[2], row[3]), row[4] + ": " + row[5]) << row[0] << " " << row[1];
    ++compared;
  }
  EXPECT_GT(compared, 45u);
}

TEST(GroupConfigs, a_reset_by_duration_is_read_as_java_reads_it) {
  const auto ok = [](std::string_view duration) {
    return check_group_configs(broker(), {{"share.auto.offset.reset", "by_duration:" + std::string(duration)}}).ok();
  };
  for (const char* good : {"PT1H", "P1D", "p1dt2h", "PT0S", "PT1.5S", "+PT1S", "PT1H-1M", "PT1H1M1S"})
    EXPECT_TRUE(ok(good)) << good;
  for (const char* bad :
       {"", "P", "PT", "PT1.5H", "P1DT", "P1Y", "PT-1S", "-PT1S", "PT1S2M", "P1H", "PT1H1H", "x", "PT1"}) {
    EXPECT_FALSE(ok(bad)) << bad;
  }
}

}  // namespace
}  // namespace stele::config
