// Bytes that changed at rest: never served, told once, and no reason to lose what lies behind them.
#include <algorithm>
#include <array>

#include "log/log_fixture.h"

namespace stele::log {
namespace {

using base::ErrorCode;
using base::Offset;
using base::Task;

constexpr int kBatches = 30;  // of one record each: the batch at offset n is the n-th
constexpr uint64_t kDamaged = 5;

// What recovery and readers are asked about.
struct Case {
  uint64_t at = 0;  // byte of the damaged batch that is changed
  int64_t recovery_point = 0;
  bool clean = false;
};

class DamageTest : public LogTest {
 protected:
  // Batches of the same size, closed cleanly: every byte is on the disk. Answers that size.
  static Task<uint64_t> fill(io::Shard& shard) {
    OpenLog log = co_await open(shard, {.options = often_indexed()});
    log->begin_epoch(base::LeaderEpoch{0});
    for (int i = 0; i < kBatches; ++i)
      must(log.append({.timestamp = 1000 + i, .fill = static_cast<char>('a' + i % 26)}));
    must(co_await log->wait_written(Offset{kBatches - 1}));
    must(co_await log->close_clean());
    co_return log->size_bytes() / kBatches;
  }
  static LogOptions often_indexed() { return {.index_interval_bytes = 100}; }
  static Task<void> flip(io::Shard& shard, uint64_t at) {
    const auto dir = co_await directory(shard);
    const auto file = must(co_await dir->open("t-0/00000000000000000000.log", io::OpenMode::kReadWrite));
    std::byte byte{};
    must(co_await file->read(at, {&byte, 1}));
    byte ^= std::byte{0x10};
    const iovec part{&byte, 1};
    must(co_await file->write(at, {&part, 1}));
    must(co_await file->sync());
  }
  static Task<OpenLog> open_damaged(io::Shard& shard, Case what) {
    const uint64_t size = co_await fill(shard);
    co_await flip(shard, kDamaged * size + what.at);
    co_return co_await open(shard,
                            {.options = often_indexed(), .recovery_point = what.recovery_point, .clean = what.clean});
  }
  // The offsets whose batch a read at that offset gives.
  static Task<std::vector<int64_t>> readable(PartitionLog& log) {
    std::vector<int64_t> offsets;
    for (int64_t i = 0; i < log.written_end().value(); ++i) {
      const auto read = co_await log.read(Offset{i}, 1, log.written_end(), true);
      if (!read.ok()) {
        EXPECT_EQ(read.code(), ErrorCode::kCorruptMessage);
        continue;
      }
      const auto batch = record::BatchView::open(read->batches).value();
      EXPECT_TRUE(batch.crc_valid());
      EXPECT_EQ(batch.base_offset(), Offset{i});
      offsets.push_back(i);
    }
    co_return offsets;
  }
};

std::vector<int64_t> all_but(std::vector<int64_t> damaged) {
  std::vector<int64_t> offsets;
  for (int64_t i = 0; i < kBatches; ++i) {
    if (std::ranges::count(damaged, i) == 0) offsets.push_back(i);
  }
  return offsets;
}

TEST_F(DamageTest, a_flipped_bit_is_refused_and_the_other_batches_are_served) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open_damaged(shard, {.at = 65, .recovery_point = kBatches, .clean = true});
    const ReadResult before = must(co_await log->read(Offset{0}, 1 << 20, Offset{kBatches}, true));
    EXPECT_EQ(before.next_offset, Offset{5}) << "up to the damage";
    EXPECT_EQ(co_await readable(*log.log), all_but({5}));
    EXPECT_EQ(co_await readable(*log.log), all_but({5}));
    EXPECT_EQ(log->damage().refusals, 2u);
    EXPECT_EQ(log->damage().places.size(), 1u);
  });
  ASSERT_EQ(lines_.lines.size(), 1u) << "told once";
  EXPECT_TRUE(
      lines_.mention("/data/t-0/00000000000000000000.log: the batch at byte 390 is damaged: the checksum of "
                     "the batch of offsets 5 to 5 is wrong"))
      << lines_.lines[0];
}

class EachByteTest : public DamageTest, public ::testing::WithParamInterface<uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Bytes, EachByteTest, ::testing::Range(uint64_t{0}, uint64_t{78}));

