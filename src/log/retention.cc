#include "log/retention.h"

#include <algorithm>

namespace stele::log {

RetentionPlan plan_retention(std::span<const SegmentFacts> segments, const LogOptions& options, base::Timestamp now,
                             base::Offset high_watermark, base::Offset log_end, base::Offset log_start) {
  RetentionPlan plan{log_start, 0};
  const auto end_of = [&](size_t i) { return i + 1 < segments.size() ? segments[i + 1].base : log_end; };
  const auto may_go = [&](size_t i) {
    const bool empty_active = i + 1 == segments.size() && segments[i].bytes == 0;
    return i < segments.size() && !empty_active && high_watermark >= end_of(i);
  };
  const auto take = [&] {
    plan.log_start = std::max(plan.log_start, end_of(plan.segments));
    ++plan.segments;
  };
  if (options.retention_ms >= 0) {
    while (may_go(plan.segments) && now.value() - segments[plan.segments].newest.value() > options.retention_ms) take();
  }
  if (options.retention_bytes >= 0) {
    int64_t excess = -options.retention_bytes;
    for (size_t i = plan.segments; i < segments.size(); ++i) excess += static_cast<int64_t>(segments[i].bytes);
    while (may_go(plan.segments) && excess >= static_cast<int64_t>(segments[plan.segments].bytes)) {
      excess -= static_cast<int64_t>(segments[plan.segments].bytes);
      take();
    }
  }
  return plan;
}

}  // namespace stele::log
