// What a partition tells its clients and who waits in it, on a log of the simulated disk.
#include "broker/partition.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <iterator>

#include "log/log_fixture.h"

namespace stele::broker {
namespace {

using base::ErrorCode;
using base::Offset;
using base::Task;

constexpr base::Timestamp kNow{1'700'000'000'000};

class PartitionTest : public log::LogTest {
 protected:
  using Log = log::PartitionLog;

  // A partition that this broker leads in epoch 5, on an empty log.
  static Task<std::shared_ptr<Partition>> make(io::Shard& shard, std::string directory = "t-0") {
    auto partition = std::make_shared<Partition>(PartitionKey{log::kTestTopic, base::PartitionIndex{0}},
                                                 log::TopicPartition{"t", base::PartitionIndex{0}},
                                                 PartitionState{base::LeaderEpoch{5}, 0, true}, PartitionRules{});
    log::OpenLog opened = co_await open(shard, {.name = std::move(directory), .observer = partition.get()});
    partition->attach(std::move(opened.log));
    co_return partition;
  }

  // The bytes stay until the partition's log has written them.
  struct Sent {
    base::ByteVector bytes;
    base::ByteVector rebuilt{};
    record::Decompressor decompressor{};
    AppendResult to(Partition& partition) {
      return partition.append(bytes, record::AppendOrigin::kClient, 12, kNow, decompressor, rebuilt);
    }
  };
  static Sent batch(int records) { return {.bytes = log::make_batch({.records = records})}; }
};

TEST_F(PartitionTest, the_high_watermark_is_what_is_written_not_what_was_assigned) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto partition = co_await make(shard);
    EXPECT_EQ(partition->high_watermark(), Offset{0});
    Sent first = batch(3), second = batch(2);
    const AppendResult a = first.to(*partition), b = second.to(*partition);
    EXPECT_EQ(a.base_offset, Offset{0});
    EXPECT_EQ(b.base_offset, Offset{3});
    EXPECT_EQ(b.last_offset, Offset{4});
    EXPECT_EQ(partition->high_watermark(), Offset{0}) << "nothing is written yet";
    log::must(co_await partition->log()->wait_written(b.last_offset));
    EXPECT_EQ(partition->high_watermark(), Offset{5});
    EXPECT_EQ(partition->last_stable_offset(), Offset{5});
  });
}

TEST_F(PartitionTest, a_log_that_was_there_before_is_readable_at_once) {
  run(+[](io::Shard& shard) -> Task<void> {
    {
      const auto partition = co_await make(shard);
      Sent sent = batch(4);
      log::must(co_await partition->log()->wait_written(sent.to(*partition).last_offset));
      log::must(co_await partition->log()->close_clean());
    }
    const auto partition = co_await make(shard);
    EXPECT_EQ(partition->high_watermark(), Offset{4});
  });
}

TEST_F(PartitionTest, an_open_transaction_holds_back_what_is_stable) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto partition = co_await make(shard);
    Sent plain = batch(2);
    plain.to(*partition);
    Sent open{.bytes = log::make_batch({.producer_id = 9, .producer_epoch = 0, .sequence = 0, .transactional = true})};
    const AppendResult last = open.to(*partition);
    EXPECT_EQ(last.code, ErrorCode::kNone) << last.message;
    log::must(co_await partition->log()->wait_written(last.last_offset));
    EXPECT_EQ(partition->high_watermark(), Offset{3});
    EXPECT_EQ(partition->last_stable_offset(), Offset{2});
  });
}

TEST_F(PartitionTest, a_watch_is_woken_once_enough_bytes_can_be_read) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto partition = co_await make(shard);
    base::Signal signal{shard.executor()};
    Sent first = batch(1), second = batch(1);
    int64_t wanted = static_cast<int64_t>(first.bytes.size()) + 1;
    PartitionWatch watch{signal, wanted};
    partition->watch(watch);
    log::must(co_await partition->log()->wait_written(first.to(*partition).last_offset));
    EXPECT_FALSE(signal.is_set());
    EXPECT_TRUE(watch.linked());
    log::must(co_await partition->log()->wait_written(second.to(*partition).last_offset));
    EXPECT_TRUE(signal.is_set());
    EXPECT_FALSE(watch.linked());
  });
}

TEST_F(PartitionTest, watches_of_one_fetch_add_up_over_its_partitions) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto partition = co_await make(shard);
    base::Signal signal{shard.executor()};
    Sent sent = batch(1);
    int64_t wanted = static_cast<int64_t>(sent.bytes.size()) + 10;
    PartitionWatch here{signal, wanted}, gone{signal, wanted};
    partition->watch(here);
    wanted -= 10;  // what another partition brought
    log::must(co_await partition->log()->wait_written(sent.to(*partition).last_offset));
    EXPECT_TRUE(signal.is_set());
  });
}

// What an event does to a partition that somebody waits in.
struct Woken {
  bool woken = false;
  ErrorCode code = ErrorCode::kNone;    // of a read with the epoch that was valid before
  ErrorCode append = ErrorCode::kNone;  // of an append
};

Task<void> wake_by(io::Shard& shard, Partition& partition, void (*event)(Partition&), Woken& out) {
  base::Signal signal{shard.executor()};
  int64_t wanted = 1;
  PartitionWatch watch{signal, wanted};
  partition.watch(watch);
  event(partition);
  out.woken = signal.is_set() && !watch.linked();
  out.code = partition.check_leader(5);
  base::ByteVector bytes = log::make_batch({.records = 1}), rebuilt;
  record::Decompressor decompressor;
  const AppendResult result = partition.append(bytes, record::AppendOrigin::kClient, 12, kNow, decompressor, rebuilt);
  out.append = result.code;
  if (result.code == ErrorCode::kNone) log::must(co_await partition.log()->wait_written(result.last_offset));
}

