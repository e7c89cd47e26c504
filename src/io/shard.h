// A shard: one event loop with everything that code above io/ may use. Production runs one thread for each; the
// simulated world runs all of them on one queue.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/executor.h"
#include "base/ids.h"
#include "base/log_sink.h"
#include "base/random.h"
#include "base/result.h"
#include "base/task.h"
#include "io/file.h"
#include "io/stream.h"

namespace stele::base {
class Complaints;
}

namespace stele::io {

class Timer {
 public:
  virtual ~Timer() = default;  // disarms
  // Sets the signal at the deadline (at once when it has passed); arming again replaces the deadline and the signal.
  virtual void arm(base::MonoTime deadline, base::Signal& signal) = 0;
  virtual void disarm() = 0;
};

// A message to another shard. The sender gives it up until it is delivered; deliver() runs on the target's loop.
// Messages from one shard to another arrive in the order in which they were sent.
class Mail {
 public:
  virtual ~Mail() = default;
  virtual void deliver() = 0;  // owns itself: deletes itself, or passes itself on
  Mail* next = nullptr;        // for the link's use
};

// What a loop did since it began.
struct LoopCounts {
  base::Duration busy{0};  // not waiting for events
  uint64_t turns = 0;      // looks at the sockets; every one is a system call
  uint64_t mail = 0;       // messages taken in
  uint64_t wakeups = 0;    // other loops that were woken, each with a system call
  uint64_t socket_reads = 0;
  uint64_t socket_writes = 0;
  uint64_t file_reads = 0;
  uint64_t file_reads_missed = 0;  // those of them that the page cache could not serve whole
  uint64_t file_writes = 0;
  uint64_t file_sends = 0;  // from the page cache to a socket; each looks at the page cache with another system call

  // Without the rare ones: opening, closing, clocks that the kernel must be asked for, work off the loop.
  uint64_t system_calls() const {
    return turns + wakeups + socket_reads + socket_writes + file_reads + file_writes + 2 * file_sends;
  }
};

class Shard {
 public:
  virtual ~Shard() = default;

  virtual base::ShardId id() const = 0;
  virtual uint32_t shard_count() const = 0;
  virtual base::Executor& executor() = 0;
  virtual base::Clock& clock() = 0;
  virtual base::Random& random() = 0;
  virtual base::LogSink& log() = 0;
  // Where lines about what peers do go, and counts of the limits that they meet.
  virtual base::Complaints& complaints() = 0;
  virtual std::unique_ptr<Timer> make_timer() = 0;

  // Listening and connecting resolve the host first: listen() inline, which may block (it belongs to the start of a
  // broker), connect() off the loop. Port 0 takes a free one. Errors name the address; os_error tells a taken port
  // (EADDRINUSE).
  virtual base::Result<std::unique_ptr<Listener>> listen(const Endpoint& endpoint) = 0;
  virtual base::Task<base::Result<std::unique_ptr<Stream>>> connect(Endpoint endpoint) = 0;
  virtual std::unique_ptr<Stream> adopt(std::unique_ptr<DetachedStream> stream) = 0;
  virtual std::unique_ptr<DetachedStream> detach(std::unique_ptr<Stream> stream) = 0;

  // The directory at an absolute path (or below the process's working directory); made with its parents where `create`.
  virtual base::Task<base::Result<std::unique_ptr<Directory>>> open_directory(std::string path, bool create) = 0;

  // Hands mail to another shard's loop (or this one's). May be called from this shard only. Mail to a world that is
  // stopping is destroyed undelivered.
  virtual void send(base::ShardId to, std::unique_ptr<Mail> mail) = 0;
  // Runs work off the loop, on a helper thread; the task ends on this shard. The work touches nothing that the shard
  // owns.
  virtual base::Task<void> offload(std::move_only_function<void()> work) = 0;

  // Of this loop alone. The simulated world leaves it empty.
  virtual LoopCounts& counts() = 0;

  // True where a rare path is to be taken on purpose: one that changes timing or sizes, never a promise. Constant false
  // in production; the simulator draws it from its seed. The names are listed in sim/branches.cc.
  virtual bool maybe(const char* fault_point) = 0;
  // Tells that a rare branch was reached by itself; the simulator counts it. Nothing in production. Names as above.
  virtual void mark(const char* branch) = 0;
};

// Ends at the deadline.
base::Task<void> sleep_until(Shard& shard, base::MonoTime deadline);

}  // namespace stele::io
