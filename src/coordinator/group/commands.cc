#include "coordinator/group/commands.h"

#include <utility>

namespace stele::coordinator {
namespace {

using base::ErrorCode;

struct MakeError {
  ErrorCode error;

  GroupReplyBody operator()(const JoinGroup&) const {
    JoinGroupReply reply;
    reply.error = error;
    return reply;
  }
  GroupReplyBody operator()(const SyncGroup&) const {
    SyncGroupReply reply;
    reply.error = error;
    return reply;
  }
  // While the group is being loaded nobody can tell, and the member should not give up its place.
  GroupReplyBody operator()(const Heartbeat&) const {
    return HeartbeatReply{error == ErrorCode::kCoordinatorLoadInProgress ? ErrorCode::kNone : error};
  }
  GroupReplyBody operator()(const LeaveGroup&) const { return LeaveGroupReply{error, {}}; }
  GroupReplyBody operator()(const OffsetCommit& commit) const {
    OffsetCommitReply reply;
    for (const auto& topic : commit.topics) {
      auto& answered = reply.topics.emplace_back(OffsetCommitReply::Topic{topic.name, topic.id, {}});
      for (const auto& partition : topic.partitions) answered.partitions.push_back({partition.partition, error});
    }
    return reply;
  }
  GroupReplyBody operator()(const OffsetFetch& fetch) const { return OffsetFetchReply{fetch.group_id, error, {}}; }
  GroupReplyBody operator()(const DescribeGroup& describe) const {
    DescribeGroupReply reply;
    reply.error = error;
    reply.group_id = describe.group_id;
    return reply;
  }
  GroupReplyBody operator()(const ListGroups&) const { return ListGroupsReply{error, {}}; }
  GroupReplyBody operator()(const ForgetTopics&) const { return ForgetTopicsReply{error}; }
};

struct SetError {
  ErrorCode error;

  void operator()(JoinGroupReply& reply) const {
    JoinGroupReply failed;
    failed.error = error;
    reply = std::move(failed);
  }
  void operator()(SyncGroupReply& reply) const {
    reply = SyncGroupReply{};
    reply.error = error;
  }
  void operator()(HeartbeatReply& reply) const { reply.error = error; }
  void operator()(LeaveGroupReply& reply) const { reply = LeaveGroupReply{error, {}}; }
  void operator()(OffsetCommitReply& reply) const {
    for (auto& topic : reply.topics) {
      for (auto& partition : topic.partitions) partition.error = error;
    }
  }
  void operator()(OffsetFetchReply& reply) const {
    reply.error = error;
    reply.topics.clear();
  }
  void operator()(DescribeGroupReply& reply) const {
    DescribeGroupReply failed;
    failed.error = error;
    failed.group_id = reply.group_id;
    reply = std::move(failed);
  }
  void operator()(ListGroupsReply& reply) const { reply = ListGroupsReply{error, {}}; }
  void operator()(ForgetTopicsReply& reply) const { reply.error = error; }
};

}  // namespace

GroupReplyBody error_reply(const GroupCommand& command, ErrorCode error) {
  return std::visit(MakeError{error}, command.body);
}

void set_error(GroupReplyBody& reply, ErrorCode error) { std::visit(SetError{error}, reply); }

}  // namespace stele::coordinator
