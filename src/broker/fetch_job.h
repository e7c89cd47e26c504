// Reads for one Fetch request, and the wait for more.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "broker/broker_shard.h"
#include "io/file.h"

namespace stele::broker {

struct FetchItem {
  PartitionKey key;
  base::Offset offset;
  int32_t bytes_max = 0;
  int32_t current_leader_epoch = -1;
  int32_t last_fetched_epoch = -1;

  base::ErrorCode code = base::ErrorCode::kUnknownTopicOrPartition;
  base::Offset high_watermark = base::kNoOffset;
  base::Offset last_stable_offset = base::kNoOffset;
  base::Offset log_start_offset = base::kNoOffset;
  std::optional<log::EpochEnd> diverging;  // where the reader's log parted from this one (KIP-595)
  std::optional<std::vector<log::AbortedTransaction>> aborted;
  std::shared_ptr<const std::byte[]> buffer;
  base::Bytes records;         // in `buffer`
  io::FileRange range;         // in place of `records`
  bool older_segment = false;  // there is more in a later segment; one read gives one segment

  size_t bytes() const { return records.size() + range.bytes; }
  void drop_records() {
    records = {};
    buffer.reset();
    range = {};
  }
};

struct FetchParams {
  bool read_committed = false;
  bool may_send = false;  // records may be answered as ranges of files
  int64_t bytes_max = 0;  // over all partitions; the first that has data may pass it with one batch (KIP-74)
};

// Reads each item's partition once; in the order of items, per shard.
base::Task<std::vector<FetchItem>> fetch_here(BrokerShard& at, std::vector<FetchItem> items, FetchParams params);

struct WatchItem {
  PartitionKey key;
  base::Offset seen;  // the high watermark that the reader saw
  base::LeaderEpoch epoch_seen;
};

// Ends once the partitions of this shard together have grown by `bytes_wanted`, one of them changed before the watch
// began or lost its leader, or at the deadline. Watches on other shards are started too, in their scopes.
base::Task<void> wait_for_growth(BrokerShard& home, std::vector<WatchItem> items, int64_t bytes_wanted,
                                 base::MonoTime deadline);

}  // namespace stele::broker
