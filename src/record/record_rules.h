// The rules of LogValidator.validateRecord that a single record can break; part of validator.h's validation.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "record/batch.h"
#include "record/validator.h"

namespace stele::record {

// Sums of what a peer sends may overflow: they wrap, as Java's do.
inline int64_t wrapping_subtract(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}
inline int64_t wrapping_add(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

// What the rules for one record look at. Sizes are -1 for null.
struct RecordFacts {
  int64_t offset = 0;
  base::Timestamp timestamp;
  int32_t key_size = -1;
  int32_t value_size = -1;
};

// Applies the rules for single records of LogValidator.validateRecord, and gathers what the batch as a whole needs.
class RecordRules {
 public:
  RecordRules(const BatchView& batch, const AppendRules& rules, base::Timestamp now, bool in_place_compressed)
      : batch_(batch), rules_(rules), now_(now.value()), compressed_(in_place_compressed) {}

  void check(const RecordFacts& record) {
    const bool fault = has_fault(record);
    if (!fault && record.offset != count_) offsets_are_consecutive_ = false;
    if (record.timestamp < base::kNoTimestamp) has_negative_timestamp_ = true;
    max_timestamp_ = std::max(max_timestamp_, record.timestamp);
    ++count_;
  }
  // The rejection that the records seen so far call for, if any.
  std::optional<Rejection> rejection() &&;
  int32_t count() const { return count_; }
  base::Timestamp max_timestamp() const { return max_timestamp_; }
  bool offsets_are_consecutive() const { return offsets_are_consecutive_; }
  bool has_negative_timestamp() const { return has_negative_timestamp_; }

 private:
  bool has_fault(const RecordFacts& record);
  void add_error(std::string message);

  const BatchView& batch_;
  const AppendRules& rules_;
  int64_t now_;
  bool compressed_;
  int32_t count_ = 0;
  base::Timestamp max_timestamp_ = base::kNoTimestamp;
  bool offsets_are_consecutive_ = true;
  bool has_negative_timestamp_ = false;
  size_t error_count_ = 0;
  bool has_timestamp_error_ = false;
  std::vector<RecordError> errors_;
};

}  // namespace stele::record