TEST_F(PartitionTest, whatever_ends_its_leadership_wakes_those_who_wait_and_is_answered_as_such) {
  struct Case {
    const char* name;
    void (*event)(Partition&);
    Woken due;
  };
  static constexpr Case kCases[] = {
      {"deleted",
       [](Partition& p) { p.retire(); },
       {true, ErrorCode::kNotLeaderOrFollower, ErrorCode::kNotLeaderOrFollower}},
      {"its log dir failed",
       [](Partition& p) { p.set_offline(); },
       {true, ErrorCode::kKafkaStorageError, ErrorCode::kKafkaStorageError}},
      {"led elsewhere",
       [](Partition& p) { p.set_state({base::LeaderEpoch{6}, 1, false}); },
       {true, ErrorCode::kNotLeaderOrFollower, ErrorCode::kNotLeaderOrFollower}},
      {"a new epoch here",
       [](Partition& p) { p.set_state({base::LeaderEpoch{6}, 1, true}); },
       {true, ErrorCode::kFencedLeaderEpoch, ErrorCode::kNone}},
      {"the same leader and epoch",
       [](Partition& p) { p.set_state({base::LeaderEpoch{5}, 1, true}); },
       {false, ErrorCode::kNone, ErrorCode::kNone}},
  };
  run(+[](io::Shard& shard) -> Task<void> {
    for (size_t i = 0; i < std::size(kCases); ++i) {
      const Case& each = kCases[i];
      SCOPED_TRACE(each.name);
      const auto partition = co_await make(shard, fmt::format("t-{}", i));
      Woken seen;
      co_await wake_by(shard, *partition, each.event, seen);
      EXPECT_EQ(seen.woken, each.due.woken);
      EXPECT_EQ(seen.code, each.due.code);
      EXPECT_EQ(seen.append, each.due.append);
    }
  });
}

TEST_F(PartitionTest, a_reader_of_an_older_epoch_is_fenced_one_of_a_newer_has_to_wait) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto partition = co_await make(shard);
    EXPECT_EQ(partition->check_leader(-1), ErrorCode::kNone);
    EXPECT_EQ(partition->check_leader(5), ErrorCode::kNone);
    EXPECT_EQ(partition->check_leader(4), ErrorCode::kFencedLeaderEpoch);
    EXPECT_EQ(partition->check_leader(6), ErrorCode::kUnknownLeaderEpoch);
  });
}

TEST_F(PartitionTest, batches_carry_the_epoch_of_the_leader_that_took_them) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto partition = co_await make(shard);
    Sent first = batch(1), second = batch(1);
    first.to(*partition);
    partition->set_state({base::LeaderEpoch{7}, 1, true});
    log::must(co_await partition->log()->wait_written(second.to(*partition).last_offset));
    EXPECT_EQ(partition->log()->end_offset_for_epoch(base::LeaderEpoch{5})->end, Offset{1});
    EXPECT_EQ(partition->log()->end_offset_for_epoch(base::LeaderEpoch{7})->end, Offset{2});
  });
}

TEST_F(PartitionTest, a_repeated_batch_is_answered_with_the_offset_of_the_first) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto partition = co_await make(shard);
    const log::BatchSpec spec{.records = 2, .producer_id = 9, .producer_epoch = 0, .sequence = 0};
    Sent first{.bytes = log::make_batch(spec)}, again{.bytes = log::make_batch(spec)};
    log::must(co_await partition->log()->wait_written(first.to(*partition).last_offset));
    const AppendResult repeated = again.to(*partition);
    EXPECT_EQ(repeated.code, ErrorCode::kNone);
    EXPECT_EQ(repeated.base_offset, Offset{0});
    EXPECT_EQ(partition->log()->assigned_end(), Offset{2});
  });
}

TEST_F(PartitionTest, a_batch_that_is_refused_leaves_nothing_in_the_log) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto partition = co_await make(shard);
    Sent damaged = batch(2);
    damaged.bytes.back() ^= std::byte{1};
    EXPECT_EQ(damaged.to(*partition).code, ErrorCode::kCorruptMessage);
    EXPECT_EQ(partition->log()->assigned_end(), Offset{0});
  });
}

TEST(SlowestAppend, is_told_for_one_to_two_spans) {
  SlowestAppend slowest;
  const base::MonoTime start{SlowestAppend::kSpan * 10};
  slowest.note(start, std::chrono::milliseconds{7});
  slowest.note(start + SlowestAppend::kSpan / 2, std::chrono::milliseconds{3});
  EXPECT_EQ(slowest.of_late(start + SlowestAppend::kSpan / 2), std::chrono::milliseconds{7});
  slowest.note(start + SlowestAppend::kSpan, std::chrono::milliseconds{2});
  EXPECT_EQ(slowest.of_late(start + SlowestAppend::kSpan), std::chrono::milliseconds{7});
  slowest.note(start + 2 * SlowestAppend::kSpan, std::chrono::milliseconds{1});
  EXPECT_EQ(slowest.of_late(start + 2 * SlowestAppend::kSpan), std::chrono::milliseconds{2});
  EXPECT_EQ(slowest.of_late(start + 4 * SlowestAppend::kSpan), base::Duration{0});
}

}  // namespace
}  // namespace stele::broker