// Base offset and leader epoch lie outside of the checksum; of the base offset the place in the log tells enough.
TEST_P(EachByteTest, is_never_served_when_it_changed) {
  if (GetParam() >= record::kLeaderEpochAt && GetParam() < record::kMagicAt) return;
  run(
      +[](io::Shard& shard, const uint64_t& byte) -> Task<void> {
        OpenLog log = co_await open_damaged(shard, {.at = byte, .recovery_point = kBatches, .clean = true});
        const auto got = co_await readable(*log.log);
        EXPECT_EQ(std::ranges::count(got, 5), 0);
        const bool framing = byte < record::kLeaderEpochAt || byte == record::kMagicAt;
        if (!framing) EXPECT_EQ(got, all_but({5}));
      },
      GetParam());
}

TEST_P(EachByteTest, keeps_what_lies_behind_it_below_the_recovery_point) {
  if (GetParam() >= record::kLeaderEpochAt && GetParam() < record::kMagicAt) return;
  run(
      +[](io::Shard& shard, const uint64_t& byte) -> Task<void> {
        OpenLog log = co_await open_damaged(shard, {.at = byte, .recovery_point = 8});
        EXPECT_EQ(log->assigned_end(), Offset{kBatches});
        EXPECT_EQ(co_await readable(*log.log), all_but({5}));
        EXPECT_EQ(must(log.append({.records = 1})).base_offset, Offset{kBatches});
        must(co_await log->wait_written(Offset{kBatches}));
        EXPECT_EQ((co_await readable(*log.log)).size(), kBatches);
      },
      GetParam());
  EXPECT_TRUE(lines_.mention("below the recovery point 8"));
  EXPECT_FALSE(lines_.mention("cut from"));
}

TEST_F(DamageTest, a_lookup_by_time_that_meets_damage_says_so) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open_damaged(shard, {.at = 65, .recovery_point = kBatches, .clean = true});
    const auto time = [](int64_t t) { return base::Timestamp{t}; };
    EXPECT_EQ(must(co_await log->offset_for_timestamp(time(1003), Offset{kBatches}))->offset, Offset{3});
    EXPECT_EQ((co_await log->offset_for_timestamp(time(1005), Offset{kBatches})).code(), ErrorCode::kCorruptMessage);
    EXPECT_EQ(log->damage().refusals, 1u);
  });
}

TEST_F(DamageTest, recovery_cuts_at_damage_past_the_recovery_point) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open_damaged(shard, {.at = 65, .recovery_point = 5});
    EXPECT_EQ(log->assigned_end(), Offset{5});
  });
  EXPECT_TRUE(
      lines_.mention("/data/t-0/00000000000000000000.log: cut from 2340 to 390 bytes, the log ends at 5: the "
                     "checksum of the batch at offset 5 is wrong"));
  EXPECT_FALSE(lines_.mention("are lost"));
}

TEST_F(DamageTest, recovery_says_what_synced_records_a_cut_takes) {
  run(+[](io::Shard& shard) -> Task<void> {
    const uint64_t size = co_await fill(shard);
    co_await flip(shard, 29 * size + 65);
    OpenLog log = co_await open(shard, {.recovery_point = kBatches});
    EXPECT_EQ(log->assigned_end(), Offset{29});
  });
  EXPECT_TRUE(lines_.mention("/data/t-0: the offsets 29 to 29 were on stable storage and are lost"));
}

TEST_F(DamageTest, recovery_says_what_synced_records_an_emptied_file_took) {
  run(+[](io::Shard& shard) -> Task<void> {
    co_await fill(shard);
    const auto dir = co_await directory(shard);
    must(co_await must(co_await dir->open("t-0/00000000000000000000.log", io::OpenMode::kReadWrite))->truncate(0));
    OpenLog log = co_await open(shard, {.recovery_point = kBatches});
    EXPECT_EQ(log->assigned_end(), Offset{0});
  });
  EXPECT_TRUE(lines_.mention("/data/t-0: the offsets 0 to 29 were on stable storage and are lost"));
}

TEST_F(DamageTest, damage_that_reaches_past_the_recovery_point_is_cut) {
  run(+[](io::Shard& shard) -> Task<void> {
    const uint64_t size = co_await fill(shard);
    co_await flip(shard, 5 * size + 65);
    co_await flip(shard, 6 * size + 65);
    OpenLog log = co_await open(shard, {.recovery_point = 6});
    EXPECT_EQ(log->assigned_end(), Offset{5});
  });
}

