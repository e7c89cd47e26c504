#include "io/real_shard.h"

#include <gtest/gtest.h>

#include <string>

namespace stele::io {
namespace {

base::Task<void> work(base::Executor& executor, std::string& trace, char name, int slices, bool gives_way) {
  for (int i = 0; i < slices; ++i) {
    if (gives_way) {
      co_await base::give_way(executor);
    } else {
      co_await base::yield(executor);
    }
    trace.push_back(name);
  }
}

TEST(ReadyQueue, long_work_gets_one_slice_after_all_that_is_ready) {
  ReadyQueue queue;
  base::TaskScope scope{queue, [](std::exception_ptr) { FAIL(); }};
  std::string trace;
  scope.spawn(work(queue, trace, 'L', 2, true));
  scope.spawn(work(queue, trace, 'M', 2, true));
  scope.spawn(work(queue, trace, 'a', 3, false));
  scope.spawn(work(queue, trace, 'b', 1, false));
  queue.run(100);
  EXPECT_EQ(trace, "abaaL");
  queue.run(100);
  EXPECT_EQ(trace, "abaaLM");
  queue.run(100);
  queue.run(100);
  EXPECT_EQ(trace, "abaaLMLM");
  EXPECT_TRUE(queue.empty());
}

TEST(ReadyQueue, long_work_goes_on_however_busy_the_others_are) {
  ReadyQueue queue;
  base::TaskScope scope{queue, [](std::exception_ptr) { FAIL(); }};
  std::string trace;
  scope.spawn(work(queue, trace, 'L', 3, true));
  scope.spawn(work(queue, trace, 'a', 100, false));
  for (int turn = 0; turn < 3; ++turn) queue.run(2);
  EXPECT_EQ(trace, "aaLaaLaaL");
  EXPECT_FALSE(queue.empty());
}

}  // namespace
}  // namespace stele::io
