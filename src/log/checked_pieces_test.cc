#include "log/checked_pieces.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/random.h"

namespace stele::log {
namespace {

using base::MonoTime;
using base::Offset;
using std::chrono::seconds;

constexpr uint64_t kKilo = 1024;
constexpr MonoTime kStart{seconds{1000}};

// Batches of 100 KiB with ten records each.
class CheckedPiecesTest : public ::testing::Test {
 protected:
  static constexpr uint64_t kBatch = 100 * kKilo;

  void add(uint64_t from, uint64_t to, MonoTime at = kStart, uint64_t misses = 0, MonoTime oldest = kStart) {
    pieces_.add({from * kBatch, to * kBatch, Offset{static_cast<int64_t>(from) * 10},
                 Offset{static_cast<int64_t>(to) * 10}, at},
                misses, oldest);
  }
  // The batch where the range from this one on ends; -1 where there is none.
  int64_t found(uint64_t from, uint64_t bytes_max = 1ULL << 40, int64_t limit = INT64_MAX, uint64_t misses = 0,
                MonoTime oldest = kStart) {
    const auto range = pieces_.find(from * kBatch, bytes_max, Offset{limit}, misses, oldest);
    if (!range) return -1;
    EXPECT_EQ(range->end % kBatch, 0U);
    EXPECT_EQ(range->next, Offset{static_cast<int64_t>(range->end / kBatch) * 10});
    return static_cast<int64_t>(range->end / kBatch);
  }

