// The records of the internal topics, and control records, as JSON, in the words of Kafka's kafka-dump-log. Link
// stele_wire_json.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace stele::wire {

enum class RecordKind : uint8_t {
  kMetadata,          // __cluster_metadata, the bytes after frame version, type and version
  kGroupKey,          // __consumer_offsets, the bytes after the type
  kGroupValue,        // and after the version
  kTransactionKey,    // __transaction_state
  kTransactionValue,  //
  kShareKey,          // __share_group_state
  kShareValue,        //
  kRemote,            // __remote_log_metadata
  kControl,           // the values of control records, by the type in their key
  kConsumer,          // 0 the subscription, 1 the assignment of a member of a consumer group, after the version
};

// "TopicRecord"; empty where there is no such type.
std::string_view record_name(RecordKind kind, int16_t type);
// {"name":"letters","topicId":"..."}. INVALID_REQUEST for a type that does not exist and for broken bytes.
base::Result<std::string> record_to_json(RecordKind kind, int16_t type, int16_t version, base::Bytes bytes);

}  // namespace stele::wire
