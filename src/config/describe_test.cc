#include "config/describe.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>

#include "config/golden_tsv_test.h"

namespace stele::config {
namespace {

using testing::golden_rows;
using testing::Row;

std::string_view source_name(ConfigSource source) {
  switch (source) {
    case ConfigSource::kDynamicTopic:
      return "DYNAMIC_TOPIC_CONFIG";
    case ConfigSource::kDynamicBroker:
      return "DYNAMIC_BROKER_CONFIG";
    case ConfigSource::kDynamicDefaultBroker:
      return "DYNAMIC_DEFAULT_BROKER_CONFIG";
    case ConfigSource::kStaticBroker:
      return "STATIC_BROKER_CONFIG";
    case ConfigSource::kDefault:
      return "DEFAULT_CONFIG";
    case ConfigSource::kDynamicGroup:
      return "DYNAMIC_GROUP_CONFIG";
    default:
      return "UNKNOWN";
  }
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::toupper(c));
  return out;
}

// One config as DescribeAnswers.java prints it, without the resource.
std::string line_of(const DescribedConfig& config) {
  std::vector<std::string> synonyms;
  for (const DescribedSynonym& s : config.synonyms) {
    synonyms.push_back(fmt::format("{}={}@{}", s.name, s.value.value_or("<null>"), source_name(s.source)));
  }
  return fmt::format("{} | {} | {} | {} | {} | {} | {}", config.name, config.value.value_or("<null>"),
                     source_name(config.source), config.read_only, config.sensitive, upper(type_name(config.type)),
                     fmt::join(synonyms, ";"));
}

std::map<std::string, std::string> kafkas(const std::string& resource) {
  std::map<std::string, std::string> lines;
  for (const Row& row : golden_rows("describe.tsv")) {
    if (row[0] != resource) continue;
    lines[row[1]] = fmt::format("{}", fmt::join(row.begin() + 1, row.end(), " | "));
  }
  return lines;
}

std::map<std::string, std::string> ours(const std::vector<DescribedConfig>& configs) {
  std::map<std::string, std::string> lines;
  for (const DescribedConfig& config : configs) lines[config.name] = line_of(config);
  return lines;
}

void expect_same(const std::vector<DescribedConfig>& described, const std::string& resource) {
  const auto expected = kafkas(resource);
  const auto actual = ours(described);
  ASSERT_FALSE(expected.empty());
  for (const auto& [name, line] : expected) {
    const auto found = actual.find(name);
    ASSERT_NE(found, actual.end()) << name;
    EXPECT_EQ(found->second, line);
  }
  for (const auto& [name, line] : actual) {
    const bool beyond_kafka = name.starts_with("stele.") || name == "super.users" ||
                              name.ends_with(".throttled.rate") || name == "allow.everyone.if.no.acl.found" ||
                              name == "replica.alter.log.dirs.io.max.bytes.per.second";
    EXPECT_TRUE(expected.contains(name) || beyond_kafka) << name;
  }
}

class Describe : public ::testing::Test {
 protected:
  // The file and the changes that the golden answers were made with.
  BrokerConfig fresh() const {
    std::ifstream in(std::string(STELE_SOURCE_DIR) + "/tests/peers/config_oracle/broker.properties");
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    BrokerConfig::Loaded loaded = BrokerConfig::load(text);
    EXPECT_TRUE(loaded.config.has_value());
    return loaded.config->with_dynamic({{"min.insync.replicas", "1"}}, {});
  }
  BrokerConfig changed() const {
    return fresh().with_dynamic(
        {{"min.insync.replicas", "1"}, {"log.retention.ms", "7200000"}, {"log.segment.bytes", "4194304"}},
        {{"log.segment.bytes", "8388608"}, {"log.cleaner.threads", "2"}});
  }
};

TEST_F(Describe, a_fresh_topic_is_described_as_kafka_does) { expect_same(describe_topic(fresh(), {}), "fresh-plain"); }

TEST_F(Describe, a_topic_under_dynamic_broker_values_is_described_as_kafka_does) {
  expect_same(describe_topic(changed(), {}), "plain");
}

TEST_F(Describe, a_topic_with_overrides_is_described_as_kafka_does) {
  expect_same(describe_topic(changed(), {{"retention.ms", " 5000 "},
                                         {"cleanup.policy", "compact, delete"},
                                         {"min.cleanable.dirty.ratio", "1e-4"},
                                         {"preallocate", "TRUE"},
                                         {"segment.bytes", "+2097152"}}),
              "tuned");
}

TEST_F(Describe, a_fresh_broker_is_described_as_kafka_does) { expect_same(describe_broker(fresh()), "fresh-broker"); }

TEST_F(Describe, a_broker_with_dynamic_values_is_described_as_kafka_does) {
  expect_same(describe_broker(changed()), "broker");
}

TEST_F(Describe, the_default_of_all_brokers_is_described_as_kafka_does) {
  expect_same(describe_all_brokers(fresh()), "fresh-brokers");
  expect_same(describe_all_brokers(changed()), "brokers");
}

TEST_F(Describe, a_group_is_described_as_kafka_does) {
  expect_same(describe_group(fresh(), {}), "fresh-group");
  expect_same(describe_group(changed(), {{"consumer.session.timeout.ms", "50000"}}), "group");
}

TEST_F(Describe, passwords_are_never_shown) {
  const BrokerConfig config =
      *BrokerConfig::load(
           "stele.allow.insecure=true\nssl.key.password=secret\nlistener.name.x.ssl.key.password=secret\n")
           .config;
  for (const DescribedConfig& described : describe_broker(config)) {
    EXPECT_NE(described.value, "secret");
    for (const DescribedSynonym& synonym : described.synonyms) EXPECT_NE(synonym.value, "secret");
  }
}

}  // namespace
}  // namespace stele::config
