#include "broker/space_watch.h"

#include <algorithm>

namespace stele::broker {

namespace {

constexpr uint64_t kLimitMost = uint64_t{1} << 30;
constexpr uint64_t kLimitPart = 20;    // of the file system
constexpr uint64_t kReservePart = 4;   // of the limit
constexpr uint64_t kLeastPart = 1000;  // of the file system, after a write found no space and there is no limit

}  // namespace

uint64_t SpaceWatch::limit() const {
  if (min_free_ >= 0) return static_cast<uint64_t>(min_free_);
  return std::min(kLimitMost, space_.total_bytes / kLimitPart);
}

uint64_t SpaceWatch::enough() const {
  const uint64_t least = ran_out_ ? space_.total_bytes / kLeastPart : 0;
  const uint64_t at = std::max(limit(), least);
  return at + at / 4;
}

SpaceLevel SpaceWatch::saw(io::Space space) {
  space_ = space;
  const uint64_t free = space.usable_bytes;
  const uint64_t reserve = limit() / kReservePart;
  if (free >= enough()) {
    level_ = SpaceLevel::kEnough;
    ran_out_ = false;
  } else if (free < reserve) {
    level_ = SpaceLevel::kReserveUsed;
  } else if (level_ == SpaceLevel::kReserveUsed) {
    if (free >= reserve + reserve / 4) level_ = SpaceLevel::kNearFull;
  } else if (free < limit() || ran_out_) {
    level_ = SpaceLevel::kNearFull;
  }
  return level_;
}

void SpaceWatch::ran_out() {
  ran_out_ = true;
  level_ = std::max(level_, SpaceLevel::kNearFull);
}

}  // namespace stele::broker
