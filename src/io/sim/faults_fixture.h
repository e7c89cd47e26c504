// For tests of faults: hosts whose programs are a few lines each.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "io/sim/sim_world.h"

namespace stele::io {

class FaultsTest : public ::testing::Test {
 protected:
  // Runs main(shard, arguments...) on the host to its end; the process is then gone.
  template <class... Parameters, class... Arguments>
  void run(SimHost& host, base::Task<void> (*main)(Shard&, Parameters...), Arguments&... arguments) {
    host.start(1, [&](Shard& shard) { return main(shard, arguments...); });
    EXPECT_TRUE(world_.run_until([&] { return host.ended(); }, std::chrono::hours{1})) << "still runs";
    host.crash();
  }

  SimWorld world_{{}};
  SimHost& a_ = world_.add_host("a");
  SimHost& b_ = world_.add_host("b");
};

template <class T>
T must(base::Result<T> result) {
  return std::move(result).value();
}
inline void must(const base::Result<void>& result) { result.value(); }

// The error's number, or 0.
template <class T>
int errno_of(const base::Result<T>& result) {
  return result.ok() ? 0 : result.error().os_error;
}

}  // namespace stele::io
