// Producer snapshot (`<offset>.snapshot`): what the log knows of its idempotent producers before that offset. Form of
// Kafka's ProducerSnapshot.json, version 1:
//   version i16 = 1 | crc32c u32 of all that follows | count i32 | entries of 46 bytes:
//   producer id i64 | epoch i16 | last sequence i32 | last offset i64 | offset delta i32 | timestamp i64 |
//   coordinator epoch i32 | first offset of the open transaction i64, -1 for none
// Only the last batch of a producer is kept. A snapshot is a cache of the log before it.
#pragma once

#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"

namespace stele::log {

struct ProducerSnapshotEntry {
  base::ProducerId producer_id;
  base::ProducerEpoch epoch;
  int32_t last_sequence = -1;
  base::Offset last_offset = base::kNoOffset;
  int32_t offset_delta = 0;
  base::Timestamp timestamp = base::kNoTimestamp;
  int32_t coordinator_epoch = -1;
  base::Offset transaction_first_offset = base::kNoOffset;
  friend bool operator==(const ProducerSnapshotEntry&, const ProducerSnapshotEntry&) = default;
};

base::ByteVector encode_producer_snapshot(const std::vector<ProducerSnapshotEntry>& entries);
// kCorruptMessage: another version, a wrong checksum, a count that the bytes do not hold.
base::Result<std::vector<ProducerSnapshotEntry>> parse_producer_snapshot(base::Bytes file);

}  // namespace stele::log
