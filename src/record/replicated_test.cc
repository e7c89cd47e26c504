#include "record/replicated.h"

#include <gtest/gtest.h>

#include <limits>

#include "record/builder.h"

namespace stele::record {
namespace {

base::ByteVector batch(int64_t offset, int32_t epoch, int64_t timestamp) {
  BatchBuilder builder{{.base_offset = base::Offset{offset}, .leader_epoch = base::LeaderEpoch{epoch}}};
  builder.add({.timestamp = base::Timestamp{timestamp}, .value = base::as_bytes("a")});
  builder.add({.timestamp = base::Timestamp{timestamp - 1}, .value = base::as_bytes("b")});
  return std::move(builder).build();
}

base::ByteVector run(std::initializer_list<base::ByteVector> batches) {
  base::ByteVector bytes;
  for (const base::ByteVector& one : batches) base::append(bytes, one);
  return bytes;
}

TEST(replicated, batches_are_taken_as_they_are) {
  const base::ByteVector bytes = run({batch(10, 1, 100), batch(20, 1, 300), batch(22, 2, 200)});
  const auto found = check_replicated(bytes, base::LeaderEpoch{2});
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->size, bytes.size());
  EXPECT_EQ(found->first_offset, base::Offset{10});
  EXPECT_EQ(found->last_offset, base::Offset{23});
  EXPECT_EQ(found->max_timestamp, base::Timestamp{300});
  EXPECT_EQ(found->offset_of_max_timestamp, base::Offset{21});
}

TEST(replicated, a_cut_batch_is_left_out) {
  const base::ByteVector first = batch(10, 1, 100);
  base::ByteVector bytes = run({first, batch(12, 1, 100)});
  bytes.pop_back();
  EXPECT_EQ(check_replicated(bytes, base::LeaderEpoch{1})->size, first.size());
  EXPECT_EQ(check_replicated({}, base::LeaderEpoch{1})->size, 0u);
  EXPECT_FALSE(check_replicated({}, base::LeaderEpoch{1})->first_offset.has_value());
}

TEST(replicated, a_later_epoch_ends_the_run) {
  const base::ByteVector first = batch(10, 1, 100);
  const base::ByteVector bytes = run({first, batch(12, 3, 100), batch(14, 1, 100)});
  EXPECT_EQ(check_replicated(bytes, base::LeaderEpoch{2})->size, first.size());
}

TEST(replicated, offsets_that_fall_and_a_bad_checksum_are_corrupt) {
  EXPECT_EQ(check_replicated(run({batch(10, 1, 1), batch(10, 1, 1)}), base::LeaderEpoch{1}).code(),
            base::ErrorCode::kCorruptMessage);
  base::ByteVector bytes = batch(10, 1, 1);
  bytes.back() ^= std::byte{1};
  EXPECT_EQ(check_replicated(bytes, base::LeaderEpoch{1}).code(), base::ErrorCode::kCorruptMessage);
}

TEST(replicated, offsets_that_are_none_are_corrupt) {
  constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();
  for (const int64_t base : {int64_t{-1}, std::numeric_limits<int64_t>::min(), kLargest}) {
    base::ByteVector bytes = batch(10, 1, 1);
    set_base_offset(bytes, base::Offset{base});  // lies outside the checksum
    EXPECT_EQ(check_replicated(bytes, base::LeaderEpoch{1}).code(), base::ErrorCode::kCorruptMessage) << base;
  }
  base::ByteVector last = batch(10, 1, 1);
  set_base_offset(last, base::Offset{kLargest - 1});
  EXPECT_TRUE(check_replicated(last, base::LeaderEpoch{1}).ok());
}

}  // namespace
}  // namespace stele::record