TEST_F(DamageTest, a_retry_of_a_batch_that_was_damaged_is_written_again) {
  run(+[](io::Shard& shard) -> Task<void> {
    uint64_t size = 0;
    {
      OpenLog log = co_await open(shard, {.options = often_indexed()});
      for (int i = 0; i < kBatches; ++i) {
        must(log.append({.producer_id = i, .producer_epoch = 0, .sequence = 0}));
      }
      must(co_await log->wait_written(Offset{kBatches - 1}));
      must(co_await log->close_clean());
      size = log->size_bytes() / kBatches;
    }
    co_await flip(shard, kDamaged * size + 65);
    const auto dir = co_await directory(shard);
    must(co_await dir->remove("t-0/00000000000000000030.snapshot"));
    OpenLog log = co_await open(shard, {.options = often_indexed(), .recovery_point = kBatches, .clean = true});
    EXPECT_TRUE(must(log.append({.producer_id = 4, .producer_epoch = 0, .sequence = 0})).duplicate);
    EXPECT_FALSE(must(log.append({.producer_id = 5, .producer_epoch = 0, .sequence = 0})).duplicate);
  });
}

// A producer may send what looks like a batch of this very log.
TEST_F(DamageTest, a_batch_inside_a_record_is_not_taken_for_one_of_the_log) {
  run(+[](io::Shard& shard) -> Task<void> {
    const base::ByteVector forged = make_batch({.fill = 'F', .base_offset = 0});
    uint64_t first = 0;
    {
      OpenLog log = co_await open(shard, {});
      record::BatchBuilder builder({});
      builder.add({.timestamp = base::Timestamp{1'700'000'000'000}, .key = {}, .value = forged, .headers = {}});
      must(log.append(std::move(builder).build()));
      first = log->size_bytes();
      must(log.append({.fill = 'g'}));
      must(log.append({.fill = 'h'}));
      must(co_await log->flush());
    }
    co_await flip(shard, 10);
    OpenLog log = co_await open(shard, {.recovery_point = 2});
    EXPECT_EQ(log->assigned_end(), Offset{3});
    EXPECT_EQ((co_await log->read(Offset{0}, 1, Offset{3}, true)).code(), ErrorCode::kCorruptMessage);
    const ReadResult next = must(co_await log->read(Offset{1}, 1, Offset{3}, true));
    EXPECT_EQ(next.position, first) << "not inside of the first batch";
  });
}

TEST_F(DamageTest, an_index_made_anew_reaches_behind_damage) {
  run(+[](io::Shard& shard) -> Task<void> {
    const uint64_t size = co_await fill(shard);
    co_await flip(shard, kDamaged * size + 10);
    const auto dir = co_await directory(shard);
    must(co_await dir->remove("t-0/00000000000000000000.index"));
    OpenLog log = co_await open(shard, {.recovery_point = kBatches, .clean = true});
    EXPECT_EQ(co_await readable(*log.log), all_but({5}));
  });
}

TEST_F(DamageTest, what_lay_below_the_log_start_is_not_told_as_lost) {
  for (const int64_t log_start : {kBatches, kBatches - 2}) {
    run(
        +[](io::Shard& shard, const int64_t& start) -> Task<void> {
          co_await fill(shard);
          const auto dir = co_await directory(shard);
          const auto file = must(co_await dir->open("t-0/00000000000000000000.log", io::OpenMode::kReadWrite));
          must(co_await file->truncate(0));
          must(co_await file->truncate(1000));
          OpenLog log = co_await open(shard, {.recovery_point = kBatches, .log_start = start});
          EXPECT_EQ(log->assigned_end(), Offset{start});
          must(co_await dir->remove_tree("t-0"));
        },
        log_start);
    EXPECT_EQ(lines_.mention("were on stable storage and are lost"), log_start < kBatches);
  }
}

