#include "log/producer_snapshot.h"

#include <fmt/format.h>

#include "base/crc32c.h"

namespace stele::log {

namespace {
using base::ErrorCode;

constexpr int16_t kVersion = 1;
constexpr size_t kCrcAt = 2;
constexpr size_t kCountAt = 6;
constexpr size_t kHeaderSize = 10;
constexpr size_t kEntrySize = 46;
}  // namespace

base::ByteVector encode_producer_snapshot(const std::vector<ProducerSnapshotEntry>& entries) {
  base::ByteVector out;
  out.reserve(kHeaderSize + entries.size() * kEntrySize);
  base::append_be(out, kVersion);
  base::append_be(out, uint32_t{0});
  base::append_be(out, static_cast<int32_t>(entries.size()));
  for (const ProducerSnapshotEntry& entry : entries) {
    base::append_be(out, entry.producer_id.value());
    base::append_be(out, entry.epoch.value());
    base::append_be(out, entry.last_sequence);
    base::append_be(out, entry.last_offset.value());
    base::append_be(out, entry.offset_delta);
    base::append_be(out, entry.timestamp.value());
    base::append_be(out, entry.coordinator_epoch);
    base::append_be(out, entry.transaction_first_offset.value());
  }
  base::store_be(&out[kCrcAt], base::crc32c(base::Bytes{out}.subspan(kCountAt)));
  return out;
}

base::Result<std::vector<ProducerSnapshotEntry>> parse_producer_snapshot(base::Bytes file) {
  if (file.size() < kHeaderSize) {
    return {ErrorCode::kCorruptMessage, fmt::format("a producer snapshot of {} bytes is cut", file.size())};
  }
  if (const auto version = base::load_be<int16_t>(file.data()); version != kVersion) {
    return {ErrorCode::kCorruptMessage, fmt::format("producer snapshot version {} is not known", version)};
  }
  const auto stored = base::load_be<uint32_t>(&file[kCrcAt]);
  if (const uint32_t computed = base::crc32c(file.subspan(kCountAt)); computed != stored) {
    return {ErrorCode::kCorruptMessage,
            fmt::format("producer snapshot checksum is {:08x}, its content gives {:08x}", stored, computed)};
  }
  const auto count = base::load_be<int32_t>(&file[kCountAt]);
  if (count < 0 || kHeaderSize + static_cast<size_t>(count) * kEntrySize != file.size()) {
    return {ErrorCode::kCorruptMessage, fmt::format("{} producers do not fit {} bytes", count, file.size())};
  }
  std::vector<ProducerSnapshotEntry> entries;
  entries.reserve(static_cast<size_t>(count));
  for (size_t at = kHeaderSize; at < file.size(); at += kEntrySize) {
    const std::byte* p = &file[at];
    ProducerSnapshotEntry entry;
    entry.producer_id = base::ProducerId{base::load_be<int64_t>(p)};
    entry.epoch = base::ProducerEpoch{base::load_be<int16_t>(p + 8)};
    entry.last_sequence = base::load_be<int32_t>(p + 10);
    entry.last_offset = base::Offset{base::load_be<int64_t>(p + 14)};
    entry.offset_delta = base::load_be<int32_t>(p + 22);
    entry.timestamp = base::Timestamp{base::load_be<int64_t>(p + 26)};
    entry.coordinator_epoch = base::load_be<int32_t>(p + 34);
    entry.transaction_first_offset = base::Offset{base::load_be<int64_t>(p + 38)};
    entries.push_back(entry);
  }
  return entries;
}

}  // namespace stele::log
