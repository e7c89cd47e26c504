// Which segments have outlived their topic's retention. A core.
#pragma once

#include <cstdint>
#include <span>

#include "base/ids.h"
#include "log/options.h"

namespace stele::log {

struct SegmentFacts {
  base::Offset base;
  uint64_t bytes = 0;
  base::Timestamp newest;  // largest timestamp of its records
};

struct RetentionPlan {
  base::Offset log_start;  // where the log is to begin
  size_t segments = 0;     // how many of the oldest go; all of them: the active one is rolled first
};

// Oldest first, only while wholly below the high watermark; an empty active segment stays. Time first, then size of
// what is left, as Kafka's UnifiedLog.deleteOldSegments. The policy's being "delete" is the caller's question.
RetentionPlan plan_retention(std::span<const SegmentFacts> segments, const LogOptions& options, base::Timestamp now,
                             base::Offset high_watermark, base::Offset log_end, base::Offset log_start);

}  // namespace stele::log
