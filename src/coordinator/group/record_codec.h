// Kafka's bytes of the records in __consumer_offsets (GroupCoordinatorRecordSerde): key = int16 type, then the message;
// value = int16 version, then the message.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "base/bytes.h"
#include "base/result.h"
#include "coordinator/group/records.h"
#include "coordinator/runtime/coordinator_log.h"

namespace stele::coordinator {

// In the versions that Apache Kafka 4.3 writes, whatever the metadata.version: OffsetCommitValue 4, or 1 with an
// explicit expiration, GroupMetadataValue 3. An error where a string is too long for them.
base::Result<LogRecord> encode_group_record(const GroupLogRecord& record);

// A record of a kind that this coordinator does not act on (groups of KIP-848, share and streams groups): it stays in
// the log as it is.
struct OtherRecord {
  int16_t type = 0;
};

// Of bytes from disk; without a value it is a tombstone.
base::Result<std::variant<GroupLogRecord, OtherRecord>> decode_group_record(base::Bytes key,
                                                                            std::optional<base::Bytes> value);

}  // namespace stele::coordinator
