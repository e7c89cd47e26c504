// Work that outlives the connection which asked for it, and what it holds meanwhile.
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "base/executor.h"
#include "broker/broker_shard.h"
#include "server/budget.h"

namespace stele::server {

// What one piece of such work takes beside the bytes of its request: coroutines, mail, its place in queues.
inline constexpr size_t kHeldWorkBytes = size_t{8} << 10;

namespace detail {

template <class T>
struct HeldWork {
  explicit HeldWork(base::Executor& executor) : done(executor) {}
  base::Signal done;
  std::optional<T> result;
  std::exception_ptr fault;
};

template <class T>
base::Task<void> work_to_its_end(std::shared_ptr<HeldWork<T>> held, Budget* budget, size_t bytes, base::Task<T> work) {
  BudgetCharge charge;
  if (budget != nullptr) charge.add(*budget, bytes);
  try {
    held->result.emplace(co_await std::move(work));
  } catch (...) {
    held->fault = std::current_exception();
  }
  held->done.set();
}

}  // namespace detail

// Runs `work` in the scope of the shard, which is the caller's: it goes on where the returned task is destroyed, and
// its `bytes` (and kHeldWorkBytes) stay charged until it has ended. So a client that asks and leaves holds no less of
// the budget than one that waits for its answer. `work` carries all it needs.
template <class T>
base::Task<T> hold_to_the_end(broker::BrokerShard& home, Budget* budget, size_t bytes, base::Task<T> work) {
  const auto held = std::make_shared<detail::HeldWork<T>>(home.shard().executor());
  home.home().scope.spawn(detail::work_to_its_end<T>(held, budget, bytes + kHeldWorkBytes, std::move(work)));
  co_await held->done.wait();
  if (held->fault) std::rethrow_exception(held->fault);
  co_return *std::move(held->result);
}

}  // namespace stele::server
