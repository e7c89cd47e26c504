// What may go wrong in a simulated world, as plain numbers that a test sets at any time. Everything is off by default:
// a world without faults keeps the promises of the ports and nothing more. Chances are in parts per million of the
// operations that they concern. Each kind of fault draws from a stream of its own, so that taking one away leaves the
// draws of the others as they were.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/random.h"

namespace stele::io {

inline constexpr uint32_t kAlways = 1'000'000;

// How often a fault, a point (Shard::maybe) or a mark (Shard::mark) was passed.
struct BranchCount {
  uint64_t asked = 0;
  uint64_t taken = 0;

  void happened() {
    ++asked;
    ++taken;
  }
  BranchCount& operator+=(const BranchCount& other) {
    asked += other.asked;
    taken += other.taken;
    return *this;
  }
};

// One kind of fault: its stream, and how often it came true.
class Chance {
 public:
  explicit Chance(uint64_t seed) : random_(seed) {}
  bool comes_true(uint32_t per_million) {
    if (per_million == 0) return false;
    ++count_.asked;
    if (random_.below(kAlways) >= per_million) return false;
    ++count_.taken;
    return true;
  }
  // Uniform in [0, longest].
  base::Duration up_to(base::Duration longest) {
    return base::Duration{static_cast<int64_t>(random_.below(static_cast<uint64_t>(longest.count()) + 1))};
  }
  uint64_t below(uint64_t bound) { return random_.below(bound); }
  const BranchCount& count() const { return count_; }

 private:
  base::SeededRandom random_;
  BranchCount count_;
};

// Of one device: the files and directories below a path.
struct DiskFaults {
  uint32_t write_error = 0;  // EIO; nothing is written
  uint32_t short_write = 0;  // a part is written, then EIO
  uint32_t sync_error = 0;  // EIO once: what was to be synced stays in view and is never written; the next sync is fine
  // EIO on creating, renaming, removing, listing or syncing a directory. A journal of the file system forgets no change
  // of names that it shows: what was not synced waits for the next sync.
  uint32_t directory_error = 0;
  uint32_t read_error = 0;
  uint32_t flipped_read = 0;           // one bit of what a read answers; the file itself is sound
  uint32_t cache_miss = kAlways / 16;  // a read has to wait for the disk; try_read() answers EAGAIN
  // An operation takes up to slow_longest, or stuck_for. One that production makes inline holds up the whole shard.
  uint32_t slow = 0;
  base::Duration slow_longest{};
  uint32_t stuck = 0;
  base::Duration stuck_for{};
  std::optional<uint64_t> capacity_bytes =
      {};                  // the sum of the sizes of its files; ENOSPC beyond, and shown by space()
  bool read_only = false;  // EROFS
};

// How a power loss treats what was not synced: relative weights, drawn for each file (or directory).
struct PowerLoss {
  uint32_t none = 1;       // all is gone
  uint32_t prefix = 1;     // the first of the operations stand
  uint32_t subset = 1;     // any of them; data and size each for itself
  uint32_t torn = 1;       // a prefix, and of the write after it any of its sectors, of 512 or 4,096 bytes
  uint32_t zero_tail = 1;  // the size is there, a part of the data only
  // Of a directory's unsynced changes a prefix stands; else none does.
  bool keeps_names = true;
};
// Everything that was not synced is gone.
inline constexpr PowerLoss kLoseAll{.prefix = 0, .subset = 0, .torn = 0, .zero_tail = 0, .keeps_names = false};

// Of one direction between two hosts, or of all.
struct NetworkFaults {
  uint32_t read_cut = kAlways / 4;  // a read gets a part of what is there
  uint64_t read_cut_largest = 0;    // ... of at most so many bytes; 0: any part
  uint32_t write_cut = 0;           // a write takes a part of what is offered
  base::Duration latency_least = std::chrono::microseconds{20};
  base::Duration latency_mean = std::chrono::microseconds{100};  // above the least one, exponential
  // Of each piece that is sent:
  uint32_t stall = 0;  // this direction of this connection stands still for up to stall_longest
  base::Duration stall_longest{};
  uint32_t reset = 0;      // both ends learn of it
  uint32_t half_open = 0;  // from here on nothing passes either way, and no end ever learns
  uint32_t refuse_connect = 0;
  base::Duration accept_delay_longest{};
  // Nothing passes until it is healed; then what was sent arrives. Connecting fails after connect_timeout.
  bool cut_off = false;
  base::Duration connect_timeout = std::chrono::seconds{20};
};

// Of the loops of all processes.
struct LoopFaults {
  base::Duration link_delay_longest =
      std::chrono::microseconds{50};  // of mail between shards; each link keeps its order
  base::Duration offload_least = std::chrono::microseconds{5};
  base::Duration offload_longest = std::chrono::microseconds{500};
  uint32_t slow_offload = 0;  // ... takes up to slow_offload_longest instead
  base::Duration slow_offload_longest{};
  uint32_t pause = 0;  // of each turn: the shard stands still for up to pause_longest
  base::Duration pause_longest{};
};

// Shard::maybe(). A world uses a part of the points (drawn from its seed), and each of those comes true at times.
struct RareBranches {
  uint32_t used = 0;   // of the points
  uint32_t taken = 0;  // of the times that one is asked
};

}  // namespace stele::io
