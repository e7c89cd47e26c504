#include "wire/record_json.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>
#include <utility>

#include "wire/codec.h"
#include "wire/consumer_protocol_subscription.h"
#include "wire/json_printer.h"
#include "wire/leader_change_message.h"
#include "wire/partition_change_record.h"
#include "wire/topic_record.h"

namespace stele::wire {
namespace {

std::string number(double value) {
  JsonPrinter out;
  out.value(value);
  return out.text();
}

TEST(RecordJson, a_record_is_printed_in_the_words_of_kafka) {
  TopicRecord topic;
  topic.name = "letters \"old\"\n";
  topic.topic_id = *base::Uuid::parse("aaaaaaaaaaaaaaaaaaaaaQ");
  const auto bytes = *to_bytes(topic, 0);
  EXPECT_EQ(record_name(RecordKind::kMetadata, TopicRecord::kRecordType), "TopicRecord");
  EXPECT_EQ(*record_to_json(RecordKind::kMetadata, TopicRecord::kRecordType, 0, bytes),
            R"({"name":"letters \"old\"\n","topicId":"aaaaaaaaaaaaaaaaaaaaaQ"})");
}

TEST(RecordJson, tagged_fields_are_printed_where_they_are_set) {
  PartitionChangeRecord change;
  change.partition_id = 4;
  change.isr.emplace({1, 2});
  const auto bytes = *to_bytes(change, 2);
  EXPECT_EQ(*record_to_json(RecordKind::kMetadata, PartitionChangeRecord::kRecordType, 2, bytes),
            R"({"partitionId":4,"topicId":"AAAAAAAAAAAAAAAAAAAAAA","isr":[1,2]})");
}

TEST(RecordJson, control_records_and_what_consumers_say_are_printed_too) {
  LeaderChangeMessage change;
  change.leader_id = 1;
  change.voters.emplace_back().voter_id = 1;
  EXPECT_EQ(record_name(RecordKind::kControl, 2), "LeaderChangeMessage");
  EXPECT_EQ(*record_to_json(RecordKind::kControl, 2, 0, *to_bytes(change, 0)),
            R"({"version":0,"leaderId":1,"voters":[{"voterId":1}],"grantingVoters":[]})");
  ConsumerProtocolSubscription subscription;
  subscription.topics.emplace_back("letters");
  EXPECT_EQ(*record_to_json(RecordKind::kConsumer, 0, 1, *to_bytes(subscription, 1)),
            R"({"topics":["letters"],"userData":null,"ownedPartitions":[]})");
}

TEST(RecordJson, what_is_not_known_is_an_error) {
  EXPECT_EQ(record_to_json(RecordKind::kMetadata, 999, 0, {}).code(), base::ErrorCode::kInvalidRequest);
  EXPECT_EQ(record_to_json(RecordKind::kMetadata, TopicRecord::kRecordType, 0, {}).code(),
            base::ErrorCode::kInvalidRequest);
  EXPECT_EQ(record_name(RecordKind::kGroupKey, 999), "");
}

TEST(RecordJson, doubles_look_as_java_prints_them) {
  EXPECT_EQ(number(0), "0.0");
  EXPECT_EQ(number(1024), "1024.0");
  EXPECT_EQ(number(-0.25), "-0.25");
  EXPECT_EQ(number(1048576000), "1.048576E9");
  EXPECT_EQ(number(1e7), "1.0E7");
  EXPECT_EQ(number(std::numeric_limits<double>::max()), "1.7976931348623157E308");
}

TEST(RecordJson, bytes_are_base64) {
  for (const auto& [hex, text] : std::map<std::string, std::string>{{"", "\"\""},
                                                                    {"ff", "\"/w==\""},
                                                                    {"ffff", "\"//8=\""},
                                                                    {"000102", "\"AAEC\""},
                                                                    {"00010203", "\"AAECAw==\""}}) {
    JsonPrinter out;
    const auto bytes = base::from_hex(hex);
    out.value(base::Bytes{bytes});
    EXPECT_EQ(out.text(), text);
  }
}

// Kafka's own words for every record at every version stand in the file that STELE_WIRE_JSON names.
TEST(RecordJson, every_record_is_printed_as_kafka_prints_it) {
  const char* path = std::getenv("STELE_WIRE_JSON");
  if (path == nullptr) GTEST_SKIP() << "run by tests/peers/wire_oracle";
  std::map<std::string, std::pair<RecordKind, int16_t>, std::less<>> by_name;
  for (int kind = 0; kind <= static_cast<int>(RecordKind::kConsumer); ++kind) {
    for (int16_t type = 0; type < 100; ++type) {
      const std::string_view name = record_name(static_cast<RecordKind>(kind), type);
      if (!name.empty()) by_name[std::string{name}] = {static_cast<RecordKind>(kind), type};
    }
  }
  std::ifstream in(path);
  int lines = 0;
  for (std::string line; std::getline(in, line); ++lines) {
    std::istringstream words(line);
    std::string name, version, hex, json;
    std::getline(words, name, '\t');
    std::getline(words, version, '\t');
    std::getline(words, hex, '\t');
    std::getline(words, json);
    ASSERT_TRUE(by_name.contains(name)) << name;
    const auto [kind, type] = by_name[name];
    const auto ours = record_to_json(kind, type, static_cast<int16_t>(std::stoi(version)), base::from_hex(hex));
    ASSERT_TRUE(ours.ok()) << ours.error().message << "\n" << line;
    EXPECT_EQ(*ours, json) << name << " v" << version;
  }
  EXPECT_GT(lines, 500);
}

}  // namespace
}  // namespace stele::wire
