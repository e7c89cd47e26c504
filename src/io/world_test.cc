#include "io/world.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <vector>

#include "io/call.h"

namespace stele::io {
namespace {

base::Task<void> ask_the_others(World& world, Shard& shard, std::vector<uint32_t>& answers) {
  if (shard.id().value() != 0) co_return;
  for (uint32_t i = 1; i < shard.shard_count(); ++i) {
    Shard& target = world.shard(base::ShardId{i});
    answers.push_back(co_await call_on(shard, target, [&target] { return target.id().value(); }));
  }
}

TEST(WorldTest, a_call_runs_on_its_target_and_brings_the_answer_home) {
  std::vector<uint32_t> answers;
  World world{{.shards = 3}};
  world.start([&](Shard& shard) { return ask_the_others(world, shard, answers); });
  world.join();
  EXPECT_EQ(answers, (std::vector<uint32_t>{1, 2}));
}

base::Task<void> wait_for_ever(Shard& shard) {
  base::Signal never{shard.executor()};
  co_await never.wait();
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

}  // namespace
}  // namespace stele::io
