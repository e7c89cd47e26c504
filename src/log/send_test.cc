// Reads that are answered with a range of the file: only where it holds what a read would give, checked not long ago.
#include "log/log_fixture.h"

namespace stele::log {
namespace {

using base::ErrorCode;
using base::Offset;
using base::Task;
using std::chrono::seconds;

constexpr int kBatches = 20;
constexpr size_t kValue = 20'000;  // two of them are enough to be sent
constexpr size_t kAll = 1 << 20;
const std::string kFile = "/data/t-0/00000000000000000000.log";

class SendTest : public LogTest {
 protected:
  SendTest() { set_misses(host_.disk(), 0); }
  static void set_misses(io::SimDisk& disk, uint32_t per_million) { disk.set_faults({.cache_miss = per_million}); }

  static Task<OpenLog> filled(io::Shard& shard, How how = {}) {
    OpenLog log = co_await open(shard, std::move(how));
    for (int i = 0; i < kBatches; ++i) {
      must(log.append({.timestamp = 1000 + i, .value_bytes = kValue, .fill = static_cast<char>('a' + i)}));
    }
    must(co_await log->wait_written(Offset{kBatches - 1}));
    co_return log;
  }
  struct Got {
    bool sent = false;
    std::string bytes;
    Offset next;
  };
  static Task<Got> get(io::Shard& shard, PartitionLog& log, int64_t from, size_t bytes_max = kAll,
                       int64_t limit = kBatches) {
    const ReadResult read = must(co_await log.read(Offset{from}, bytes_max, Offset{limit}, true, true));
    Got got{read.range.file != nullptr, std::string{base::as_text(read.batches)}, read.next_offset};
    if (!got.sent) co_return got;
    EXPECT_TRUE(read.batches.empty());
    EXPECT_EQ(read.range.cuts, read.range.file->cuts());
    base::ByteVector bytes(read.range.bytes);
    EXPECT_EQ(must(co_await read.range.file->file_on(shard)->read(read.range.offset, bytes)), bytes.size());
    got.bytes = base::as_text(bytes);
    co_return got;
  }
  static Task<std::string> read_text(PartitionLog& log, int64_t from, int64_t to) {
    const ReadResult read = must(co_await log.read(Offset{from}, kAll, Offset{to}, true));
    co_return std::string{base::as_text(read.batches)};
  }
  static Task<bool> sent(io::Shard& shard, PartitionLog& log, int64_t from) {
    co_return (co_await get(shard, log, from)).sent;
  }
  // What is left of a batch in front of others that are believed.
  static uint64_t position(int64_t batch) { return static_cast<uint64_t>(batch) * batch_bytes(); }
  static uint64_t batch_bytes() { return make_batch({.value_bytes = kValue}).size(); }
};

TEST_F(SendTest, what_was_appended_is_sent_as_a_read_would_give_it) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await filled(shard);
    const Got got = co_await get(shard, *log.log, 0);
    EXPECT_TRUE(got.sent);
    EXPECT_EQ(got.next, Offset{kBatches});
    EXPECT_TRUE(got.bytes == co_await read_text(*log.log, 0, kBatches));
  });
}

TEST_F(SendTest, no_range_is_larger_than_what_may_have_to_be_read_in_one_piece) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open(shard, {});
    for (int i = 0; i < kBatches; ++i) must(log.append({.timestamp = 1000 + i, .value_bytes = 300'000}));
    must(co_await log->wait_written(Offset{kBatches - 1}));
    const Got got = co_await get(shard, *log.log, 0, size_t{50} << 20);
    EXPECT_TRUE(got.sent);
    EXPECT_LE(got.bytes.size(), size_t{4} << 20);
    EXPECT_GT(got.bytes.size(), size_t{3} << 20);
    EXPECT_LT(got.next, Offset{kBatches});
  });
}

