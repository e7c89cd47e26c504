#include "record/record_rules.h"

#include <fmt/format.h>

namespace stele::record {

using base::ErrorCode;

bool RecordRules::has_fault(const RecordFacts& record) {
  if (rules_.compacted && record.key_size < 0) {
    add_error(fmt::format("Compacted topic cannot accept message without key in topic partition {}", rules_.partition));
    return true;
  }
  if (rules_.timestamp_type == TimestampType::kCreateTime && record.timestamp != base::kNoTimestamp) {
    const int64_t age = wrapping_subtract(now_, record.timestamp.value());
    if (age <= rules_.before_max_ms && wrapping_subtract(0, age) <= rules_.after_max_ms) return false;
    has_timestamp_error_ = true;
    add_error(
        fmt::format("Timestamp {} of message with offset {} is out of range. The timestamp should be within [{}, {}]",
                    record.timestamp.value(), record.offset, wrapping_subtract(now_, rules_.before_max_ms),
                    wrapping_add(now_, rules_.after_max_ms)));
    return true;
  }
  if (batch_.timestamp_type() != TimestampType::kLogAppendTime) return false;
  has_timestamp_error_ = true;
  add_error(
      fmt::format("Invalid timestamp type in message {}(offset={}, timestamp={}, key={} bytes, value={} bytes). "
                  "Producer should not set timestamp type to LogAppendTime.",
                  compressed_ ? "PartialDefaultRecord" : "DefaultRecord", record.offset, record.timestamp.value(),
                  compressed_ ? record.key_size : std::max(record.key_size, 0),
                  compressed_ ? record.value_size : std::max(record.value_size, 0)));
  return true;
}

void RecordRules::add_error(std::string message) {
  if (error_count_++ < kRecordErrorsMax) errors_.push_back({count_, std::move(message)});
}

std::optional<Rejection> RecordRules::rejection() && {
  if (error_count_ == 0) return std::nullopt;
  if (has_timestamp_error_) {
    return Rejection{ErrorCode::kInvalidTimestamp, "One or more records have been rejected due to invalid timestamp",
                     std::move(errors_)};
  }
  std::string shown;
  for (size_t i = 0; i < std::min<size_t>(errors_.size(), 3); ++i) {
    shown += fmt::format("{}RecordError(batchIndex={}, message='{}')", i == 0 ? "" : ", ", errors_[i].index,
                         errors_[i].message);
  }
  return Rejection{ErrorCode::kInvalidRecord,
                   fmt::format("One or more records have been rejected due to {} record errors in total, and only "
                               "showing the first three errors at most: [{}]",
                               error_count_, shown),
                   std::move(errors_)};
}

}  // namespace stele::record
