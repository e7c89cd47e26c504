// Where suspended coroutines of one shard are resumed, and the small things that they wait for.
#pragma once

#include <coroutine>
#include <exception>
#include <functional>

#include "base/intrusive_list.h"
#include "base/task.h"

namespace stele::base {

// A suspended coroutine that is to run, or waits to be told. Lives in its frame and leaves every queue when the frame
// goes.
struct Waiter : ListNode {
  std::coroutine_handle<> handle;
};

// The queue of one shard's event loop. First in, first out in production; the simulator draws the order from its seed.
class Executor {
 public:
  virtual ~Executor() = default;
  // Resumes the waiter's coroutine in a later step of this loop, never inside the call.
  virtual void post(Waiter& waiter) = 0;
  // The same, but what is posted now or later may run first: for one who has had a fair share and has more to do.
  virtual void defer(Waiter& waiter) { post(waiter); }
};

// Wakes one waiting coroutine. Set while nobody waits, the next wait() returns at once; several sets count as one. It
// outlives the wait: a woken coroutine touches it once more when it is resumed.
class Signal {
 public:
  explicit Signal(Executor& executor) : executor_(&executor) {}

  void set() {
    set_ = true;
    if (Waiter* waiter = waiting_.pop_front()) executor_->post(*waiter);
  }
  bool is_set() const { return set_; }
  void reset() { set_ = false; }

  // At most one coroutine waits at a time.
  auto wait() {
    struct Awaiter : Waiter {
      Signal* signal;
      explicit Awaiter(Signal* s) : signal(s) {}
      bool await_ready() const noexcept { return signal->set_; }
      void await_suspend(std::coroutine_handle<> waiting) {
        STELE_CHECK(signal->waiting_.empty(), "a Signal has one waiter");
        handle = waiting;
        signal->waiting_.push_back(*this);
      }
      void await_resume() const noexcept { signal->set_ = false; }
    };
    return Awaiter{this};
  }

 private:
  Executor* executor_;
  IntrusiveList<Waiter> waiting_;
  bool set_ = false;
};

// Lets other coroutines of the shard run first.
inline auto yield(Executor& executor) {
  struct Awaiter : Waiter {
    Executor* executor;
    explicit Awaiter(Executor* e) : executor(e) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiting) {
      handle = waiting;
      executor->post(*this);
    }
    void await_resume() const noexcept {}
  };
  return Awaiter{&executor};
}

// Lets all others of the shard go first, those too that hear from outside meanwhile: between the slices of long work.
inline auto give_way(Executor& executor) {
  struct Awaiter : Waiter {
    Executor* executor;
    explicit Awaiter(Executor* e) : executor(e) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiting) {
      handle = waiting;
      executor->defer(*this);
    }
    void await_resume() const noexcept {}
  };
  return Awaiter{&executor};
}

// Owns running tasks. A task starts inside spawn() and runs until it first waits; its frame goes when it ends, or when
// the scope is destroyed or cancelled, which must not happen from inside one of its own tasks.
class TaskScope {
 public:
  // on_fault gets what a task threw; the task is over by then.
  TaskScope(Executor& executor, std::function<void(std::exception_ptr)> on_fault);
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;
  ~TaskScope();

  void spawn(Task<void> task);
  bool empty() const { return running_.empty(); }
  // Destroys all running tasks.
  void cancel();
  // Returns once no task runs; tasks spawned meanwhile are waited for too. One coroutine joins at a time.
  Task<void> join();

 private:
  struct Root;
  static Root run(TaskScope& scope, Task<void> task);

  std::function<void(std::exception_ptr)> on_fault_;
  IntrusiveList<Waiter> running_;
  Signal idle_;
};

}  // namespace stele::base
