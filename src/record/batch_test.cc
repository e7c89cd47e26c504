#include "record/batch.h"

#include <gtest/gtest.h>

#include "record/builder.h"
#include "record/record.h"

namespace stele::record {
namespace {

base::ByteVector batch_of(int records, BatchOptions options = {}) {
  BatchBuilder builder{options};
  for (int i = 0; i < records; ++i) {
    builder.add({.timestamp = base::Timestamp{1000 + i},
                 .key = base::as_bytes("k"),
                 .value = base::as_bytes("value"),
                 .headers = {}});
  }
  return std::move(builder).build();
}

TEST(batch, built_batch_reads_back) {
  const base::ByteVector bytes = batch_of(3, {.base_offset = base::Offset{7}, .leader_epoch = base::LeaderEpoch{4}});
  const auto batch = BatchView::open(bytes);
  ASSERT_TRUE(batch.ok());
  EXPECT_TRUE(batch->is_whole());
  EXPECT_TRUE(batch->crc_valid());
  EXPECT_EQ(batch->last_offset(), base::Offset{9});
  EXPECT_EQ(batch->max_timestamp(), base::Timestamp{1002});
  RecordIterator records{*batch};
  for (int i = 0; i < 3; ++i) {
    const auto record = records.next();
    ASSERT_TRUE(record.ok());
    EXPECT_EQ((*record)->offset, base::Offset{7 + i});
    EXPECT_EQ((*record)->timestamp, base::Timestamp{1000 + i});
    EXPECT_EQ(base::as_text(*(*record)->value), "value");
  }
  EXPECT_FALSE((*records.next()).has_value());
}

TEST(batch, base_offset_and_leader_epoch_lie_outside_the_checksum) {
  base::ByteVector bytes = batch_of(1);
  set_base_offset(bytes, base::Offset{77});
  set_leader_epoch(bytes, base::LeaderEpoch{5});
  const auto batch = BatchView::open(bytes);
  EXPECT_TRUE(batch->crc_valid());
  EXPECT_EQ(batch->base_offset(), base::Offset{77});
  EXPECT_EQ(batch->leader_epoch(), base::LeaderEpoch{5});
}

TEST(batch, append_time_rewrites_the_checksum) {
  base::ByteVector bytes = batch_of(2);
  set_max_timestamp(bytes, TimestampType::kLogAppendTime, base::Timestamp{5000});
  const auto batch = BatchView::open(bytes);
  EXPECT_TRUE(batch->crc_valid());
  EXPECT_EQ(batch->timestamp_type(), TimestampType::kLogAppendTime);
  RecordIterator records{*batch};
  EXPECT_EQ((*records.next())->timestamp, base::Timestamp{5000});
}

TEST(batch, sequences_wrap_to_zero) {
  EXPECT_EQ(add_to_sequence(INT32_MAX, 1), 0);
  EXPECT_EQ(add_to_sequence(INT32_MAX - 1, 3), 1);
  EXPECT_EQ(add_to_sequence(5, 2), 7);
}

TEST(batch_reader, tells_a_clean_end_from_a_cut_one_at_every_length) {
  base::ByteVector bytes = batch_of(1);
  const size_t first = bytes.size();
  base::append(bytes, batch_of(2));
  for (size_t size = 0; size <= bytes.size(); ++size) {
    BatchReader reader{base::Bytes{bytes}.first(size)};
    size_t count = 0;
    while (true) {
      const auto batch = reader.next();
      ASSERT_TRUE(batch.ok()) << size << " " << batch.error().message;
      if (!*batch) break;
      ++count;
    }
    const size_t whole = size == bytes.size() ? 2 : size >= first ? 1 : 0;
    EXPECT_EQ(count, whole);
    EXPECT_EQ(reader.position(), whole == 2 ? bytes.size() : whole == 1 ? first : 0);
    EXPECT_EQ(reader.end(), size == reader.position() ? BatchEnd::kClean : BatchEnd::kCut) << size;
  }
}

TEST(batch_reader, names_a_bad_length_and_a_bad_magic) {
  base::ByteVector bytes = batch_of(1);
  bytes[16] = std::byte{3};
  BatchReader magic{bytes};
  EXPECT_EQ(magic.next().code(), base::ErrorCode::kCorruptMessage);
  EXPECT_EQ(magic.end(), BatchEnd::kBadMagic);
  bytes[16] = std::byte{2};
  base::store_be(bytes.data() + 8, int32_t{48});
  BatchReader length{bytes};
  EXPECT_EQ(length.next().code(), base::ErrorCode::kCorruptMessage);
  EXPECT_EQ(length.end(), BatchEnd::kBadLength);
  base::store_be(bytes.data() + 8, int32_t{0});
  BatchReader zero{bytes};
  EXPECT_FALSE(zero.next().ok());
  EXPECT_EQ(zero.end(), BatchEnd::kBadLength);
}

}  // namespace
}  // namespace stele::record
