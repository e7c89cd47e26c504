// Time is a parameter: only io/ knows how to read a clock.
#pragma once

#include <chrono>

#include "base/ids.h"

namespace stele::base {

// Monotonic time of one process (or one simulated world); its zero means nothing.
struct MonoClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonoClock>;
  static constexpr bool is_steady = true;
};
using Duration = MonoClock::duration;
using MonoTime = MonoClock::time_point;

class Clock {
 public:
  virtual ~Clock() = default;
  // Stands still within one turn of an event loop.
  virtual MonoTime now() const = 0;
  // Now, whatever the turn: for measuring.
  virtual MonoTime read() const = 0;
  virtual Timestamp wall() const = 0;  // milliseconds since 1970
};

}  // namespace stele::base
