// Readiness of file descriptors, on one io_context. One thread at a time; nothing here may be called from another one.
#pragma once

#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "base/executor.h"

namespace stele::io {

enum class Direction : uint8_t { kRead = 0, kWrite = 1 };

// A descriptor that is watched. Owns and closes it. Waiting allocates nothing.
class Watch {
 public:
  Watch() = default;
  Watch(Watch&& other) noexcept;
  Watch& operator=(Watch&& other) noexcept;
  ~Watch();

  int fd() const;
  // Sets the signal once the descriptor is ready, in error or at its end; a ready one that was used up meanwhile may
  // still be reported. Null forgets the signal.
  void notify(Direction direction, base::Signal* signal);
  // Sets and forgets both signals.
  void wake_all();
  // Gives the descriptor up; the signals are forgotten.
  int release();

 private:
  friend class Reactor;
  struct State;
  explicit Watch(State* state);
  State* state_ = nullptr;
};

class Reactor {
 public:
  Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;
  ~Reactor();

  // Takes the descriptor over. One that can't be watched is closed: fd() is -1 then, and every notify() reports at
  // once, so that the next call on it tells the error.
  Watch watch(int fd);
  // Handles all that is ready, without waiting.
  void poll();
  // Waits until something is ready or the time is over (forever where it is negative), and handles all that is ready.
  void wait(base::Duration longest);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stele::io
