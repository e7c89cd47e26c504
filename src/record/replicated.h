// What a replica checks of bytes that its leader sent: they are stored as they are, offsets included
// (UnifiedLog.analyzeAndValidateRecords for a follower's append).
#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "record/batch.h"

namespace stele::record {

struct ReplicatedBatches {
  size_t size = 0;  // bytes of whole batches to append, from the start; a cut one behind them is left out
  std::optional<base::Offset> first_offset;  // of the first batch; nothing where there is none
  base::Offset last_offset = base::kNoOffset;
  base::Timestamp max_timestamp = base::kNoTimestamp;
  base::Offset offset_of_max_timestamp = base::kNoOffset;  // last offset of the batch that has it
};

// `epoch` is the leader epoch under which the bytes were fetched: batches of a later one, and all behind them, are left
// out, as they come from a leader that this replica does not know yet. kCorruptMessage for a bad length, magic or
// checksum, an unknown codec, and offsets that do not rise from batch to batch.
base::Result<ReplicatedBatches> check_replicated(base::Bytes records, base::LeaderEpoch epoch);

}  // namespace stele::record
