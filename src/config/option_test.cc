#include "config/option.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>

#include "config/golden_tsv_test.h"
#include "config/value.h"

namespace stele::config {
namespace {

using testing::golden_rows;
using testing::Row;

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::toupper(c));
  return out;
}

std::string bound(double value) {
  return value == std::floor(value) ? fmt::format("{:.0f}", value) : java_double(value);
}

// A check as Kafka's validators print themselves.
std::string check_text(const Option& option) {
  const Check& check = option.check;
  switch (check.kind) {
    case Check::Kind::kAny:
      return option.name == "authorizer.class.name" ? "non-null string" : "";
    case Check::Kind::kRange:
      return std::isinf(check.high) ? fmt::format("[{},...]", bound(check.low))
                                    : fmt::format("[{},...,{}]", bound(check.low), bound(check.high));
    case Check::Kind::kRangeOrMinusOne:
      return fmt::format("[{},...,{}] or -1", bound(check.low), bound(check.high));
    case Check::Kind::kOneOf:
    case Check::Kind::kEachOneOf:
      return fmt::format("[{}]", check.names);
    case Check::Kind::kOneOfIgnoreCase:
      return fmt::format("(case insensitive) [{}]", check.names);
    case Check::Kind::kNonEmptyList:
      return "non-empty list";
    case Check::Kind::kNonEmptyString:
      return "non-empty string";
    case Check::Kind::kThrottledReplicas:
      return "[partitionId]:[brokerId],[partitionId]:[brokerId],...";
    case Check::Kind::kOffsetReset:
      return "[latest, earliest, by_duration:PnDTnHnMn.nS]";
  }
  return "";
}

void expect_same(const Option& ours, const Row& kafka) {
  SCOPED_TRACE(kafka[0]);
  EXPECT_EQ(upper(type_name(ours.type)), kafka[1]);
  // What Kafka demands has no default in the table; BrokerConfig fills it in.
  const std::string expected = kafka[2] == "<required>" ? "<null>" : kafka[2];
  EXPECT_EQ(ours.default_value == nullptr ? "<null>" : std::string(ours.default_value), expected);
  EXPECT_EQ(check_text(ours), kafka[3]);
  EXPECT_EQ(importance_name(ours.importance), kafka[4]);
  EXPECT_EQ(ours.internal, kafka[7] == "internal");
}

TEST(OptionTable, broker_options_are_kafkas) {
  const auto rows = golden_rows("broker.tsv");
  ASSERT_GT(rows.size(), 300u);
  for (const Row& kafka : rows) {
    const Option* ours = find_broker_option(kafka[0]);
    ASSERT_NE(ours, nullptr) << kafka[0];
    expect_same(*ours, kafka);
    EXPECT_EQ(mode_name(ours->mode), kafka[5]) << kafka[0];
    const auto synonyms = broker_synonyms(kafka[0]);
    EXPECT_EQ(synonyms.size() == 1 ? "" : fmt::format("{}", fmt::join(synonyms, ",")), kafka[6]) << kafka[0];
  }
}

TEST(OptionTable, broker_options_beyond_kafkas_table_are_named_here) {
  std::set<std::string, std::less<>> known = {
      // Read by Kafka's authorizer and quota managers, so they are in no ConfigDef of the broker.
      "super.users", "allow.everyone.if.no.acl.found", "leader.replication.throttled.rate",
      "follower.replication.throttled.rate", "replica.alter.log.dirs.io.max.bytes.per.second"};
  for (const Row& kafka : golden_rows("broker.tsv")) known.insert(kafka[0]);
  std::set<std::string_view> seen;
  for (const OptionGroup& group : broker_option_groups()) {
    for (const Option& option : group.options) {
      EXPECT_TRUE(seen.insert(option.name).second) << option.name << " stands twice";
      EXPECT_TRUE(known.contains(option.name) || option.name.starts_with("stele.")) << option.name;
    }
  }
}

TEST(OptionTable, topic_options_are_kafkas) {
  const auto rows = golden_rows("topic.tsv");
  ASSERT_EQ(rows.size() + 1, topic_options().size());
  EXPECT_NE(find_topic_option("stele.durability"), nullptr);  // the one that is ours
  for (const Row& kafka : rows) {
    const Option* ours = find_topic_option(kafka[0]);
    ASSERT_NE(ours, nullptr) << kafka[0];
    expect_same(*ours, kafka);
    EXPECT_EQ(ours->synonyms, kafka[6]) << kafka[0];
  }
}

TEST(OptionTable, group_options_are_kafkas) {
  const auto rows = golden_rows("group.tsv");
  ASSERT_EQ(rows.size(), group_options().size());
  for (const Row& kafka : rows) {
    const Option* ours = find_group_option(kafka[0]);
    ASSERT_NE(ours, nullptr) << kafka[0];
    expect_same(*ours, kafka);
    EXPECT_EQ(ours->synonyms, kafka[6]) << kafka[0];
  }
}

TEST(OptionTable, every_default_parses_and_prints_back) {
  const auto check = [](const Option& option) {
    EXPECT_FALSE(option.text.empty()) << option.name;
    if (option.default_value != nullptr) EXPECT_EQ(to_text(default_value(option)), option.default_value) << option.name;
  };
  for (const OptionGroup& group : broker_option_groups()) {
    for (const Option& option : group.options) check(option);
  }
  for (const Option& option : topic_options()) check(option);
  for (const Option& option : group_options()) check(option);
}

TEST(OptionTable, a_listeners_option_is_found_behind_its_prefix) {
  EXPECT_EQ(find_broker_option("listener.name.external.ssl.keystore.location")->name, "ssl.keystore.location");
  EXPECT_EQ(find_broker_option("listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config")->name, "sasl.jaas.config");
  EXPECT_EQ(find_broker_option("listener.name.external.nonsense"), nullptr);
  EXPECT_EQ(find_broker_option("prefix.log.dirs"), nullptr);
}

TEST(OptionTable, a_misspelled_name_finds_its_neighbour) {
  EXPECT_EQ(nearest_broker_option("log.dris"), "log.dirs");
  EXPECT_EQ(nearest_broker_option("num.partition"), "num.partitions");
  EXPECT_EQ(nearest_broker_option("auto.create.topic.enable"), "auto.create.topics.enable");
  EXPECT_EQ(nearest_broker_option("stele.allow.insecur"), "stele.allow.insecure");
  EXPECT_EQ(nearest_broker_option("confluent.license.topic"), "");
}

TEST(Value, a_double_is_printed_as_java_prints_it) {
  EXPECT_EQ(java_double(0.5), "0.5");
  EXPECT_EQ(java_double(100), "100.0");
  EXPECT_EQ(java_double(0), "0.0");
  EXPECT_EQ(java_double(1e30), "1.0E30");
  EXPECT_EQ(java_double(1.25e-4), "1.25E-4");
  EXPECT_EQ(java_double(12345678), "1.2345678E7");
  EXPECT_EQ(java_double(1.7976931348623157e308), "1.7976931348623157E308");
}

}  // namespace
}  // namespace stele::config
