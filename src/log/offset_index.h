// Offset index of one segment (`.index`): where in the .log a batch begins. Entry, 8 bytes:
//   | last offset of the batch - base offset of the segment u32 | position of its first byte u32 |
// No header, no checksum; both columns rise. A cache: recovery makes it anew from the .log, so that a bad entry costs
// time, never data. Kafka's OffsetIndex.java.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "log/index_entries.h"

namespace stele::log {

struct OffsetIndexEntry {
  uint32_t relative_offset = 0;
  uint32_t position = 0;
  friend bool operator==(const OffsetIndexEntry&, const OffsetIndexEntry&) = default;
};

class OffsetIndex {
 public:
  static constexpr size_t kEntrySize = 8;
  // index_bytes: segment.index.bytes, rounded down to whole entries.
  OffsetIndex(base::Offset base, int64_t index_bytes)
      : base_(base), entries_max_(static_cast<size_t>(index_bytes) / kEntrySize) {}

  bool is_full() const { return entries_.count() >= entries_max_; }
  // The caller keeps both columns rising.
  void add(base::Offset last_offset, uint32_t position);
  // Position of a batch at or before the one that holds `target`; 0 where no entry is low enough.
  uint32_t position_for(base::Offset target) const;
  // Drops what points at batches that reach `offset` or beyond.
  void truncate_to(base::Offset offset);

  // Content of a file; zeros at its end (preallocated, never trimmed) are no entries. kCorruptMessage: not whole
  // entries, columns that do not rise, a position at or past `log_bytes`.
  static base::Result<std::vector<OffsetIndexEntry>> parse(base::Bytes file, uint64_t log_bytes);
  static base::ByteVector encode(std::span<const OffsetIndexEntry> entries);

  IndexEntries<OffsetIndexEntry>& entries() { return entries_; }
  const IndexEntries<OffsetIndexEntry>& entries() const { return entries_; }

 private:
  base::Offset base_;
  size_t entries_max_;
  IndexEntries<OffsetIndexEntry> entries_;
};

}  // namespace stele::log
