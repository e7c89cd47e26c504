// What every shard promises about time, mail and work off the loop, in the real and in the simulated world.
#include "io/shard.h"

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "io/conformance.h"
#include "io/off_loop.h"
#include "io/remote.h"

namespace stele::io {
namespace {

using base::Signal;
using base::Task;
using base::TaskScope;
using std::chrono::microseconds;
using std::chrono::milliseconds;

class ShardTest : public conformance::ConformanceTest {};
INSTANTIATE_TEST_SUITE_P(worlds, ShardTest, ::testing::ValuesIn(conformance::world_names()),
                         [](const auto& info) { return info.param; });

Task<void> note_when_due(Shard& shard, base::MonoTime deadline, std::vector<int>& order, int number) {
  co_await sleep_until(shard, deadline);
  EXPECT_GE(shard.clock().now(), deadline);
  order.push_back(number);
}
Task<void> timers_in_order(Shard& shard) {
  const base::MonoTime start = shard.clock().now();
  std::vector<int> order;
  TaskScope tasks{shard.executor(), [](std::exception_ptr) { FAIL(); }};
  tasks.spawn(note_when_due(shard, start + milliseconds{9}, order, 3));
  tasks.spawn(note_when_due(shard, start + milliseconds{3}, order, 1));
  tasks.spawn(note_when_due(shard, start + milliseconds{6}, order, 2));
  co_await tasks.join();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}
TEST_P(ShardTest, timers_end_in_the_order_of_their_deadlines) { run(timers_in_order); }

Task<void> past_deadline(Shard& shard) {
  const std::unique_ptr<Timer> timer = shard.make_timer();
  Signal due{shard.executor()};
  timer->arm(shard.clock().now() - milliseconds{1}, due);
  co_await due.wait();
  timer->arm(shard.clock().now(), due);
  co_await due.wait();
}
TEST_P(ShardTest, a_deadline_that_has_passed_is_due_at_once) { run(past_deadline); }

Task<void> rearmed(Shard& shard) {
  const std::unique_ptr<Timer> timer = shard.make_timer();
  const base::MonoTime start = shard.clock().now();
  Signal replaced{shard.executor()};
  Signal due{shard.executor()};
  timer->arm(start + milliseconds{1}, replaced);
  timer->arm(start + milliseconds{4}, due);
  co_await due.wait();
  EXPECT_FALSE(replaced.is_set());
  EXPECT_GE(shard.clock().now(), start + milliseconds{4});
  timer->arm(start + std::chrono::hours{1}, replaced);
  timer->arm(shard.clock().now() + milliseconds{1}, due);
  co_await due.wait();
  EXPECT_FALSE(replaced.is_set());
}
TEST_P(ShardTest, arming_again_replaces_deadline_and_signal) { run(rearmed); }

Task<void> disarmed(Shard& shard) {
  const base::MonoTime start = shard.clock().now();
  Signal never{shard.executor()};
  std::unique_ptr<Timer> destroyed = shard.make_timer();
  const std::unique_ptr<Timer> disarmed = shard.make_timer();
  destroyed->arm(start + milliseconds{1}, never);
  disarmed->arm(start + milliseconds{1}, never);
  destroyed.reset();
  disarmed->disarm();
  co_await sleep_until(shard, start + milliseconds{3});
  EXPECT_FALSE(never.is_set());
}
TEST_P(ShardTest, a_disarmed_or_destroyed_timer_sets_nothing) { run(disarmed); }

Task<void> clock_moves(Shard& shard) {
  const base::MonoTime start = shard.clock().now();
  const base::Timestamp wall = shard.clock().wall();
  EXPECT_EQ(shard.clock().now(), start);
  EXPECT_GT(wall.value(), 1'600'000'000'000);
  co_await sleep_until(shard, start + milliseconds{5});
  EXPECT_GE(shard.clock().now(), start + milliseconds{5});
  EXPECT_GE(shard.clock().wall().value(), wall.value() + 4);
}
TEST_P(ShardTest, a_clock_stands_still_in_a_turn_and_moves_between_turns) { run(clock_moves); }

Task<void> draws_differ(Shard& shard) {
  EXPECT_NE(shard.random().next(), shard.random().next());
  EXPECT_FALSE(shard.maybe("any"));
  co_return;
}
TEST_P(ShardTest, random_numbers_differ_and_no_fault_is_asked_for) { run(draws_differ); }

struct Numbered final : Mail {
  Numbered(int n, std::vector<int>& list, Signal& signal) : number(n), out(list), arrived(signal) {}
  void deliver() override {
    const std::unique_ptr<Numbered> self{this};
    out.push_back(number);
    arrived.set();
  }
  int number;
  std::vector<int>& out;
  Signal& arrived;
};
Task<void> mail_to_itself(Shard& shard) {
  std::vector<int> got;
  Signal arrived{shard.executor()};
  for (int i = 0; i < 100; ++i) shard.send(shard.id(), std::make_unique<Numbered>(i, got, arrived));
  EXPECT_TRUE(got.empty());
  while (got.size() < 100) co_await arrived.wait();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(got[static_cast<size_t>(i)], i);
}
TEST_P(ShardTest, mail_to_the_own_shard_arrives_later_and_in_order) { run(mail_to_itself); }

// Goes out with a number, comes back from shard 1.
struct Bounce final : Mail {
  Bounce(Shard& to, int n, std::vector<int>& list, Signal& signal)
      : target(to), answer(std::make_unique<Numbered>(n, list, signal)) {}
  void deliver() override {
    const std::unique_ptr<Bounce> self{this};
    target.send(base::ShardId{0}, std::move(answer));
  }
  Shard& target;
  std::unique_ptr<Numbered> answer;
};
Task<void> mail_in_order(Shard& shard, conformance::WorldUnderTest& world) {
  std::vector<int> got;
  Signal arrived{shard.executor()};
  for (int i = 0; i < 1000; ++i) {
    shard.send(base::ShardId{1}, std::make_unique<Bounce>(world.shard(1), i, got, arrived));
    if (i % 50 == 0) co_await base::yield(shard.executor());
  }
  while (got.size() < 1000) co_await arrived.wait();
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(got[static_cast<size_t>(i)], i);
}
TEST_P(ShardTest, mail_between_two_shards_keeps_its_order) { run_on(3, mail_in_order, *world_); }

// Stay until all mail to them has been delivered.
using Homes = std::vector<std::unique_ptr<ShardHome>>;

Task<uint32_t> tell_id(Shard& shard) {
  co_await base::yield(shard.executor());
  co_return shard.id().value();
}
Task<void> calls(Shard& shard, conformance::WorldUnderTest& world, Homes& homes) {
  for (uint32_t i = 0; i < shard.shard_count(); ++i) {
    ShardHome& target = *homes.emplace_back(std::make_unique<ShardHome>(world.shard(i)));
    const uint32_t answer = co_await io::run_on(shard, target, [&target] { return tell_id(target.shard); });
    EXPECT_EQ(answer, i);
  }
}
TEST_P(ShardTest, a_call_runs_on_its_target_and_brings_the_answer_home) {
  Homes homes;
  run_on(3, calls, *world_, homes);
}

Task<int> count_up(std::atomic<int>& count) { co_return ++count; }
Task<void> call_and_count(Shard& shard, ShardHome& target, std::atomic<int>& count) {
  co_await io::run_on(shard, target, [&count] { return count_up(count); });
  ADD_FAILURE() << "not cancelled";
}
Task<void> caller_destroyed(Shard& shard, conformance::WorldUnderTest& world, Homes& homes) {
  std::atomic<int> count = 0;
  ShardHome& target = *homes.emplace_back(std::make_unique<ShardHome>(world.shard(1)));
  {
    TaskScope callers{shard.executor(), [](std::exception_ptr) { FAIL(); }};
    callers.spawn(call_and_count(shard, target, count));
  }
  // Behind the first one on the same link.
  co_await io::run_on(shard, target, [&count] { return count_up(count); });
  EXPECT_EQ(count, 2);
}
TEST_P(ShardTest, a_call_runs_though_its_caller_is_destroyed) {
  Homes homes;
  run_on(2, caller_destroyed, *world_, homes);
}

Task<void> offloads(Shard& shard) {
  const int answer = co_await off_loop(shard, [] { return 42; });
  EXPECT_EQ(answer, 42);
}
TEST_P(ShardTest, work_off_the_loop_brings_its_value_home) { run(offloads); }

Task<void> offload_and_count(Shard& shard, std::atomic<int>& count) {
  std::move_only_function<void()> work = [&count] { ++count; };
  co_await shard.offload(std::move(work));
  ADD_FAILURE() << "not cancelled";
}
Task<void> offload_destroyed(Shard& shard) {
  std::atomic<int> count = 0;
  {
    TaskScope tasks{shard.executor(), [](std::exception_ptr) { FAIL(); }};
    tasks.spawn(offload_and_count(shard, count));
  }
  while (count == 0) co_await sleep_until(shard, shard.clock().now() + microseconds{100});
}
TEST_P(ShardTest, work_off_the_loop_ends_though_its_caller_is_destroyed) { run(offload_destroyed); }

}  // namespace
}  // namespace stele::io
