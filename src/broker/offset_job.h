// Offsets by time and by epoch, and the removal of old records.
#pragma once

#include <vector>

#include "broker/broker_shard.h"

namespace stele::broker {

// Timestamps of ListOffsets that stand for a place (ListOffsetsRequest of Kafka).
inline constexpr int64_t kLatest = -1;
inline constexpr int64_t kEarliest = -2;
inline constexpr int64_t kMaxTimestamp = -3;
inline constexpr int64_t kEarliestLocal = -4;
inline constexpr int64_t kLatestTiered = -5;
inline constexpr int64_t kEarliestPendingUpload = -6;

struct OffsetItem {
  PartitionKey key;
  bool wanted = false;  // false: refused before it came here
  int64_t timestamp = 0;
  int32_t current_leader_epoch = -1;

  base::ErrorCode code = base::ErrorCode::kNone;
  log::TimestampOffset found;
};

struct OffsetParams {
  bool read_committed = false;
  bool for_client = true;  // sees nothing above the high watermark
};

// Fills the wanted items, each on its own shard.
base::Task<void> look_up_offsets(BrokerShard& home, std::vector<OffsetItem>& items, OffsetParams params);

struct EpochItem {
  PartitionKey key;
  bool wanted = false;
  int32_t leader_epoch = -1;
  int32_t current_leader_epoch = -1;

  base::ErrorCode code = base::ErrorCode::kNone;
  int32_t found_epoch = -1;
  base::Offset end_offset = base::kNoOffset;
};

// OffsetForLeaderEpoch: the largest known epoch not above the one asked for, and where it ends (KIP-320).
base::Task<void> look_up_epochs(BrokerShard& home, std::vector<EpochItem>& items);

struct DeleteItem {
  PartitionKey key;
  bool wanted = false;
  int64_t before_offset = 0;  // -1: the high watermark

  base::ErrorCode code = base::ErrorCode::kNone;
  base::Offset low_watermark = base::kNoOffset;
};

// Raises log starts (DeleteRecords). In force at once, and after a crash once the log dir has checkpointed it.
base::Task<void> delete_records(BrokerShard& home, std::vector<DeleteItem>& items);

}  // namespace stele::broker
