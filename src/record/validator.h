// Validation of the bytes that are to be appended to a partition, as Kafka's broker does it
// (ProduceRequest.validateRecords, UnifiedLog.analyzeAndValidateRecords, LogValidator): same order of checks, same
// error codes, same record errors. The bytes stored are the client's own, except where Kafka rewrites a field or
// compresses anew:
//   validate_append  looks at the bytes and says what is to be done; one pass, no allocation unless there is an error
//   stamp            patches offset, leader epoch and max timestamp in place: the usual case
//   rebuild          writes another batch where the topic's compression.type asks for another codec
#pragma once

#include <cstdint>
#include <expected>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "record/batch.h"
#include "record/compressor.h"
#include "record/decompressor.h"

namespace stele::record {

enum class AppendOrigin : uint8_t {
  kClient,       // a Produce request
  kCoordinator,  // a coordinator of this broker, control batches included
};

// What of a topic's configuration bears on an append.
struct AppendRules {
  std::string_view partition;                                   // "topic-0", for messages; outlives the call
  size_t batch_bytes_max = 1048588;                             // max.message.bytes
  TimestampType timestamp_type = TimestampType::kCreateTime;    // message.timestamp.type
  int64_t before_max_ms = std::numeric_limits<int64_t>::max();  // message.timestamp.before.max.ms
  int64_t after_max_ms = 3'600'000;                             // message.timestamp.after.max.ms
  std::optional<Codec> codec = std::nullopt;                    // compression.type; nothing is "producer"
  int32_t level = kDefaultLevel;                                // compression.<codec>.level of that codec
  bool compacted = false;                                       // cleanup.policy contains compact
  AppendOrigin origin = AppendOrigin::kClient;
  int16_t produce_version = std::numeric_limits<int16_t>::max();  // of the Produce request
};

// A record that was refused: its place in the batch and why.
struct RecordError {
  int32_t index = 0;
  std::string message;
};

// More record errors than that are counted, not kept (Kafka keeps all of them).
inline constexpr size_t kRecordErrorsMax = 1000;

struct Rejection {
  base::ErrorCode code = base::ErrorCode::kUnknownServerError;
  std::string message;
  std::vector<RecordError> record_errors;
  bool of_request = false;  // found by what Kafka checks before it turns to the log
};

// What was found good, and what is to be done with it.
struct ValidatedBatch {
  base::Bytes bytes;  // the batch alone; a cut batch behind it is dropped, as Kafka drops it
  int32_t record_count = 0;
  // What the batch will carry.
  TimestampType timestamp_type = TimestampType::kCreateTime;
  base::Timestamp max_timestamp = base::kNoTimestamp;
  // The codec to store with differs from that of `bytes`: rebuild() instead of stamp().
  bool needs_rebuild = false;
  Codec codec = Codec::kNone;
};

// What the log wants to know about the bytes to append. The time index knows the max timestamp by last_offset,
// whichever record of the batch has it.
struct StampedBatch {
  base::Offset last_offset;
  base::Timestamp max_timestamp = base::kNoTimestamp;
};

struct RebuiltBatch {
  base::ByteVector bytes;
  StampedBatch stamped;
};

// `records` are those of one partition in a request, not yet changed by anyone. `now` is the broker's clock. The
// decompressor is free again when this returns.
std::expected<ValidatedBatch, Rejection> validate_append(base::Bytes records, const AppendRules& rules,
                                                         base::Timestamp now, Decompressor& decompressor);

// Assigns `first_offset` and so on. `batch` holds the bytes that `validated` was made from; !validated.needs_rebuild.
StampedBatch stamp(base::MutableBytes batch, const ValidatedBatch& validated, base::Offset first_offset,
                   base::LeaderEpoch epoch);

// Writes the records of `validated` anew with the codec of the topic. kMessageTooLarge where the result is over
// batch_bytes_max, or the records over the decompressor's rebuild_bytes_max, since all of them are held at a time
// (Kafka has no limit).
std::expected<RebuiltBatch, Rejection> rebuild(const ValidatedBatch& validated, const AppendRules& rules,
                                               base::Timestamp now, base::Offset first_offset, base::LeaderEpoch epoch,
                                               Decompressor& decompressor);

}  // namespace stele::record
