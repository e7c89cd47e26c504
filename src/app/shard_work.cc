#include "app/shard_work.h"

#include "app/command.h"
#include "io/world.h"

namespace stele::app {

namespace {

base::Task<void> keep_answer(io::Shard& shard, const std::function<base::Task<int>(io::Shard&)>& work, int& code) {
  code = co_await work(shard);
}

}  // namespace

int run_on_shard(const std::function<base::Task<int>(io::Shard&)>& work) {
  int code = kExitRefused;
  io::World world{io::WorldOptions{.shards = 1, .offload_threads = 1, .log_level = base::LogLevel::kWarn}};
  world.start([&work, &code](io::Shard& shard) { return keep_answer(shard, work, code); });
  world.join();
  return code;
}

}  // namespace stele::app
