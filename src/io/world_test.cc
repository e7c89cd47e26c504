#include "io/world.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <vector>

#include "io/remote.h"

namespace stele::io {
namespace {

base::Task<uint32_t> tell_id(Shard& shard) { co_return shard.id().value(); }

using Homes = std::vector<std::unique_ptr<ShardHome>>;

Homes homes_of(World& world, uint32_t shards) {
  Homes homes;
  for (uint32_t i = 0; i < shards; ++i) homes.push_back(std::make_unique<ShardHome>(world.shard(base::ShardId{i})));
  return homes;
}

base::Task<void> ask_the_others(Homes& homes, Shard& shard, std::vector<uint32_t>& answers) {
  if (shard.id().value() != 0) co_return;
  for (uint32_t i = 1; i < shard.shard_count(); ++i) {
    ShardHome& target = *homes[i];
    answers.push_back(co_await run_on(shard, target, [&target] { return tell_id(target.shard); }));
  }
}

TEST(WorldTest, a_call_runs_on_its_target_and_brings_the_answer_home) {
  std::vector<uint32_t> answers;
  World world{{.shards = 3}};
  Homes homes = homes_of(world, 3);
  world.start([&](Shard& shard) { return ask_the_others(homes, shard, answers); });
  world.join();
  EXPECT_EQ(answers, (std::vector<uint32_t>{1, 2}));
}

base::Task<void> wait_for_ever(Shard& shard) {
  base::Signal never{shard.executor()};
  co_await never.wait();
}

// What a peer that reads nothing lets through.
base::Task<void> write_until_full(Shard& shard, size_t& taken) {
  auto listener = shard.listen({"127.0.0.1", 0}).value();
  base::Signal acceptable{shard.executor()};
  listener->notify_acceptable(&acceptable);
  const auto client = (co_await shard.connect({"127.0.0.1", listener->port()})).value();
  co_await acceptable.wait();
  const auto server = shard.adopt(listener->try_accept().value());
  std::vector<std::byte> bytes(size_t{64} << 10);
  const iovec part{bytes.data(), bytes.size()};
  for (int tries = 0; tries < 1000; ++tries) {
    const TransferResult result = server->try_write({&part, 1});
    if (result.status != Transfer::kDone) break;
    taken += result.bytes;
  }
}

size_t taken_with(int64_t send_buffer_bytes) {
  size_t taken = 0;
  World world{{.send_buffer_bytes = send_buffer_bytes}};
  world.start([&](Shard& shard) { return write_until_full(shard, taken); });
  world.join();
  return taken;
}

TEST(WorldTest, a_connection_has_the_send_buffer_that_was_asked_for) {
  const size_t small = taken_with(8 << 10);
  EXPECT_GT(small, 0U);
  EXPECT_LT(small, taken_with(200 << 10));
}

TEST(WorldTest, stop_ends_loops_whatever_their_tasks_wait_for) {
  World world{{.shards = 2}};
  world.start(wait_for_ever);
  world.stop();
  world.join();
}

base::Task<void> wait_for_termination(World& world, Shard& shard, bool& seen) {
  base::Signal termination{shard.executor()};
  world.notify_termination(termination);
  ::kill(::getpid(), SIGTERM);
  co_await termination.wait();
  seen = true;
}

TEST(WorldTest, termination_arrives_as_a_signal_on_shard_zero) {
  bool seen = false;
  World world{{.shards = 1, .catch_termination = true}};
  world.start([&](Shard& shard) { return wait_for_termination(world, shard, seen); });
  world.join();
  EXPECT_TRUE(seen);
}

constexpr uint32_t kNotes = 100'000;

// What one shard gets from each of the others.
struct Board {
  explicit Board(Shard& shard) : next(shard.shard_count()), arrived(shard.executor()) {}
  std::vector<uint32_t> next;  // by sender
  uint64_t total = 0;
  uint64_t out_of_order = 0;
  base::Signal arrived;
};

struct Note final : Mail {
  Note(base::ShardId sender, uint32_t n, Board& at) : from(sender), number(n), board(at) {}
  void deliver() override {
    const std::unique_ptr<Note> self{this};
    if (board.next[from.value()]++ != number) ++board.out_of_order;
    ++board.total;
    board.arrived.set();
  }
  base::ShardId from;
  uint32_t number;
  Board& board;
};

base::Task<void> exchange_notes(Shard& shard, std::vector<std::unique_ptr<Board>>& boards) {
  for (uint32_t n = 0; n < kNotes; ++n) {
    for (uint32_t to = 0; to < shard.shard_count(); ++to) {
      if (to != shard.id().value()) {
        shard.send(base::ShardId{to}, std::make_unique<Note>(shard.id(), n, *boards[to]));
      }
    }
    if (n % 64 == shard.id().value()) co_await base::yield(shard.executor());
  }
  Board& own = *boards[shard.id().value()];
  while (own.total < uint64_t{kNotes} * (shard.shard_count() - 1)) co_await own.arrived.wait();
}

TEST(WorldTest, links_under_load_lose_nothing_and_keep_order) {
  World world{{.shards = 3}};
  std::vector<std::unique_ptr<Board>> boards;
  for (uint32_t i = 0; i < 3; ++i) boards.push_back(std::make_unique<Board>(world.shard(base::ShardId{i})));
  world.start([&](Shard& shard) { return exchange_notes(shard, boards); });
  world.join();
  for (const auto& board : boards) {
    EXPECT_EQ(board->total, 2 * kNotes);
    EXPECT_EQ(board->out_of_order, 0u);
  }
}

// One round trip at a time: each message finds the other shard about to sleep, or asleep.
base::Task<void> call_back_and_forth(Shard& shard, ShardHome& target, uint32_t& calls) {
  if (shard.id().value() != 0) co_return;
  while (calls < 20'000) calls += co_await run_on(shard, target, [&target] { return tell_id(target.shard); });
}

TEST(WorldTest, no_wake_up_is_lost_between_shards_that_fall_asleep) {
  uint32_t calls = 0;
  World world{{.shards = 2}};
  ShardHome target{world.shard(base::ShardId{1})};
  world.start([&](Shard& shard) { return call_back_and_forth(shard, target, calls); });
  world.join();
  EXPECT_EQ(calls, 20'000u);
}

struct Witness final : Mail {
  explicit Witness(int& count) : alive(count) { ++alive; }
  ~Witness() override { --alive; }
  void deliver() override { const std::unique_ptr<Witness> self{this}; }
  int& alive;
};

base::Task<void> send_and_stop(World& world, Shard& shard, int& alive) {
  world.stop();
  for (int i = 0; i < 10; ++i) shard.send(base::ShardId{1}, std::make_unique<Witness>(alive));
  co_await wait_for_ever(shard);
}

TEST(WorldTest, mail_to_a_stopping_world_is_destroyed) {
  int alive = 0;
  World world{{.shards = 2}};
  world.start([&](Shard& shard) {
    return shard.id().value() == 0 ? send_and_stop(world, shard, alive) : wait_for_ever(shard);
  });
  world.join();
  EXPECT_EQ(alive, 0);
}

base::Task<void> keep_busy(Shard& shard, const bool& done) {
  while (!done) co_await base::yield(shard.executor());
}

base::Task<void> be_served(Shard& shard, bool& done) {
  base::TaskScope busy{shard.executor(), [](std::exception_ptr) { FAIL(); }};
  busy.spawn(keep_busy(shard, done));
  auto listener = shard.listen({"127.0.0.1", 0});
  base::Signal acceptable{shard.executor()};
  listener.value()->notify_acceptable(&acceptable);
  auto client = co_await shard.connect({"127.0.0.1", listener.value()->port()});
  co_await acceptable.wait();
  co_await sleep_until(shard, shard.clock().now() + std::chrono::milliseconds{1});
  done = true;
  co_await busy.join();
}

TEST(WorldTest, sockets_and_timers_are_served_while_coroutines_are_always_ready) {
  bool done = false;
  World world{{}};
  world.start([&](Shard& shard) { return be_served(shard, done); });
  world.join();
  EXPECT_TRUE(done);
}

// One of each, and a look at the counts around it.
base::Task<void> exchange(Shard& shard, LoopCounts& before, LoopCounts& after) {
  auto listener = shard.listen({"127.0.0.1", 0});
  base::Signal acceptable{shard.executor()};
  listener.value()->notify_acceptable(&acceptable);
  auto client = co_await shard.connect({"127.0.0.1", listener.value()->port()});
  co_await acceptable.wait();
  auto accepted = listener.value()->try_accept();
  auto peer = shard.adopt(*std::move(accepted));
  base::Signal readable{shard.executor()};
  before = shard.counts();
  peer->notify_readable(&readable);
  char byte = 'x';
  const iovec part{&byte, 1};
  client.value()->try_write({&part, 1});
  co_await readable.wait();
  peer->try_read({&part, 1});
  peer->try_read({&part, 1});
  after = shard.counts();
}

TEST(WorldTest, a_loop_counts_its_system_calls_and_its_busy_time) {
  LoopCounts before;
  LoopCounts after;
  World world{{}};
  world.start([&](Shard& shard) { return exchange(shard, before, after); });
  world.join();
  EXPECT_EQ(after.socket_writes - before.socket_writes, 1U);
  EXPECT_EQ(after.socket_reads - before.socket_reads, 2U);
  EXPECT_GT(after.turns, before.turns);
  EXPECT_GT(after.busy, before.busy);
  EXPECT_EQ(after.system_calls() - before.system_calls(), 3 + after.turns - before.turns);
}

}  // namespace
}  // namespace stele::io
