#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/address.h"
#include "app/common_options.h"
#include "app/topic_text.h"

namespace stele::app {
namespace {

std::string addresses(std::string_view text) {
  auto parsed = parse_addresses(text);
  if (!parsed.ok()) return "refused";
  std::string out;
  for (const Address& address : *parsed) out += address.to_string() + " ";
  return out;
}

TEST(Address, takes_hosts_ports_and_lists) {
  EXPECT_EQ(addresses("localhost"), "localhost:9092 ");
  EXPECT_EQ(addresses("a:1,b:65535,c"), "a:1 b:65535 c:9092 ");
  EXPECT_EQ(addresses("[::1]:9093,[fe80::1]"), "[::1]:9093 [fe80::1]:9092 ");
}

TEST(Address, refuses_what_is_none) {
  for (const char* text : {"", ":9092", "a:", "a:0", "a:65536", "a:9x", "a:-1", "a,,b", "::1", "[::1", "[::1]9092"}) {
    EXPECT_EQ(addresses(text), "refused") << text;
  }
}

TEST(KeyValues, split_at_the_first_equals_sign) {
  EXPECT_EQ(split_key_value("a=b=c"), (KeyValue{"a", "b=c"}));
  EXPECT_EQ(split_key_value("a="), (KeyValue{"a", ""}));
  EXPECT_EQ(split_key_value("a"), std::nullopt);
  EXPECT_EQ(split_key_value("=b"), std::nullopt);
  EXPECT_FALSE(split_key_values({"a=1", "b"}).ok());
}

TEST(Unescape, makes_bytes_and_leaves_what_it_does_not_know) {
  EXPECT_EQ(unescape("a\\tb\\n\\\\"), "a\tb\n\\");
  EXPECT_EQ(unescape("\\x1f\\x7A"), "\x1fz");
  EXPECT_EQ(unescape("\\0"), std::string(1, '\0'));
  EXPECT_EQ(unescape("\\q\\x1\\"), "\\q\\x1\\");
}

TEST(Human, numbers_are_short) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(3.0 * (1LL << 50)), "3072.0 TiB");
  EXPECT_EQ(human_count(7), "7");
  EXPECT_EQ(human_count(1234), "1,234");
  EXPECT_EQ(human_count(12345678), "12,345,678");
}

Topic orders() {
  Topic topic;
  topic.name = "orders";
  topic.id = *base::Uuid::parse("Q9P4j6dARbm_QfRo9jOJlw");
  topic.partitions = {{.index = 0, .leader = 1, .leader_epoch = 4, .replicas = {1, 2}, .isr = {1, 2}, .offline = {}},
                      {.index = 1, .leader = 1, .leader_epoch = 5, .replicas = {1, 2}, .isr = {1}, .offline = {2}},
                      {.index = 2, .leader = -1, .leader_epoch = 6, .replicas = {2, 1}, .isr = {2}, .offline = {2}}};
  topic.partitions[0].eligible.emplace();
  topic.partitions[2].eligible = {2};
  topic.partitions[2].last_known = {2, 1};
  topic.configs = {{.name = "min.insync.replicas", .value = "1", .source = "cluster"},
                   {.name = "retention.ms", .value = "1000", .source = "topic"}};
  return topic;
}

TEST(TopicText, a_description_names_what_is_wrong) {
  EXPECT_EQ(describe_text(orders(), false),
            "topic 'orders'  3 partitions  replication factor 2  id Q9P4j6dARbm_QfRo9jOJlw\n"
            "  partition 0  leader 1  epoch 4  replicas 1,2  isr 1,2\n"
            "  partition 1  leader 1  epoch 5  replicas 1,2  isr 1  under-replicated  offline replicas 2\n"
            "  partition 2  leader none  epoch 6  replicas 2,1  isr 2  offline  elr 2  last known elr 2,1  "
            "offline replicas 2\n"
            "  config min.insync.replicas=1  (from the cluster)\n"
            "  config retention.ms=1000");
}

TEST(TopicText, json_is_one_line_for_each_topic) {
  const std::string text = describe_text(orders(), true);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_THAT(text, testing::HasSubstr(R"("partition":2,"leader":-1,"leader_epoch":6,"replicas":[2,1],"isr":[2])"));
  EXPECT_THAT(text, testing::HasSubstr(R"("eligible_leader_replicas":[2],"last_known_elr":[2,1],"state":"offline")"));
  EXPECT_THAT(text, testing::HasSubstr(R"("eligible_leader_replicas":[],"state":"ok")"));
  EXPECT_THAT(text, testing::HasSubstr(R"("retention.ms":{"value":"1000","source":"topic"})"));
}

TEST(TopicText, a_list_is_a_table) {
  EXPECT_THAT(list_lines({orders()}, false), testing::ElementsAre("TOPIC   PARTITIONS  REPLICATION",  //
                                                                  "orders           3            2"));
  EXPECT_THAT(list_lines({}, false), testing::IsEmpty());
}

TEST(TopicText, an_outcome_is_a_sentence) {
  TopicOutcome made{.name = "a", .partitions = 1, .replication_factor = 3};
  EXPECT_EQ(outcome_text(made, "created", false, false), "created topic 'a': 1 partition, replication factor 3");
  EXPECT_EQ(outcome_text(made, "created", true, false),
            "would have created topic 'a': 1 partition, replication factor 3");
  EXPECT_EQ(outcome_text({.name = "a"}, "deleted", false, true), R"({"topic":"a","result":"deleted"})");
}

}  // namespace
}  // namespace stele::app