// Should the checkpoint be wrong, what stands there was acknowledged.
TEST_F(DamageTest, records_of_a_log_that_ends_below_its_start_are_set_aside) {
  run(+[](io::Shard& shard) -> Task<void> {
    const uint64_t size = co_await fill(shard);
    for (int round = 0; round < 2; ++round) {
      OpenLog log = co_await open(shard, {.log_start = kBatches + 5});
      EXPECT_EQ(log->log_start_offset(), Offset{kBatches + 5});
      EXPECT_EQ(log->assigned_end(), Offset{kBatches + 5}) << "no offset below the start is given away again";
      must(co_await log->sweep(base::Timestamp{INT64_MAX}));
      must(co_await log->close_clean());
    }
    const auto dir = co_await directory(shard);
    const auto aside = must(co_await io::read_whole(
        *dir, fmt::format("t-0/00000000000000000000.log.below-{}", kBatches + 5), uint64_t{1} << 20));
    EXPECT_EQ(aside.size(), kBatches * size);
  });
  EXPECT_TRUE(lines_.mention("are set aside as 00000000000000000000.log.below-"));
}

// A loss of power after the start takes what no sync covers, below the log start too.
TEST_F(DamageTest, a_log_start_inside_a_segment_does_not_make_it_synced) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open(shard, {});
    for (int i = 0; i < 3; ++i) must(log.append({.records = 1}));
    must(co_await log->wait_written(Offset{2}));
  });
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open(shard, {.log_start = 2});
    EXPECT_EQ(log->recovery_point(), Offset{0});
    must(co_await log->flush());
    EXPECT_EQ(log->recovery_point(), Offset{3});
  });
}

// The segment before it lost its end with a loss of power, the name of the one behind it was there already.
TEST_F(DamageTest, a_gap_before_an_empty_segment_past_the_recovery_point_is_none_of_compaction) {
  run(+[](io::Shard& shard) -> Task<void> {
    const LogOptions options{.segment_bytes = 1 << 20, .compact = true};
    OpenLog log = co_await open(shard, {.options = options});
    for (int i = 0; i < 3; ++i) must(log.append({.records = 1}));
    must(co_await log->wait_written(Offset{2}));
    const auto dir = co_await directory(shard);
    const auto file = must(co_await dir->open("t-0/00000000000000000000.log", io::OpenMode::kReadWrite));
    log->roll(base::Timestamp{1});
    must(co_await log->flush());
    must(co_await file->truncate(log->size_bytes() / 3 * 2));
    for (const int64_t recovery_point : {3, 2}) {
      OpenLog again = co_await open(shard, {.options = options, .recovery_point = recovery_point});
      EXPECT_EQ(again->assigned_end(), Offset{recovery_point});
    }
  });
}

// The first index entry names a place so far before the one that the second names.
class AstrayTest : public DamageTest, public ::testing::WithParamInterface<uint32_t> {};

TEST_P(AstrayTest, an_index_entry_that_names_another_place_hides_no_batch) {
  run(
      +[](io::Shard& shard, uint32_t before) -> Task<void> {
        const uint64_t size = co_await fill(shard);
        const auto dir = co_await directory(shard);
        const auto file = must(co_await dir->open("t-0/00000000000000000000.index", io::OpenMode::kReadWrite));
        std::array<std::byte, 2 * OffsetIndex::kEntrySize> entries{};
        must(co_await file->read(0, entries));
        const auto second = base::load_be<uint32_t>(&entries[OffsetIndex::kEntrySize + 4]);
        EXPECT_GT(second, size);
        base::store_be(&entries[4], second - (before == 0 ? static_cast<uint32_t>(size) : before));
        const iovec part{entries.data(), entries.size()};
        must(co_await file->write(0, {&part, 1}));
        OpenLog same = co_await open(shard, {.options = often_indexed(), .recovery_point = kBatches, .clean = true});
        for (int64_t i = kBatches - 1; i >= 0; --i) {
          OpenLog fresh = co_await open(shard, {.options = often_indexed(), .recovery_point = kBatches, .clean = true});
          for (OpenLog* log : {&same, &fresh}) {
            const ReadResult read = must(co_await (*log)->read(Offset{i}, 1, (*log)->written_end(), true));
            EXPECT_EQ(must(record::BatchView::open(read.batches)).base_offset(), Offset{i});
          }
        }
      },
      GetParam());
  EXPECT_TRUE(lines_.mention("names a later batch, or none"));
  EXPECT_FALSE(lines_.mention("damaged"));
}

// A batch before, into the middle of one.
INSTANTIATE_TEST_SUITE_P(Places, AstrayTest, ::testing::Values(0U, 7U, 70U));

}  // namespace
}  // namespace stele::log