TEST_F(SendTest, a_reader_goes_on_where_its_last_range_ended) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await filled(shard);
    const std::string all = co_await read_text(*log.log, 0, kBatches);
    for (const size_t most : {size_t{70'000}, size_t{110'000}, size_t{300'000}}) {
      std::string together;
      for (Offset at{0}; at < Offset{kBatches};) {
        const Got got = co_await get(shard, *log.log, at.value(), most);
        EXPECT_LE(got.bytes.size(), most);
        EXPECT_TRUE(got.sent || at > Offset{kBatches - 4}) << most << " at " << at.value();
        EXPECT_GT(got.next, at);
        if (got.next <= at) co_return;
        together += got.bytes;
        at = got.next;
      }
      EXPECT_TRUE(together == all);
    }
  });
}

TEST_F(SendTest, nothing_at_or_above_the_limit_is_sent) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await filled(shard);
    for (int64_t limit = 1; limit <= kBatches; ++limit) {
      const Got got = co_await get(shard, *log.log, 0, kAll, limit);
      EXPECT_LE(got.next, Offset{limit});
      EXPECT_TRUE(got.bytes == (co_await read_text(*log.log, 0, got.next.value())));
      EXPECT_GE(got.next + 4, Offset{limit}) << "pieces are small";
    }
  });
}

TEST_F(SendTest, a_log_that_was_opened_checks_before_it_sends) {
  run(+[](io::Shard& shard) -> Task<void> {
    {
      OpenLog log = co_await filled(shard);
      must(co_await log->close_clean());
    }
    OpenLog log = co_await open(shard, {.clean = true});
    EXPECT_FALSE(co_await sent(shard, *log.log, 0));
    EXPECT_TRUE(co_await sent(shard, *log.log, 0)) << "the read checked it";
  });
}

TEST_F(SendTest, what_was_checked_is_checked_again_after_a_while) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await filled(shard, {.options = {.recheck_ms = 10'000}});
    co_await io::sleep_until(shard, shard.clock().now() + seconds{9});
    EXPECT_TRUE(co_await sent(shard, *log.log, 0));
    co_await io::sleep_until(shard, shard.clock().now() + seconds{2});
    EXPECT_FALSE(co_await sent(shard, *log.log, 0)) << "to have been sent is no check";
    EXPECT_TRUE(co_await sent(shard, *log.log, 0));
  });
}

TEST_F(SendTest, with_no_time_to_believe_each_read_checks) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await filled(shard, {.options = {.recheck_ms = 0}});
    EXPECT_FALSE(co_await sent(shard, *log.log, 0));
    EXPECT_FALSE(co_await sent(shard, *log.log, 0));
  });
}

TEST_F(SendTest, a_miss_in_the_page_cache_makes_all_of_the_segment_be_checked_again) {
  run(
      +[](io::Shard& shard, io::SimDisk& disk) -> Task<void> {
        OpenLog log = co_await filled(shard);
        EXPECT_TRUE(co_await sent(shard, *log.log, 0));
        set_misses(disk, io::kAlways);
        co_await read_text(*log.log, 0, 1);
        set_misses(disk, 0);
        EXPECT_FALSE(co_await sent(shard, *log.log, 0));
        EXPECT_TRUE(co_await sent(shard, *log.log, 0));
      },
      host_.disk());
}

TEST_F(SendTest, what_came_from_the_disk_is_not_remembered) {
  run(
      +[](io::Shard& shard, io::SimDisk& disk) -> Task<void> {
        OpenLog log = co_await filled(shard);
        set_misses(disk, io::kAlways);
        EXPECT_TRUE(co_await sent(shard, *log.log, 0)) << "nobody missed anything yet";
        co_await read_text(*log.log, 0, kBatches);
        set_misses(disk, 0);
        EXPECT_FALSE(co_await sent(shard, *log.log, 0));
      },
      host_.disk());
}

