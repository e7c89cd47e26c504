// call_on: runs a function on another shard and brings its answer home.
#pragma once

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "io/shard.h"

namespace stele::io {

namespace detail {

// What the caller waits on. It crosses to the target with the request and comes home with the answer; only the home
// shard touches it. A caller whose frame is gone leaves it to the answer, which finds nobody waiting.
template <class R>
struct CallState {
  explicit CallState(base::Executor& executor) : done(executor) {}
  base::Signal done;
  std::optional<R> result;
};

template <class R>
struct CallHome final : Mail {
  std::shared_ptr<CallState<R>> state;
  std::optional<R> result;
  void deliver() override {
    std::unique_ptr<CallHome> self{this};
    state->result = std::move(result);
    state->done.set();
  }
};

template <class R, class F>
struct CallOut final : Mail {
  CallOut(base::ShardId from, Shard& to, F f, std::shared_ptr<CallState<R>> state)
      : home(from), target(&to), function(std::move(f)) {
    answer->state = std::move(state);
  }
  base::ShardId home;
  Shard* target;
  F function;
  std::unique_ptr<CallHome<R>> answer = std::make_unique<CallHome<R>>();
  void deliver() override {
    std::unique_ptr<CallOut> self{this};
    answer->result.emplace(function());
    target->send(home, std::move(answer));
  }
};

}  // namespace detail

// `function` is plain (not a coroutine), runs on `target`, and touches only what that shard owns and what it carries.
template <class F, class R = std::invoke_result_t<F>>
base::Task<R> call_on(Shard& home, Shard& target, F function) {
  auto state = std::make_shared<detail::CallState<R>>(home.executor());
  home.send(target.id(), std::make_unique<detail::CallOut<R, F>>(home.id(), target, std::move(function), state));
  co_await state->done.wait();
  co_return *std::move(state->result);
}

}  // namespace stele::io