  CheckedPieces pieces_;
};

TEST_F(CheckedPiecesTest, nothing_is_believed_that_was_not_added) {
  EXPECT_EQ(found(0), -1);
  add(2, 4);
  EXPECT_EQ(found(1), -1);
  EXPECT_EQ(found(4), -1);
  EXPECT_EQ(found(2), 4);
  EXPECT_EQ(found(3), 4) << "from the middle of a piece";
}

TEST_F(CheckedPiecesTest, a_range_runs_over_neighbours_and_ends_at_a_gap) {
  for (const uint64_t batch : {0, 1, 2, 4}) add(batch, batch + 1);
  EXPECT_EQ(found(0), 3);
  EXPECT_EQ(found(4), 5);
}

TEST_F(CheckedPiecesTest, a_range_stays_below_both_limits_and_ends_with_a_batch) {
  for (const uint64_t batch : {0, 1, 2, 3}) add(batch, batch + 1);
  EXPECT_EQ(found(0, 3 * kBatch), 3);
  EXPECT_EQ(found(0, 3 * kBatch - 1), 2);
  EXPECT_EQ(found(0, kBatch - 1), -1);
  EXPECT_EQ(found(0, 1ULL << 40, 30), 3);
  EXPECT_EQ(found(0, 1ULL << 40, 29), 2) << "the third batch reaches the limit";
}

TEST_F(CheckedPiecesTest, what_was_checked_too_long_ago_is_not_believed) {
  add(0, 1, kStart);
  add(1, 2, kStart + seconds{5});
  EXPECT_EQ(found(0, 1ULL << 40, INT64_MAX, 0, kStart), 2);
  EXPECT_EQ(found(0, 1ULL << 40, INT64_MAX, 0, kStart + seconds{1}), -1);
  EXPECT_EQ(found(1, 1ULL << 40, INT64_MAX, 0, kStart + seconds{1}), 2);
  add(2, 3, kStart, 0, kStart + seconds{1});
  EXPECT_EQ(found(2), -1) << "it was too old when it came";
}

TEST_F(CheckedPiecesTest, a_piece_that_grows_is_as_old_as_its_oldest_batch) {
  const auto small = [this](uint64_t at, MonoTime time) {
    pieces_.add({at, at + kKilo, Offset{static_cast<int64_t>(at)}, Offset{static_cast<int64_t>(at + kKilo)}, time}, 0,
                kStart);
  };
  for (uint64_t i = 0; i < 64; ++i) small(i * kKilo, kStart + std::chrono::milliseconds{i});
  EXPECT_EQ(pieces_.count(), 1U);
  EXPECT_FALSE(pieces_.find(0, 1 << 20, Offset{1 << 20}, 0, kStart + std::chrono::milliseconds{1}));
  small(64 * kKilo, kStart + seconds{2});
  EXPECT_EQ(pieces_.count(), 2U) << "it is full";
  small(65 * kKilo, kStart + seconds{4});
  EXPECT_EQ(pieces_.count(), 3U) << "the last one is too old to grow";
}

TEST_F(CheckedPiecesTest, a_miss_forgets_all_that_was_checked_before_it) {
  add(0, 1);
  add(1, 2, kStart, 1);
  EXPECT_EQ(found(0, 1ULL << 40, INT64_MAX, 1), -1);
  EXPECT_EQ(found(1, 1ULL << 40, INT64_MAX, 1), 2);
  add(0, 1, kStart, 0);
  EXPECT_EQ(found(0, 1ULL << 40, INT64_MAX, 1), -1) << "checked before the miss";
  EXPECT_EQ(found(1, 1ULL << 40, INT64_MAX, 2), -1);
  EXPECT_EQ(pieces_.count(), 0U);
}

TEST_F(CheckedPiecesTest, a_piece_that_was_read_again_cuts_older_ones_at_its_ends) {
  add(0, 10);
  add(3, 5, kStart + seconds{9});
  EXPECT_EQ(found(0), 10);
  EXPECT_EQ(found(0, 4 * kBatch), 3);
  EXPECT_EQ(found(3, 4 * kBatch, INT64_MAX, 0, kStart + seconds{9}), 5);
  EXPECT_EQ(found(5, 5 * kBatch), 10);
  EXPECT_EQ(pieces_.begin_of(Offset{30}), 3 * kBatch);
  EXPECT_EQ(pieces_.begin_of(Offset{100}), 10 * kBatch);
  EXPECT_FALSE(pieces_.begin_of(Offset{40}));
}

TEST_F(CheckedPiecesTest, there_are_only_so_many_and_all_places_stay_known_as_long_as_they_can) {
  for (uint64_t i = 0; i < 2000; ++i) add(i, i + 1);
  EXPECT_LE(pieces_.count(), CheckedPieces::kPiecesMax);
  EXPECT_EQ(found(0), 2000);
  for (uint64_t i = 2000; i < 30'000; ++i) add(i, i + 1);
  EXPECT_LE(pieces_.count(), CheckedPieces::kPiecesMax);
  EXPECT_EQ(found(0), -1) << "what lies in front goes first";
  EXPECT_EQ(found(29'999), 30'000);
}

// Any order of adds and misses: what is believed was added, since the last miss, not before `oldest`, and ends where a
// batch ends.
TEST(CheckedPiecesProperty, only_what_was_added_is_believed) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    base::SeededRandom random(seed);
    const uint64_t batches = 5 + random.below(60);
    std::vector<uint64_t> place{0};
    std::vector<int64_t> offset{0};
    for (uint64_t i = 0; i < batches; ++i) {
      place.push_back(place.back() + 1 + random.below(random.below(2) == 0 ? 100'000 : 400));
      offset.push_back(offset.back() + 1 + static_cast<int64_t>(random.below(9)));
    }
    std::map<uint64_t, MonoTime> checked;  // by batch
    CheckedPieces pieces;
    uint64_t misses = 0;
    MonoTime now = kStart;
    for (int step = 0; step < 200; ++step) {
      now += std::chrono::milliseconds{random.below(200)};
      if (random.below(30) == 0) {
        ++misses;
        checked.clear();
      }
      const uint64_t from = random.below(batches);
      const uint64_t to = from + 1 + random.below(std::min<uint64_t>(batches - from, 8));
      if (random.below(2) == 0) {
        pieces.add({place[from], place[to], Offset{offset[from]}, Offset{offset[to]}, now}, misses, kStart);
        for (uint64_t i = from; i < to; ++i) checked[i] = now;
        continue;
      }
      const MonoTime oldest = now - std::chrono::milliseconds{random.below(20'000)};
      const uint64_t most = random.below(300'000);
      const Offset limit{static_cast<int64_t>(random.below(static_cast<uint64_t>(offset.back()) + 2))};
      const auto found = pieces.find(place[from], most, limit, misses, oldest);
      const auto begin = pieces.begin_of(Offset{offset[from]});
      if (begin) EXPECT_EQ(*begin, place[from]);
      if (!found) continue;
      const auto end = std::ranges::find(place, found->end);
      ASSERT_NE(end, place.end()) << "seed " << seed;
      const auto last = static_cast<uint64_t>(end - place.begin());
      EXPECT_EQ(found->next, Offset{offset[last]});
      EXPECT_LE(found->next, limit);
      EXPECT_LE(found->end - place[from], most);
      for (uint64_t i = from; i < last; ++i) {
        ASSERT_TRUE(checked.contains(i)) << "seed " << seed;
        EXPECT_GE(checked[i], oldest);
      }
    }
  }
}

}  // namespace
}  // namespace stele::log
