// Work handed from one shard to another, with its answer brought home.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "base/executor.h"
#include "io/shard.h"

namespace stele::io {

// A shard together with the scope in which work from elsewhere runs. Outlives all mail to it.
struct ShardHome {
  ShardHome(Shard& io_shard)  // NOLINT(google-explicit-constructor)
      : shard(io_shard), scope(io_shard.executor(), [this](std::exception_ptr fault) { on_fault(fault); }) {}
  void on_fault(std::exception_ptr fault);

  Shard& shard;
  base::TaskScope scope;
};

namespace detail {

template <class R>
struct RemoteState {
  explicit RemoteState(base::Executor& executor) : done(executor) {}
  base::Signal done;
  std::optional<R> result;
};

template <class R>
struct RemoteAnswer final : Mail {
  std::shared_ptr<RemoteState<R>> state;
  std::optional<R> result;
  void deliver() override {
    std::unique_ptr<RemoteAnswer> self{this};
    state->result = std::move(result);
    state->done.set();
  }
};

template <class R, class F>
base::Task<void> run_remote(ShardHome& target, base::ShardId home, F start, std::unique_ptr<RemoteAnswer<R>> answer) {
  answer->result.emplace(co_await start());
  target.shard.send(home, std::move(answer));
}

template <class R, class F>
struct RemoteCall final : Mail {
  RemoteCall(base::ShardId from, ShardHome& to, F f, std::shared_ptr<RemoteState<R>> state)
      : home(from), target(to), start(std::move(f)) {
    answer->state = std::move(state);
  }
  base::ShardId home;
  ShardHome& target;
  F start;
  std::unique_ptr<RemoteAnswer<R>> answer = std::make_unique<RemoteAnswer<R>>();
  void deliver() override {
    std::unique_ptr<RemoteCall> self{this};
    target.scope.spawn(run_remote<R, F>(target, home, std::move(start), std::move(answer)));
  }
};

template <class T>
struct TaskValue;
template <class T>
struct TaskValue<base::Task<T>> {
  using type = T;
};

}  // namespace detail

// Sends `start`, which returns a Task<R>, to the target's scope at once, in the order of calls; the returned task waits
// for the answer. The work goes on where the returned task is destroyed. `start` carries all it needs by value or by
// shared ownership, and stays alive until its task has ended.
template <class F, class R = typename detail::TaskValue<std::invoke_result_t<F>>::type>
base::Task<R> run_on(Shard& home, ShardHome& target, F start) {
  auto state = std::make_shared<detail::RemoteState<R>>(home.executor());
  home.send(target.shard.id(), std::make_unique<detail::RemoteCall<R, F>>(home.id(), target, std::move(start), state));
  return [](std::shared_ptr<detail::RemoteState<R>> waiting) -> base::Task<R> {
    co_await waiting->done.wait();
    co_return *std::move(waiting->result);
  }(std::move(state));
}

}  // namespace stele::io
