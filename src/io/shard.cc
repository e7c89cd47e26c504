#include "io/shard.h"

namespace stele::io {

base::Task<void> sleep_until(Shard& shard, base::MonoTime deadline) {
  base::Signal due{shard.executor()};
  const std::unique_ptr<Timer> timer = shard.make_timer();
  timer->arm(deadline, due);
  co_await due.wait();
}

}  // namespace stele::io
