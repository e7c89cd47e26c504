// What the simulated disk needs of the shard that calls it.
#pragma once

#include <functional>

#include "base/clock.h"
#include "base/task.h"
#include "io/shard.h"

namespace stele::io {

class SimLoop : public Shard {
 public:
  // The shard stands still for so long from now: something that production does inline takes its time.
  virtual void hold_up(base::Duration time) = 0;
  // As offload(), and `more` longer.
  virtual base::Task<void> offload_for(base::Duration more, std::move_only_function<void()> work) = 0;
};

}  // namespace stele::io
