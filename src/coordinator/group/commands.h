// What a group coordinator is asked and what it answers, in its own words: the server translates Kafka's messages of
// all versions into these, and back. Everything owns its bytes, since a request may wait much longer than its frame.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/error_code.h"
#include "base/ids.h"
#include "base/uuid.h"

namespace stele::coordinator {

// Chosen by whoever submits a command; its one reply carries it.
using RequestId = uint64_t;

struct JoinProtocol {
  std::string name;
  base::ByteVector metadata;
  friend bool operator==(const JoinProtocol&, const JoinProtocol&) = default;
};

struct JoinGroup {
  std::string group_id;
  std::string member_id;
  std::optional<std::string> instance_id;
  std::string protocol_type;
  std::vector<JoinProtocol> protocols;
  int32_t session_timeout_ms = 0;
  int32_t rebalance_timeout_ms = 0;  // at version 0 the session timeout stands here
  std::string client_id;
  std::string client_host;          // "/127.0.0.1", as Java prints an address
  bool member_id_required = true;   // version 4 and later: KIP-394
  bool can_skip_assignment = true;  // version 9 and later: KIP-814
};
struct JoinedMember {
  std::string member_id;
  std::optional<std::string> instance_id;
  base::ByteVector metadata;
  friend bool operator==(const JoinedMember&, const JoinedMember&) = default;
};
struct JoinGroupReply {
  base::ErrorCode error = base::ErrorCode::kNone;
  int32_t generation = -1;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;  // "" below version 7, which has no null
  std::string leader;
  bool skip_assignment = false;
  std::string member_id;
  std::vector<JoinedMember> members;
};

struct SyncGroup {
  std::string group_id;
  int32_t generation = 0;
  std::string member_id;
  std::optional<std::string> instance_id;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  struct Assignment {
    std::string member_id;
    base::ByteVector bytes;
  };
  std::vector<Assignment> assignments;
};
struct SyncGroupReply {
  base::ErrorCode error = base::ErrorCode::kNone;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  base::ByteVector assignment;
};

struct Heartbeat {
  std::string group_id;
  int32_t generation = 0;
  std::string member_id;
  std::optional<std::string> instance_id;
};
struct HeartbeatReply {
  base::ErrorCode error = base::ErrorCode::kNone;
};

struct LeavingMember {
  std::string member_id;
  std::optional<std::string> instance_id;
};
struct LeaveGroup {
  std::string group_id;
  std::vector<LeavingMember> members;
};
struct LeaveGroupReply {
  base::ErrorCode error = base::ErrorCode::kNone;
  struct Member {
    LeavingMember member;
    base::ErrorCode error = base::ErrorCode::kNone;
  };
  std::vector<Member> members;
};

// Topics and partitions that do not exist are answered by the server before: the coordinator knows no topics.
struct OffsetCommit {
  std::string group_id;
  int32_t generation = -1;
  std::string member_id;
  std::optional<std::string> instance_id;
  int16_t api_version = 0;         // from 9 on a missing group has a code of its own
  int64_t retention_time_ms = -1;  // versions 2 to 4
  struct Partition {
    int32_t partition = 0;
    int64_t offset = 0;
    int32_t leader_epoch = -1;
    std::optional<std::string> metadata;
  };
  struct Topic {
    std::string name;
    base::TopicId id;  // stored with the offset; the server knows it also where the client gave a name
    std::vector<Partition> partitions;
  };
  std::vector<Topic> topics;
};
struct OffsetCommitReply {
  struct Partition {
    int32_t partition = 0;
    base::ErrorCode error = base::ErrorCode::kNone;
  };
  struct Topic {
    std::string name;
    base::TopicId id;
    std::vector<Partition> partitions;
  };
  std::vector<Topic> topics;
};

struct OffsetFetch {
  std::string group_id;
  std::optional<std::string> member_id;  // version 9 and later
  int32_t member_epoch = -1;
  struct Topic {
    std::string name;
    base::TopicId id;  // zero below version 10
    std::vector<int32_t> partitions;
  };
  std::optional<std::vector<Topic>> topics;  // none asks for all
  bool require_stable = false;
};
struct OffsetFetchReply {
  std::string group_id;
  base::ErrorCode error = base::ErrorCode::kNone;
  struct Partition {
    int32_t partition = 0;
    int64_t offset = -1;
    int32_t leader_epoch = -1;
    std::string metadata;
    base::ErrorCode error = base::ErrorCode::kNone;
  };
  struct Topic {
    std::string name;
    base::TopicId id;
    std::vector<Partition> partitions;
  };
  std::vector<Topic> topics;
};

struct DescribeGroup {
  std::string group_id;
};
struct DescribeGroupReply {
  base::ErrorCode error = base::ErrorCode::kNone;  // a group that is not there: kGroupIdNotFound, state "Dead"
  std::string group_id;
  std::string state;
  std::string protocol_type;
  std::string protocol;
  struct Member {
    std::string member_id;
    std::optional<std::string> instance_id;
    std::string client_id;
    std::string client_host;
    base::ByteVector metadata;
    base::ByteVector assignment;
  };
  std::vector<Member> members;
};

struct ListGroups {
  std::vector<std::string> states;  // empty for all; case does not matter
  std::vector<std::string> types;
};
struct ListGroupsReply {
  base::ErrorCode error = base::ErrorCode::kNone;
  struct Group {
    std::string group_id;
    std::string protocol_type;
    std::string state;
  };
  std::vector<Group> groups;
};

// The topics are gone from the metadata: their committed offsets go too.
struct ForgetTopics {
  std::vector<std::string> names;
};
struct ForgetTopicsReply {
  base::ErrorCode error = base::ErrorCode::kNone;
};

struct GroupCommand {
  RequestId request = 0;
  std::variant<JoinGroup, SyncGroup, Heartbeat, LeaveGroup, OffsetCommit, OffsetFetch, DescribeGroup, ListGroups,
               ForgetTopics>
      body;
};
using GroupReplyBody = std::variant<JoinGroupReply, SyncGroupReply, HeartbeatReply, LeaveGroupReply, OffsetCommitReply,
                                    OffsetFetchReply, DescribeGroupReply, ListGroupsReply, ForgetTopicsReply>;
struct GroupReply {
  RequestId request = 0;
  base::Offset after = base::kNoOffset;  // may be sent once this offset is committed
  GroupReplyBody body;
};

// The answer to `command` where it can't be served: not the coordinator, loading, not available.
GroupReplyBody error_reply(const GroupCommand& command, base::ErrorCode error);
// Turns an answer that will not be true into an error; what the answer said is cleared.
void set_error(GroupReplyBody& reply, base::ErrorCode error);

}  // namespace stele::coordinator
