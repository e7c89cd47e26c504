// Of loops: delays between shards and of helpers, pauses, rare branches; and that streams of draws are apart.
#include <algorithm>

#include "io/off_loop.h"
#include "io/sim/branches.h"
#include "io/sim/faults_fixture.h"

namespace stele::io {
namespace {

using base::Duration;
using base::Task;
using std::chrono::milliseconds;
using std::chrono::seconds;

class LoopFaultsTest : public FaultsTest {};

struct Note final : Mail {
  Note(std::vector<int>& into, int n) : notes(into), number(n) {}
  void deliver() override {
    const std::unique_ptr<Note> self{this};
    notes.push_back(number);
  }
  std::vector<int>& notes;
  int number;
};

TEST_F(LoopFaultsTest, mail_is_delayed_and_keeps_its_order) {
  world_.set_loop_faults({.link_delay_longest = seconds{1}});
  std::vector<int> notes;
  a_.start(2, [&](Shard& shard) {
    return [](Shard& on, std::vector<int>& into) -> Task<void> {
      for (int i = 0; i < 50 && on.id().value() == 0; ++i) on.send(base::ShardId{1}, std::make_unique<Note>(into, i));
      co_return;
    }(shard, notes);
  });
  EXPECT_TRUE(world_.run_until([&] { return notes.size() == 50; }, seconds{2}));
  EXPECT_GT(world_.now(), base::MonoTime{milliseconds{500}});
  EXPECT_TRUE(std::ranges::is_sorted(notes));
}

TEST_F(LoopFaultsTest, helpers_may_be_slow) {
  world_.set_loop_faults({.slow_offload = kAlways, .slow_offload_longest = seconds{100}});
  run(
      a_, +[](Shard& shard) -> Task<void> {
        for (int i = 0; i < 10; ++i) co_await off_loop(shard, [] { return 1; });
        EXPECT_GT(shard.clock().now(), base::MonoTime{seconds{100}});
      });
}

TEST_F(LoopFaultsTest, a_shard_may_stand_still_at_any_turn) {
  world_.set_loop_faults({.pause = kAlways, .pause_longest = seconds{1}});
  run(
      a_, +[](Shard& shard) -> Task<void> {
        for (int i = 0; i < 20; ++i) co_await base::yield(shard.executor());
        EXPECT_GT(shard.clock().now(), base::MonoTime{seconds{3}});
      });
}

TEST_F(LoopFaultsTest, a_stopped_process_goes_on_where_it_was) {
  base::MonoTime woke{};
  a_.start(1, [&](Shard& shard) {
    return [](Shard& on, base::MonoTime& at) -> Task<void> {
      co_await sleep_until(on, base::MonoTime{seconds{1}});
      at = on.clock().now();
    }(shard, woke);
  });
  world_.run_until([] { return false; }, milliseconds{500});
  a_.hold_up(seconds{60});
  EXPECT_FALSE(world_.run_until([&] { return a_.ended(); }, seconds{59}));
  EXPECT_TRUE(world_.run_until([&] { return a_.ended(); }, seconds{2}));
  EXPECT_EQ(woke, base::MonoTime{milliseconds{60'500}});
}

// How often a point comes true in a thousand times, in one world.
uint64_t times_taken(uint64_t seed, const RareBranches& rare, const char* point) {
  SimWorld world{{.seed = seed}};
  world.set_rare_branches(rare);
  SimHost& host = world.add_host("a");
  host.start(1, [point](Shard& shard) {
    return [](Shard& on, const char* name) -> Task<void> {
      for (int i = 0; i < 1000; ++i) on.maybe(name);
      on.mark("a.mark");
      co_return;
    }(shard, point);
  });
  world.run_until([&] { return host.ended(); }, seconds{1});
  EXPECT_EQ(world.marks().at(point).asked, 1000);
  EXPECT_EQ(world.marks().at("a.mark").taken, 1);
  return world.marks().at(point).taken;
}

TEST(RareBranchesTest, a_point_comes_true_in_some_worlds_and_there_at_times) {
  EXPECT_EQ(times_taken(1, {}, "a.point"), 0);
  int worlds = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    const uint64_t taken = times_taken(seed, {.used = kAlways / 4, .taken = kAlways / 10}, "a.point");
    if (taken == 0) continue;
    ++worlds;
    EXPECT_GT(taken, 50);
    EXPECT_LT(taken, 160);
  }
  EXPECT_GT(worlds, 10);
  EXPECT_LT(worlds, 45);
}

TEST(RareBranchesTest, one_point_can_be_set_and_every_known_one_is_listed) {
  SimWorld world{{}};
  world.set_rare_branch("a.point", kAlways);
  SimHost& host = world.add_host("a");
  bool taken = false;
  host.start(1, [&](Shard& shard) {
    return [](Shard& on, bool& came_true) -> Task<void> {
      came_true = on.maybe("a.point") && !on.maybe("another.point");
      co_return;
    }(shard, taken);
  });
  world.run_until([&] { return host.ended(); }, seconds{1});
  EXPECT_TRUE(taken);
  const auto marks = world.marks();
  for (const std::string_view name : known_branches()) EXPECT_TRUE(marks.contains(std::string{name})) << name;
  EXPECT_TRUE(std::ranges::is_sorted(known_branches()));
}

TEST(StreamsTest, taking_one_fault_away_leaves_the_draws_of_the_others) {
  const auto failed_writes = [](uint32_t sync_error) {
    SimDevice device{"/", 1};
    std::vector<bool> drawn;
    for (int i = 0; i < 100; ++i) {
      device.sync_error.comes_true(sync_error);
      drawn.push_back(device.write_error.comes_true(kAlways / 2));
    }
    return drawn;
  };
  EXPECT_EQ(failed_writes(0), failed_writes(kAlways / 2));
  SimWorld one{{.seed = 3}};
  SimWorld other{{.seed = 3}};
  one.network().set_faults({.reset = 5});
  EXPECT_EQ(one.stream("workload").next(), other.stream("workload").next());
  EXPECT_NE(one.stream("workload").next(), one.stream("faults").next());
  EXPECT_NE(one.stream("workload").next(), SimWorld{{.seed = 4}}.stream("workload").next());
}

}  // namespace
}  // namespace stele::io
