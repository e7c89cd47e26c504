// JoinGroup. The branches follow GroupMetadataManager of Apache Kafka 4.3.1 (classicGroupJoin and below), KIP-394
// (member id required), KIP-345 (static members), KIP-814 (skip assignment).
#include <array>
#include <utility>

#include "base/uuid.h"
#include "coordinator/group/group_coordinator.h"

namespace stele::coordinator {
namespace {

using base::ErrorCode;

JoinGroupReply refusal(ErrorCode error, std::string member_id) {
  JoinGroupReply reply;
  reply.error = error;
  reply.member_id = std::move(member_id);
  return reply;
}

}  // namespace

void GroupCoordinator::join(JoinGroup& join, Turn turn) {
  if (join.group_id.empty()) return answer(nullptr, turn, refusal(ErrorCode::kInvalidGroupId, join.member_id));
  if (join.session_timeout_ms < options_.min_session_timeout_ms ||
      join.session_timeout_ms > options_.max_session_timeout_ms) {
    return answer(nullptr, turn, refusal(ErrorCode::kInvalidSessionTimeout, join.member_id));
  }
  const bool is_unknown = join.member_id.empty();
  ClassicGroup* group = find(join.group_id);
  if (!group && !is_unknown) return answer(nullptr, turn, refusal(ErrorCode::kUnknownMemberId, join.member_id));
  const bool is_fresh = !group;
  if (is_fresh && is_full(join.group_id)) {
    return answer(nullptr, turn, refusal(ErrorCode::kPolicyViolation, join.member_id));
  }
  if (is_fresh) group = &create(join.group_id, turn.now);

  if (!accepts(*group, join.member_id)) {
    cancel(*group, Timer::kMember, join.member_id);
    group->remove(join.member_id);
    complaints_.reached(base::Limit::kGroupSize, "[group {}] a member is refused: it has {}", group->id(),
                        group->members().size());
    answer(group, turn, refusal(ErrorCode::kGroupMaxSizeReached, ""));
  } else if (is_too_large(join, *group)) {
    answer(group, turn, refusal(ErrorCode::kGroupMaxSizeReached, ""));
  } else if (is_unknown) {
    join_new(join, *group, turn);
  } else {
    join_known(join, *group, turn);
  }
  // The existence of a group is durable from its first request on.
  if (is_fresh && turn.out.records.empty()) {
    StoredGroup empty;
    empty.state_timestamp = group->state_timestamp();
    turn.out.records.emplace_back(GroupRecord{group->id(), std::move(empty)});
  }
}

bool GroupCoordinator::accepts(ClassicGroup& group, std::string_view member_id) const {
  const GroupMember* member = group.member(member_id);
  switch (group.state()) {
    case GroupState::kEmpty:
      return true;
    case GroupState::kPreparingRebalance:
      // Those who wait are counted, not the members: so the last to rejoin a group that is too large are left out.
      return (member && member->joining) || group.joining() < options_.max_size;
    case GroupState::kCompletingRebalance:
    case GroupState::kStable:
      return member || group.members().size() < options_.max_size;
  }
  return false;
}

void GroupCoordinator::join_new(JoinGroup& join, ClassicGroup& group, Turn turn) {
  if (!group.supports(join.protocol_type, join.protocols)) {
    return answer(&group, turn, refusal(ErrorCode::kInconsistentGroupProtocol, ""));
  }
  const std::string member_id = make_member_id(join.instance_id ? *join.instance_id : join.client_id);
  if (join.instance_id) {
    const std::string* present = group.static_member_id(*join.instance_id);
    if (present) return replace_static(join, group, std::string(*present), member_id, turn);
    return add_member(join, group, member_id, turn);
  }
  if (!join.member_id_required) return add_member(join, group, member_id, turn);
  // KIP-394: the member comes back with this id, so that a join whose answer is lost leaves no dead member behind.
  group.add_pending(member_id);
  schedule(group, Timer::kMember, member_id, join.session_timeout_ms, turn.now);
  answer(&group, turn, refusal(ErrorCode::kMemberIdRequired, member_id));
}

void GroupCoordinator::join_known(JoinGroup& join, ClassicGroup& group, Turn turn) {
  if (!group.supports(join.protocol_type, join.protocols)) {
    return answer(&group, turn, refusal(ErrorCode::kInconsistentGroupProtocol, join.member_id));
  }
  if (group.is_pending(join.member_id)) {
    // Ids are asked for by dynamic members alone.
    if (join.instance_id) return answer(&group, turn, refusal(ErrorCode::kUnknownServerError, join.member_id));
    return add_member(join, group, std::string(join.member_id), turn);
  }
  if (const ErrorCode error = group.check_member(join.member_id, join.instance_id); error != ErrorCode::kNone) {
    return answer(&group, turn, refusal(error, join.member_id));
  }
  join_again(join, group, *group.member(join.member_id), turn);
}

void GroupCoordinator::join_again(JoinGroup& join, ClassicGroup& group, GroupMember& member, Turn turn) {
  const bool is_same = member.protocols == join.protocols;
  switch (group.state()) {
    case GroupState::kPreparingRebalance:
      return update_member(join, group, member, turn);
    case GroupState::kCompletingRebalance: {
      if (!is_same) return update_member(join, group, member, turn);
      // It may not have received the answer to its join: here is the present generation again.
      JoinGroupReply reply = current_generation(group, member.id);
      if (group.is_leader(member.id)) reply.members = group.joined_members();
      return answer(&group, turn, std::move(reply));
    }
    case GroupState::kStable:
      // The leader may ask for a new generation though its own metadata is the same: partitions were added.
      if (group.is_leader(member.id) || !is_same) return update_member(join, group, member, turn);
      return answer(&group, turn, current_generation(group, member.id));
    case GroupState::kEmpty:
      return answer(&group, turn, refusal(ErrorCode::kUnknownMemberId, join.member_id));
  }
}

JoinGroupReply GroupCoordinator::current_generation(const ClassicGroup& group, const std::string& member_id) const {
  JoinGroupReply reply;
  reply.member_id = member_id;
  reply.generation = group.generation();
  reply.protocol_type = group.protocol_type();
  reply.protocol_name = group.protocol();
  reply.leader = group.leader().value_or("");
  return reply;
}

void GroupCoordinator::add_member(JoinGroup& join, ClassicGroup& group, const std::string& member_id, Turn turn) {
  GroupMember member;
  member.id = member_id;
  member.instance_id = join.instance_id;
  member.client_id = std::move(join.client_id);
  member.client_host = std::move(join.client_host);
  member.rebalance_timeout_ms = join.rebalance_timeout_ms;
  member.session_timeout_ms = join.session_timeout_ms;
  member.protocols = std::move(join.protocols);
  member.joining = turn.request;
  member.is_new = true;
  if (group.is(GroupState::kPreparingRebalance) && group.previous_state() == GroupState::kEmpty) {
    group.new_member_added = true;
  }
  group.add(std::move(member), join.protocol_type);
  // It can't heartbeat before it is answered. A client that gave up and came again under another id would stay for the
  // whole rebalance, so that the wait itself is limited.
  schedule(group, Timer::kMember, member_id, options_.new_member_join_timeout_ms, turn.now);
  rebalance_or_complete(group, turn);
}

void GroupCoordinator::update_member(JoinGroup& join, ClassicGroup& group, GroupMember& member, Turn turn) {
  group.set_protocols(member, std::move(join.protocols));
  member.rebalance_timeout_ms = join.rebalance_timeout_ms;
  member.session_timeout_ms = join.session_timeout_ms;
  // A join that was sent again replaces the one that waits, whose client no longer listens.
  if (auto earlier = group.set_joining(member, turn.request)) {
    answer(&group, *earlier, turn.out, refusal(ErrorCode::kRebalanceInProgress, member.id));
  }
  rebalance_or_complete(group, turn);
}

void GroupCoordinator::replace_static(JoinGroup& join, ClassicGroup& group, const std::string& old_id,
                                      const std::string& new_id, Turn turn) {
  const std::string old_leader = group.leader().value_or("");
  GroupMember* member = group.member(old_id);
  answer_join(group, *member, refusal(ErrorCode::kFencedInstanceId, old_id), turn);
  answer_sync(group, *member, SyncGroupReply{ErrorCode::kFencedInstanceId, {}, {}, {}}, turn);
  cancel(group, Timer::kMember, old_id);
  member = &group.rename(old_id, new_id);
  member->is_new = false;
  keep_alive(group, *member, turn.now);

  group.set_protocols(*member, std::move(join.protocols));
  member->rebalance_timeout_ms = join.rebalance_timeout_ms;
  member->session_timeout_ms = join.session_timeout_ms;
  group.set_joining(*member, turn.request);
  switch (group.state()) {
    case GroupState::kStable: {
      if (group.protocol() != group.select_protocol()) return rebalance_or_complete(group, turn);
      // KIP-345: the same place under a new id needs no rebalance.
      JoinGroupReply reply = current_generation(group, new_id);
      if (!join.can_skip_assignment) {
        // Believing itself a follower, the leader must not assign anew: it is told of its own old id.
        reply.leader = old_leader;
      } else if (group.is_leader(new_id)) {
        reply.members = group.joined_members();
        reply.skip_assignment = true;
      }
      turn.out.records.emplace_back(record_of(group, nullptr));
      group.set_joining(*member, std::nullopt);
      return answer(&group, turn, std::move(reply));
    }
    case GroupState::kCompletingRebalance:
      // The old id may already have been given to the leader.
      return prepare_rebalance(group, turn);
    case GroupState::kPreparingRebalance:
    case GroupState::kEmpty:
      return maybe_complete_join(group, turn);
  }
}

std::string GroupCoordinator::make_member_id(std::string_view prefix) {
  std::array<std::byte, 16> bytes{};
  base::store_be(bytes.data(), random_.next());
  base::store_be(bytes.data() + 8, random_.next());
  bytes[6] = (bytes[6] & std::byte{0x0f}) | std::byte{0x40};
  bytes[8] = (bytes[8] & std::byte{0x3f}) | std::byte{0x80};
  std::string uuid = base::to_hex(bytes);
  for (size_t at : {20, 16, 12, 8}) uuid.insert(at, "-");
  return std::string(prefix) + "-" + uuid;
}

}  // namespace stele::coordinator
