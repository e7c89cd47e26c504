// Time index of one segment (`.timeindex`): the largest timestamp so far. Entry, 12 bytes:
//   | timestamp i64 | last offset of the batch that had it - base offset of the segment u32 |
// Timestamps rise, offsets do not fall. Written beside an offset index entry, and once more when the segment ends, so
// that the last entry of a rolled segment holds its largest timestamp. Kafka's TimeIndex.java.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "log/index_entries.h"

namespace stele::log {

struct TimeIndexEntry {
  int64_t timestamp = 0;
  uint32_t relative_offset = 0;
  friend bool operator==(const TimeIndexEntry&, const TimeIndexEntry&) = default;
};

class TimeIndex {
 public:
  static constexpr size_t kEntrySize = 12;
  TimeIndex(base::Offset base, int64_t index_bytes)
      : base_(base), entries_max_(static_cast<size_t>(index_bytes) / kEntrySize) {}

  // One slot is kept for the entry at the segment's end.
  bool is_full() const { return entries_.count() + 1 >= entries_max_; }
  // Nothing where the timestamp did not grow.
  void add(base::Timestamp timestamp, base::Offset offset);
  // Offset from which on a record with a timestamp >= `target` can be: that of the last entry not above the target, the
  // segment's base where there is none.
  base::Offset offset_for(base::Timestamp target) const;
  void truncate_to(base::Offset offset);

  // As OffsetIndex::parse.
  static base::Result<std::vector<TimeIndexEntry>> parse(base::Bytes file);
  static base::ByteVector encode(std::span<const TimeIndexEntry> entries);

  IndexEntries<TimeIndexEntry>& entries() { return entries_; }
  const IndexEntries<TimeIndexEntry>& entries() const { return entries_; }

 private:
  base::Offset base_;
  size_t entries_max_;
  IndexEntries<TimeIndexEntry> entries_;
};

}  // namespace stele::log
