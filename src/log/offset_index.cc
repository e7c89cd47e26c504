#include "log/offset_index.h"

#include <algorithm>

namespace stele::log {

using base::ErrorCode;

void OffsetIndex::add(base::Offset last_offset, uint32_t position) {
  const auto relative = static_cast<uint32_t>(last_offset - base_);
  if (const auto& last = entries_.last()) {
    STELE_CHECK(relative > last->relative_offset && position > last->position, "({}, {}) after ({}, {})", relative,
                position, last->relative_offset, last->position);
  }
  entries_.add({relative, position});
}

uint32_t OffsetIndex::position_for(base::Offset target) const {
  const int64_t relative = target - base_;
  const auto all = entries_.all();
  const auto above =
      std::ranges::upper_bound(all, relative, {}, [](const auto& e) { return int64_t{e.relative_offset}; });
  return above == all.begin() ? 0 : std::prev(above)->position;
}

void OffsetIndex::truncate_to(base::Offset offset) {
  const auto all = entries_.all();
  const auto keep =
      std::ranges::lower_bound(all, offset - base_, {}, [](const auto& e) { return int64_t{e.relative_offset}; });
  entries_.cut(static_cast<size_t>(keep - all.begin()));
}

base::Result<std::vector<OffsetIndexEntry>> OffsetIndex::parse(base::Bytes file, uint64_t log_bytes) {
  if (file.size() % kEntrySize != 0) {
    return {ErrorCode::kCorruptMessage, fmt::format("{} bytes are no whole offset index entries", file.size())};
  }
  std::vector<OffsetIndexEntry> entries;
  entries.reserve(file.size() / kEntrySize);
  for (size_t at = 0; at < file.size(); at += kEntrySize) {
    entries.push_back({base::load_be<uint32_t>(&file[at]), base::load_be<uint32_t>(&file[at + 4])});
  }
  while (!entries.empty() && entries.back() == OffsetIndexEntry{}) entries.pop_back();
  entries.shrink_to_fit();
  for (size_t i = 0; i < entries.size(); ++i) {
    const OffsetIndexEntry& entry = entries[i];
    const bool rises =
        i == 0 || (entry.relative_offset > entries[i - 1].relative_offset && entry.position > entries[i - 1].position);
    if (!rises || entry.position >= log_bytes) {
      return {ErrorCode::kCorruptMessage,
              fmt::format("offset index entry {} ({}, {}) is out of order or past the log's {} bytes", i,
                          entry.relative_offset, entry.position, log_bytes)};
    }
  }
  return entries;
}

base::ByteVector OffsetIndex::encode(std::span<const OffsetIndexEntry> entries) {
  base::ByteVector out(entries.size() * kEntrySize);
  std::byte* at = out.data();
  for (const OffsetIndexEntry& entry : entries) {
    base::store_be(at, entry.relative_offset);
    base::store_be(at + 4, entry.position);
    at += kEntrySize;
  }
  return out;
}

}  // namespace stele::log
