// For tests: one suite for every world. A test is a coroutine that runs as the main of shard 0 (or of each shard).
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "io/sim/sim_world.h"
#include "io/world.h"

namespace stele::io::conformance {

class WorldUnderTest {
 public:
  virtual ~WorldUnderTest() = default;
  // Runs until every main has ended.
  virtual void run(uint32_t shards, World::Main main) = 0;
  virtual Shard& shard(uint32_t id) = 0;
  // An empty directory, of this test alone.
  virtual std::string directory() = 0;
};

// "real", or a simulated world with the seed at the end of the name: "sim1", "sim2".
std::unique_ptr<WorldUnderTest> make_world(const std::string& name);
std::vector<std::string> world_names();

class ConformanceTest : public ::testing::TestWithParam<std::string> {
 protected:
  // Runs main(shard, arguments...) on shard 0; the others only take mail.
  template <class... Parameters, class... Arguments>
  void run(base::Task<void> (*main)(Shard&, Parameters...), Arguments&... arguments) {
    run_on(1, main, arguments...);
  }
  template <class... Parameters, class... Arguments>
  void run_on(uint32_t shards, base::Task<void> (*main)(Shard&, Parameters...), Arguments&... arguments) {
    world_->run(shards, [&](Shard& shard) { return shard.id().value() == 0 ? main(shard, arguments...) : nothing(); });
  }

  static base::Task<void> nothing() { co_return; }

  std::unique_ptr<WorldUnderTest> world_ = make_world(GetParam());
};

// Every error of these tests is unexpected, but for those that they ask for.
template <class T>
T must(base::Result<T> result) {
  return std::move(result).value();
}
inline void must(const base::Result<void>& result) { result.value(); }

}  // namespace stele::io::conformance
