// When a log dir is too full for more records, and when it is not any more.
#pragma once

#include <cstdint>

#include "io/file.h"

namespace stele::broker {

enum class SpaceLevel : uint8_t {
  kEnough,
  kNearFull,     // records of clients are refused
  kReserveUsed,  // those of the coordinators too; what is left is for the metadata log, checkpoints and truncations
};

class SpaceWatch {
 public:
  // `min_free`: stele.log.dir.min.free.bytes; -1: the smaller of 1 GiB and a twentieth of the file system; 0: no limit.
  explicit SpaceWatch(int64_t min_free) : min_free_(min_free) {}

  SpaceLevel level() const { return level_; }
  const io::Space& space() const { return space_; }
  // Free bytes below which clients are refused.
  uint64_t limit() const;
  // Free bytes from which on they are served again.
  uint64_t enough() const;
  // What the file system says now. Comes back from a level only once a quarter more than its limit is free, so that
  // neither clients nor the log see it change all the time.
  SpaceLevel saw(io::Space space);
  // A write found no space, whatever was seen before: clients are refused until there is enough().
  void ran_out();

 private:
  int64_t min_free_;
  io::Space space_;
  SpaceLevel level_ = SpaceLevel::kEnough;
  bool ran_out_ = false;
};

}  // namespace stele::broker
