#include "base/executor.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

namespace stele::base {
namespace {

class StepExecutor final : public Executor {
 public:
  void post(Waiter& waiter) override { ready_.push_back(waiter); }
  void run() {
    while (Waiter* waiter = ready_.pop_front()) waiter->handle.resume();
  }

 private:
  IntrusiveList<Waiter> ready_;
};

struct Tracked {
  int* alive;
  explicit Tracked(int* count) : alive(count) { ++*alive; }
  Tracked(const Tracked&) = delete;
  Tracked& operator=(const Tracked&) = delete;
  ~Tracked() { --*alive; }
};

Task<int> answer() { co_return 42; }
Task<void> throws() {
  throw std::runtime_error("fault");
  co_return;
}
Task<void> store(int& out) { out = co_await answer(); }
Task<void> wait_then_store(Signal& signal, int& alive, int& out) {
  Tracked tracked{&alive};
  co_await signal.wait();
  ++out;
}
Task<void> yield_twice(Executor& executor, std::vector<int>& order, int id) {
  order.push_back(id);
  co_await yield(executor);
  order.push_back(id);
}
Task<void> join_then_store(TaskScope& inner, int& out) {
  co_await inner.join();
  out = 1;
}

class TaskScopeTest : public ::testing::Test {
 protected:
  StepExecutor executor_;
  int faults_ = 0;
  TaskScope scope_{executor_, [this](std::exception_ptr) { ++faults_; }};
};

TEST_F(TaskScopeTest, a_task_runs_inside_spawn_until_it_waits) {
  int out = 0;
  scope_.spawn(store(out));
  EXPECT_EQ(out, 42);
  EXPECT_TRUE(scope_.empty());
}

TEST_F(TaskScopeTest, a_fault_reaches_the_owner_and_ends_the_task) {
  scope_.spawn(throws());
  EXPECT_EQ(faults_, 1);
  EXPECT_TRUE(scope_.empty());
}

TEST_F(TaskScopeTest, a_signal_wakes_its_waiter_in_a_later_step) {
  Signal signal{executor_};
  int alive = 0;
  int out = 0;
  scope_.spawn(wait_then_store(signal, alive, out));
  signal.set();
  EXPECT_EQ(out, 0);
  executor_.run();
  EXPECT_EQ(out, 1);
  EXPECT_EQ(alive, 0);
}

TEST_F(TaskScopeTest, a_signal_set_before_the_wait_is_kept_once) {
  Signal signal{executor_};
  int alive = 0;
  int out = 0;
  signal.set();
  signal.set();
  scope_.spawn(wait_then_store(signal, alive, out));
  EXPECT_EQ(out, 1);
  EXPECT_FALSE(signal.is_set());
}

TEST_F(TaskScopeTest, cancel_destroys_waiting_and_posted_tasks) {
  Signal signal{executor_};
  int alive = 0;
  int out = 0;
  scope_.spawn(wait_then_store(signal, alive, out));
  signal.set();
  scope_.cancel();
  executor_.run();
  EXPECT_EQ(out, 0);
  EXPECT_EQ(alive, 0);
}

TEST_F(TaskScopeTest, yield_lets_others_run) {
  std::vector<int> order;
  scope_.spawn(yield_twice(executor_, order, 1));
  scope_.spawn(yield_twice(executor_, order, 2));
  executor_.run();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 1, 2}));
}

TEST_F(TaskScopeTest, join_returns_when_the_last_task_has_ended) {
  TaskScope inner{executor_, [](std::exception_ptr) {}};
  Signal signal{executor_};
  int alive = 0;
  int out = 0;
  int joined = 0;
  inner.spawn(wait_then_store(signal, alive, out));
  scope_.spawn(join_then_store(inner, joined));
  executor_.run();
  EXPECT_EQ(joined, 0);
  signal.set();
  executor_.run();
  EXPECT_EQ(joined, 1);
}

}  // namespace
}  // namespace stele::base
