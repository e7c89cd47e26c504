#include "log/time_index.h"

#include <algorithm>

namespace stele::log {

using base::ErrorCode;

void TimeIndex::add(base::Timestamp timestamp, base::Offset offset) {
  const auto& last = entries_.last();
  if (timestamp.value() <= (last ? last->timestamp : base::kNoTimestamp.value())) return;
  entries_.add({timestamp.value(), static_cast<uint32_t>(offset - base_)});
}

base::Offset TimeIndex::offset_for(base::Timestamp target) const {
  const auto all = entries_.all();
  const auto above = std::ranges::upper_bound(all, target.value(), {}, &TimeIndexEntry::timestamp);
  return above == all.begin() ? base_ : base_ + int64_t{std::prev(above)->relative_offset};
}

void TimeIndex::truncate_to(base::Offset offset) {
  const auto all = entries_.all();
  const auto keep =
      std::ranges::lower_bound(all, offset - base_, {}, [](const auto& e) { return int64_t{e.relative_offset}; });
  entries_.cut(static_cast<size_t>(keep - all.begin()));
}

base::Result<std::vector<TimeIndexEntry>> TimeIndex::parse(base::Bytes file) {
  if (file.size() % kEntrySize != 0) {
    return {ErrorCode::kCorruptMessage, fmt::format("{} bytes are no whole time index entries", file.size())};
  }
  std::vector<TimeIndexEntry> entries;
  entries.reserve(file.size() / kEntrySize);
  for (size_t at = 0; at < file.size(); at += kEntrySize) {
    entries.push_back({base::load_be<int64_t>(&file[at]), base::load_be<uint32_t>(&file[at + 8])});
  }
  while (!entries.empty() && entries.back() == TimeIndexEntry{}) entries.pop_back();
  entries.shrink_to_fit();
  for (size_t i = 1; i < entries.size(); ++i) {
    if (entries[i].timestamp <= entries[i - 1].timestamp ||
        entries[i].relative_offset < entries[i - 1].relative_offset) {
      return {ErrorCode::kCorruptMessage, fmt::format("time index entry {} ({}, {}) is out of order", i,
                                                      entries[i].timestamp, entries[i].relative_offset)};
    }
  }
  return entries;
}

base::ByteVector TimeIndex::encode(std::span<const TimeIndexEntry> entries) {
  base::ByteVector out(entries.size() * kEntrySize);
  std::byte* at = out.data();
  for (const TimeIndexEntry& entry : entries) {
    base::store_be(at, entry.timestamp);
    base::store_be(at + 8, entry.relative_offset);
    at += kEntrySize;
  }
  return out;
}

}  // namespace stele::log
