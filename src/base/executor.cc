#include "base/executor.h"

namespace stele::base {

// The coroutine around a spawned task: linked into its scope while it lives, and gone with the task's end.
struct TaskScope::Root {
  struct promise_type : Waiter {
    Root get_return_object() { return Root{std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
  std::coroutine_handle<promise_type> handle;
};

TaskScope::TaskScope(Executor& executor, std::function<void(std::exception_ptr)> on_fault)
    : on_fault_(std::move(on_fault)), idle_(executor) {}

TaskScope::~TaskScope() { cancel(); }

TaskScope::Root TaskScope::run(TaskScope& scope, Task<void> task) {
  std::exception_ptr fault;
  try {
    co_await std::move(task);
  } catch (...) {
    fault = std::current_exception();
  }
  if (fault) scope.on_fault_(fault);
  scope.idle_.set();
}

void TaskScope::spawn(Task<void> task) {
  Root root = run(*this, std::move(task));
  root.handle.promise().handle = root.handle;
  running_.push_back(root.handle.promise());
  root.handle.resume();
}

void TaskScope::cancel() {
  while (Waiter* root = running_.pop_front()) root->handle.destroy();
}

Task<void> TaskScope::join() {
  while (!running_.empty()) co_await idle_.wait();
}

}  // namespace stele::base
