// The records a group coordinator writes to __consumer_offsets, as values. record_codec.h gives them Kafka's bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/uuid.h"

namespace stele::coordinator {

struct CommittedOffset {
  int64_t offset = 0;
  int32_t leader_epoch = -1;
  std::string metadata;
  int64_t commit_timestamp = -1;
  int64_t expire_timestamp = -1;  // -1: by offsets.retention.minutes
  base::TopicId topic_id;         // zero where the client named the topic
  friend bool operator==(const CommittedOffset&, const CommittedOffset&) = default;
};

// Key 1: one committed offset; without a value it is forgotten.
struct OffsetRecord {
  std::string group_id;
  std::string topic;
  int32_t partition = 0;
  std::optional<CommittedOffset> value;
  friend bool operator==(const OffsetRecord&, const OffsetRecord&) = default;
};

struct StoredMember {
  std::string member_id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string client_host;
  int32_t rebalance_timeout_ms = -1;
  int32_t session_timeout_ms = 0;
  base::ByteVector subscription;
  base::ByteVector assignment;
  friend bool operator==(const StoredMember&, const StoredMember&) = default;
};
struct StoredGroup {
  std::string protocol_type;
  int32_t generation = 0;
  std::optional<std::string> protocol;
  std::optional<std::string> leader;
  int64_t state_timestamp = -1;
  std::vector<StoredMember> members;
  friend bool operator==(const StoredGroup&, const StoredGroup&) = default;
};

// Key 2: one generation of a classic group; without a value the group is gone.
struct GroupRecord {
  std::string group_id;
  std::optional<StoredGroup> value;
  friend bool operator==(const GroupRecord&, const GroupRecord&) = default;
};

using GroupLogRecord = std::variant<OffsetRecord, GroupRecord>;

}  // namespace stele::coordinator
