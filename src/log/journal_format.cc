#include "log/journal_format.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/crc32c.h"

namespace stele::log {

namespace {
using base::ErrorCode;

constexpr std::string_view kFileMagic = "SteleJnl";
constexpr std::string_view kGroupMagic = "SJGp";
constexpr int16_t kVersion = 1;
constexpr size_t kFileCrcAt = 28;
constexpr size_t kFileHeaderSize = 32;
constexpr size_t kGroupCrcAt = 40;
constexpr size_t kEntryCrcAt = 4;
constexpr size_t kEntryBodyAt = 8;
constexpr size_t kEntryFixedSize = kEntryBodyAt + 1 + 16 + 8 + 8 + 2;

void append_uuid(base::ByteVector& out, base::Uuid id) {
  base::append_be(out, id.high);
  base::append_be(out, id.low);
}

base::Uuid load_uuid(const std::byte* at) { return {base::load_be<uint64_t>(at), base::load_be<uint64_t>(at + 8)}; }

// Nothing where the entry at the begin of `rest` is not as it was written.
std::optional<JournalEntry> parse_entry(base::Bytes rest, size_t& size) {
  if (rest.size() < kEntryFixedSize) return std::nullopt;
  const auto behind = base::load_be<uint32_t>(rest.data());
  if (behind > rest.size() - 4 || behind < kEntryFixedSize - 4) return std::nullopt;
  size = behind + 4;
  if (base::load_be<uint32_t>(&rest[kEntryCrcAt]) != base::crc32c(rest.first(size).subspan(kEntryBodyAt))) {
    return std::nullopt;
  }
  const std::byte* at = &rest[kEntryBodyAt];
  JournalEntry entry;
  entry.kind = static_cast<JournalKind>(base::load_be<int8_t>(at));
  entry.topic_id = load_uuid(at + 1);
  entry.first = base::Offset{base::load_be<int64_t>(at + 17)};
  entry.end = base::Offset{base::load_be<int64_t>(at + 25)};
  const auto name = base::load_be<uint16_t>(at + 33);
  if (name > size - kEntryFixedSize) return std::nullopt;
  if (entry.kind < JournalKind::kRecords || entry.kind > JournalKind::kBehindGap) return std::nullopt;
  entry.directory = base::as_text(rest.subspan(kEntryFixedSize, name));
  entry.batches = rest.first(size).subspan(kEntryFixedSize + name);
  return entry;
}

// The group that begins `rest`, and how many bytes it has; nothing where none begins there.
std::optional<JournalGroup> parse_group(base::Bytes rest, base::Uuid journal, size_t& size) {
  if (rest.size() < kGroupHeaderSize || base::as_text(rest.first(4)) != kGroupMagic) return std::nullopt;
  if (base::load_be<uint32_t>(&rest[kGroupCrcAt]) != base::crc32c(rest.first(kGroupCrcAt))) return std::nullopt;
  JournalGroup group;
  group.journal = load_uuid(&rest[4]);
  group.sequence = base::load_be<uint64_t>(&rest[20]);
  group.oldest = base::load_be<uint64_t>(&rest[28]);
  const auto bytes = base::load_be<uint32_t>(&rest[36]);
  if (group.journal != journal || bytes > rest.size() - kGroupHeaderSize) return std::nullopt;
  size = kGroupHeaderSize + bytes;
  base::Bytes entries = rest.subspan(kGroupHeaderSize, bytes);
  while (!entries.empty() && group.whole) {
    size_t entry_size = 0;
    auto entry = parse_entry(entries, entry_size);
    group.whole = entry.has_value();
    if (!entry) break;
    group.entries.push_back(*std::move(entry));
    entries = entries.subspan(entry_size);
  }
  return group;
}

}  // namespace

base::ByteVector encode_journal_header(base::Uuid journal) {
  base::ByteVector out;
  base::append(out, base::as_bytes(kFileMagic));
  base::append_be(out, kVersion);
  base::append_be(out, int16_t{0});
  append_uuid(out, journal);
  base::append_be(out, base::crc32c(out));
  return out;
}

base::Result<std::optional<base::Uuid>> parse_journal_header(base::Bytes file) {
  if (file.size() < kFileHeaderSize) return std::optional<base::Uuid>{};
  const base::Bytes header = file.first(kFileHeaderSize);
  if (std::ranges::all_of(header, [](std::byte byte) { return byte == std::byte{0}; })) {
    return std::optional<base::Uuid>{};
  }
  // The version first: another one may sum otherwise.
  if (base::as_text(header.first(kFileMagic.size())) != kFileMagic) {
    return {ErrorCode::kCorruptMessage, "this is no journal of Stele"};
  }
  if (const auto version = base::load_be<int16_t>(&header[kFileMagic.size()]); version != kVersion) {
    return {ErrorCode::kInvalidConfig, fmt::format("journal version {} is not known, only {} is", version, kVersion)};
  }
  if (base::load_be<uint32_t>(&header[kFileCrcAt]) != base::crc32c(header.first(kFileCrcAt))) {
    return {ErrorCode::kCorruptMessage, "the header of the journal is damaged"};
  }
  return std::optional{load_uuid(&header[kFileMagic.size() + 4])};
}

void append_journal_entry(base::ByteVector& group, const JournalEntry& entry, std::span<const base::Bytes> batches) {
  const size_t at = group.size();
  base::append_be(group, uint32_t{0});
  base::append_be(group, uint32_t{0});
  base::append_be(group, static_cast<int8_t>(entry.kind));
  append_uuid(group, entry.topic_id);
  base::append_be(group, entry.first.value());
  base::append_be(group, entry.end.value());
  base::append_be(group, static_cast<uint16_t>(entry.directory.size()));
  base::append(group, base::as_bytes(entry.directory));
  for (const base::Bytes part : batches) base::append(group, part);
  base::store_be(&group[at], static_cast<uint32_t>(group.size() - at - 4));
  base::store_be(&group[at + kEntryCrcAt], base::crc32c(base::Bytes{group}.subspan(at + kEntryBodyAt)));
}

void seal_journal_group(base::ByteVector& group, base::Uuid journal, uint64_t sequence, uint64_t oldest) {
  base::ByteVector header;
  header.reserve(kGroupHeaderSize);
  base::append(header, base::as_bytes(kGroupMagic));
  append_uuid(header, journal);
  base::append_be(header, sequence);
  base::append_be(header, oldest);
  base::append_be(header, static_cast<uint32_t>(group.size() - kGroupHeaderSize));
  base::append_be(header, base::crc32c(header));
  std::ranges::copy(header, group.begin());
  group.resize((group.size() + kJournalBlock - 1) / kJournalBlock * kJournalBlock);
}

std::vector<JournalGroup> find_journal_groups(base::Bytes file, base::Uuid journal) {
  std::vector<JournalGroup> groups;
  for (size_t at = kJournalBlock; at < file.size();) {
    size_t size = 0;
    auto group = parse_group(file.subspan(at), journal, size);
    if (group) groups.push_back(*std::move(group));
    at += group ? (size + kJournalBlock - 1) / kJournalBlock * kJournalBlock : kJournalBlock;
  }
  return groups;
}

}  // namespace stele::log