// At rest: the page left the cache. Whoever finds that out first, nobody is given the batch.
TEST_F(SendTest, a_bit_that_flips_on_the_disk_after_the_check_is_not_served) {
  run(
      +[](io::Shard& shard, io::SimDisk& disk) -> Task<void> {
        OpenLog log = co_await filled(shard);
        EXPECT_TRUE(co_await sent(shard, *log.log, 0));
        EXPECT_TRUE(disk.flip_bit(kFile, position(7) + 100, 3));
        const auto refused = co_await log->read(Offset{7}, kAll, Offset{kBatches}, true, false);
        EXPECT_EQ(refused.code(), ErrorCode::kCorruptMessage);
        const Got before = co_await get(shard, *log.log, 0);
        EXPECT_FALSE(before.sent);
        EXPECT_EQ(before.next, Offset{7});
        EXPECT_EQ((co_await log->read(Offset{7}, kAll, Offset{kBatches}, true, true)).code(),
                  ErrorCode::kCorruptMessage);
        EXPECT_TRUE(co_await sent(shard, *log.log, 0));
        EXPECT_EQ((co_await get(shard, *log.log, 0)).next, Offset{7});
        EXPECT_EQ((co_await get(shard, *log.log, 8)).next, Offset{kBatches});
      },
      host_.disk());
}

TEST_F(SendTest, a_truncation_voids_ranges_and_what_was_checked) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await filled(shard);
    const ReadResult read = must(co_await log->read(Offset{0}, kAll, Offset{kBatches}, true, true));
    EXPECT_NE(read.range.file, nullptr);
    must(co_await log->truncate_to(Offset{10}));
    EXPECT_NE(read.range.cuts, read.range.file->cuts());
    for (int i = 10; i < kBatches; ++i) must(log.append({.timestamp = 2000, .value_bytes = kValue, .fill = '#'}));
    must(co_await log->wait_written(Offset{kBatches - 1}));
    EXPECT_FALSE(co_await sent(shard, *log.log, 0));
    const Got got = co_await get(shard, *log.log, 10);
    EXPECT_TRUE(got.bytes == (co_await read_text(*log.log, 10, kBatches)));
  });
}

TEST_F(SendTest, a_segment_whose_file_was_closed_is_checked_again) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await filled(shard);
    EXPECT_TRUE(co_await sent(shard, *log.log, 0));
    must(co_await log->close_idle(base::MonoTime::max(), {}));
    co_await read_text(*log.log, 0, 1);  // opens it, and is too little to be remembered
    EXPECT_FALSE(co_await sent(shard, *log.log, 0));
    EXPECT_TRUE(co_await sent(shard, *log.log, 0));
  });
}

TEST_F(SendTest, a_range_ends_with_its_segment_and_outlives_its_deletion) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await filled(shard, {.options = {.segment_bytes = static_cast<int64_t>(8 * batch_bytes())}});
    const std::string first = co_await read_text(*log.log, 0, kBatches);
    const ReadResult result = must(co_await log->read(Offset{0}, kAll, Offset{kBatches}, true, true));
    EXPECT_EQ(result.next_offset, Offset{8});
    EXPECT_NE(result.range.file, nullptr);
    must(co_await log->advance_log_start(Offset{12}));
    must(co_await log->sweep(base::Timestamp{INT64_MAX / 2}));
    base::ByteVector bytes(result.range.bytes);
    must(co_await result.range.file->file_on(shard)->read(result.range.offset, bytes));
    EXPECT_TRUE(base::as_text(bytes) == first);
    EXPECT_EQ(result.range.cuts, result.range.file->cuts());
    const Got inside = co_await get(shard, *log.log, 12);
    EXPECT_EQ(inside.next, Offset{16}) << "from the middle of a segment";
  });
}

TEST_F(SendTest, few_bytes_are_copied) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await filled(shard);
    EXPECT_FALSE((co_await get(shard, *log.log, 0, 30'000)).sent);
    EXPECT_FALSE((co_await get(shard, *log.log, kBatches - 1)).sent);
  });
}

}  // namespace
}  // namespace stele::log
