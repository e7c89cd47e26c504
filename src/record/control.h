// Control records: their keys, and the markers that end a transaction. The other values are wire messages, opaque here.
// Key: version i16 = 0, type i16 (Kafka's ControlRecordType). Marker value: version i16 = 0, coordinator epoch i32.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "record/batch.h"
#include "record/record.h"

namespace stele::record {

enum class ControlType : int16_t {
  kAbort = 0,
  kCommit = 1,
  kLeaderChange = 2,
  kSnapshotHeader = 3,
  kSnapshotFooter = 4,
  kKRaftVersion = 5,
  kKRaftVoters = 6,
};

using ControlKey = std::array<std::byte, 4>;
ControlKey control_key(ControlType type);
// The type of a control record; nothing for one that this version does not know, which readers pass over.
// kInvalidRecord for no key, a short one or one of negative version; versions above 0 are read as 0.
base::Result<std::optional<ControlType>> control_type(const RecordView& record);

struct ControlBatchOptions {
  base::Offset base_offset{};
  base::LeaderEpoch leader_epoch = base::kNoLeaderEpoch;
  base::Timestamp timestamp = base::kNoTimestamp;
};
// A batch of one control record without a producer, as the metadata log holds them. `value` is a wire message with its
// version in front.
base::ByteVector build_control_batch(const ControlBatchOptions& options, ControlType type, base::Bytes value);

struct TransactionMarker {
  bool is_commit = false;
  int32_t coordinator_epoch = 0;

  friend bool operator==(const TransactionMarker&, const TransactionMarker&) = default;
};
// A batch of one marker, transactional and control.
base::ByteVector build_marker_batch(const ControlBatchOptions& options, base::ProducerId producer,
                                    base::ProducerEpoch epoch, TransactionMarker marker);
// Nothing for a control record that is no marker. kInvalidRecord for a bad key, and for a value that is null, short or
// of negative version.
base::Result<std::optional<TransactionMarker>> transaction_marker(const RecordView& record);

}  // namespace stele::record
