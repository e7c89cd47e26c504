// Work off the loop that brings a value home.
#pragma once

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "io/shard.h"

namespace stele::io {

// `work` runs to its end even when the awaiting frame goes; its value is then destroyed on the shard.
template <class F, class R = std::invoke_result_t<F&>>
base::Task<R> off_loop(Shard& shard, F work) {
  auto result = std::make_shared<std::optional<R>>();
  std::move_only_function<void()> run = [result, work = std::move(work)]() mutable { result->emplace(work()); };
  co_await shard.offload(std::move(run));
  co_return std::move(**result);
}

}  // namespace stele::io
