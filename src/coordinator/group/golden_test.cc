// A partition of __consumer_offsets that Apache Kafka 4.3.1 wrote while tests/peers/groups/classic.script ran against
// it.
#include <fstream>
#include <iterator>

#include "coordinator/group/group_fixture.h"
#include "coordinator/group/group_loader.h"
#include "coordinator/runtime/batch.h"
#include "record/reader.h"

namespace stele::coordinator {
namespace {

base::ByteVector golden_log() {
  std::ifstream file(STELE_SOURCE_DIR "/tests/peers/groups/golden/consumer_offsets.log", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto view = base::as_bytes(text);
  return {view.begin(), view.end()};
}

class Golden : public GroupTest {
 protected:
  record::Decompressor decompressor;
};

TEST_F(Golden, a_log_of_kafka_gives_its_groups_and_offsets) {
  const base::ByteVector bytes = golden_log();
  GroupCoordinator loaded(options, random, complaints);
  GroupLoader loader(loaded, decompressor, silent);
  EXPECT_EQ(*loader.load(bytes), bytes.size());
  EXPECT_EQ(loader.records(), 17);
  EXPECT_EQ(loader.bad_records() + loader.other_records(), 0);
  EXPECT_EQ(loaded.group_count(), 6u);
  const ClassicGroup* group = loaded.group("g");
  ASSERT_NE(group, nullptr);
  EXPECT_EQ(group->generation(), 4);
  EXPECT_TRUE(group->is(GroupState::kEmpty));
  EXPECT_EQ(group->protocol_type(), "consumer");
  EXPECT_EQ(loaded.group("st")->generation(), 2);
  EXPECT_EQ(loaded.group("bad")->protocol_type(), std::nullopt);
  EXPECT_EQ(loaded.offsets().count(), 4u);
  EXPECT_EQ(loaded.offsets().find("g", "t", 0)->offset, 7);
  EXPECT_EQ(loaded.offsets().find("g", "t", 1)->metadata, "z");
  EXPECT_EQ(loaded.offsets().find("simple", "t", 1)->offset, -7);
  EXPECT_EQ(loaded.offsets().find("simple", "t", 1)->expire_timestamp, 1795276093469);
  EXPECT_EQ(loaded.offsets().find("", "t", 1)->leader_epoch, -5);
}

TEST_F(Golden, our_bytes_are_kafkas) {
  const base::ByteVector bytes = golden_log();
  record::BatchReader batches{bytes};
  int compared = 0;
  while (auto batch = *batches.next()) {
    record::RecordReader records{*batch, decompressor};
    std::vector<LogRecord> ours;
    while (auto record = *records.next()) {
      auto decoded = decode_group_record(*record->key, record->value);
      ASSERT_TRUE(decoded.ok());
      auto encoded = encode_group_record(std::get<GroupLogRecord>(*decoded));
      EXPECT_EQ(base::to_hex(encoded->key), base::to_hex(*record->key));
      EXPECT_EQ(base::to_hex(*encoded->value), base::to_hex(*record->value));
      ours.push_back(*std::move(encoded));
    }
    if (ours.size() > 1) continue;  // Kafka's records of two commands, each with a time of its own
    base::ByteVector built = encode_batch(ours, batch->max_timestamp());
    record::set_base_offset(built, batch->base_offset());
    EXPECT_EQ(base::to_hex(built), base::to_hex(batch->bytes()));
    ++compared;
  }
  EXPECT_EQ(compared, 15);
}

TEST_F(Golden, what_can_not_be_read_is_passed_over) {
  LogRecord consumer_group{base::from_hex("0003000167"), base::from_hex("000000000001")};
  LogRecord garbage{base::from_hex("0001000167"), base::from_hex("0004")};
  LogRecord future{base::from_hex("0002000167"), base::from_hex("0063")};
  const auto good = encode_group_record(OffsetRecord{"g", "t", 0, CommittedOffset{5, -1, "", 1, -1, {}}});
  const base::ByteVector batch = encode_batch(std::vector{consumer_group, garbage, future, *good}, base::Timestamp{1});
  GroupCoordinator loaded(options, random, complaints);
  GroupLoader loader(loaded, decompressor, silent);
  EXPECT_EQ(*loader.load(batch), batch.size());
  EXPECT_EQ(loader.other_records(), 1);
  EXPECT_EQ(loader.bad_records(), 2);
  EXPECT_EQ(loaded.offsets().find("g", "t", 0)->offset, 5);
}

}  // namespace
}  // namespace stele::coordinator
