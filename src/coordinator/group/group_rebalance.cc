// The phases of a rebalance and the deadlines that end them (GroupMetadataManager of Apache Kafka 4.3.1).
#include <algorithm>
#include <utility>

#include "coordinator/group/group_coordinator.h"

namespace stele::coordinator {

using base::ErrorCode;

void GroupCoordinator::rebalance_or_complete(ClassicGroup& group, Turn turn) {
  if (group.is(GroupState::kPreparingRebalance)) {
    maybe_complete_join(group, turn);
  } else {
    prepare_rebalance(group, turn);
  }
}

void GroupCoordinator::maybe_complete_join(ClassicGroup& group, Turn turn) {
  if (!group.is(GroupState::kPreparingRebalance) || !group.all_joined()) return;
  // The first rebalance ends by its delay alone, so that members started together end in one generation.
  if (group.previous_state() == GroupState::kEmpty) return;
  complete_join(group, turn);
}

void GroupCoordinator::prepare_rebalance(ClassicGroup& group, Turn turn) {
  if (group.is(GroupState::kCompletingRebalance)) {
    answer_syncs(group, ErrorCode::kRebalanceInProgress, nullptr, turn);
    for (auto& [id, member] : group.members()) group.set_assignment(member, {});
  }
  group.pending_syncs().clear();
  cancel(group, Timer::kSync);
  const bool is_initial = group.is(GroupState::kEmpty);
  group.transition(GroupState::kPreparingRebalance, turn.now.wall);
  complaints_.info("[group {}] preparing to rebalance from generation {} with {} members", group.id(),
                   group.generation(), group.members().size());
  if (is_initial) {
    const int32_t delay = options_.initial_rebalance_delay_ms;
    group.initial_delay = ClassicGroup::InitialDelay{delay, std::max(group.rebalance_timeout_ms() - delay, 0)};
    schedule(group, Timer::kJoin, {}, delay, turn.now);
  } else if (group.all_joined()) {
    complete_join(group, turn);
  } else {
    group.initial_delay.reset();
    schedule(group, Timer::kJoin, {}, group.rebalance_timeout_ms(), turn.now);
  }
}

void GroupCoordinator::join_deadline(ClassicGroup& group, Turn turn) {
  if (group.initial_delay && group.new_member_added && group.initial_delay->remaining_ms > 0) {
    const auto [delay, remaining] = *group.initial_delay;
    group.new_member_added = false;
    group.initial_delay = ClassicGroup::InitialDelay{std::min(options_.initial_rebalance_delay_ms, remaining),
                                                     std::max(remaining - delay, 0)};
    schedule(group, Timer::kJoin, {}, group.initial_delay->delay_ms, turn.now);
    return;
  }
  if (group.is(GroupState::kPreparingRebalance)) complete_join(group, turn);
}

void GroupCoordinator::complete_join(ClassicGroup& group, Turn turn) {
  cancel(group, Timer::kJoin);
  group.initial_delay.reset();
  group.new_member_added = false;
  std::vector<std::string> absent;
  for (const auto& [id, member] : group.members()) {
    // A static member keeps its place until its session ends.
    if (!member.joining && !member.instance_id) absent.push_back(id);
  }
  for (const std::string& id : absent) {
    cancel(group, Timer::kMember, id);
    group.remove(id);
  }
  if (!group.elect_joined_leader() && !group.members().empty()) {
    // Nobody came: the sessions of those who are left will end, or they come later.
    schedule(group, Timer::kJoin, {}, group.rebalance_timeout_ms(), turn.now);
    return;
  }
  group.next_generation(turn.now.wall);
  if (group.is(GroupState::kEmpty)) {
    complaints_.info("[group {}] generation {} is empty", group.id(), group.generation());
    turn.out.records.emplace_back(record_of(group, nullptr));
    return;
  }
  complaints_.info("[group {}] generation {} has {} members", group.id(), group.generation(), group.members().size());
  for (auto& [id, member] : group.members()) {
    JoinGroupReply reply = current_generation(group, id);
    if (group.is_leader(id)) reply.members = group.joined_members();
    answer_join(group, member, std::move(reply), turn);
    keep_alive(group, member, turn.now);
    member.is_new = false;
    group.pending_syncs().insert(id);
  }
  schedule(group, Timer::kSync, {}, group.rebalance_timeout_ms(), turn.now);
}

void GroupCoordinator::sync_deadline(ClassicGroup& group, Turn turn) {
  if (!group.is(GroupState::kCompletingRebalance) && !group.is(GroupState::kStable)) return;
  if (group.pending_syncs().empty()) return;
  const auto late = std::exchange(group.pending_syncs(), {});
  for (const std::string& id : late) {
    cancel(group, Timer::kMember, id);
    group.remove(id);
  }
  complaints_.info("[group {}] removed {} members that did not sync in time", group.id(), late.size());
  prepare_rebalance(group, turn);
}

void GroupCoordinator::member_deadline(ClassicGroup& group, const std::string& member_id, Turn turn) {
  if (group.is_pending(member_id)) {
    group.remove(member_id);
    if (group.is(GroupState::kPreparingRebalance) && group.all_joined()) complete_join(group, turn);
    return;
  }
  GroupMember* member = group.member(member_id);
  if (!member) return;
  // Who waits for an answer of ours is alive; its session starts again when it is answered.
  if (!member->is_new && (member->joining || member->syncing)) return;
  complaints_.info("[group {}] session of member {} has ended", group.id(), member_id);
  remove_member(group, member_id, turn);
  if (group.is(GroupState::kStable) || group.is(GroupState::kCompletingRebalance)) {
    prepare_rebalance(group, turn);
  } else if (group.is(GroupState::kPreparingRebalance) && group.all_joined()) {
    complete_join(group, turn);
  }
}

// A member that waits in a join is told, so that it comes again if it is alive.
void GroupCoordinator::remove_member(ClassicGroup& group, const std::string& member_id, Turn turn) {
  GroupMember* member = group.member(member_id);
  JoinGroupReply unknown;
  unknown.error = ErrorCode::kUnknownMemberId;
  answer_join(group, *member, std::move(unknown), turn);
  answer_sync(group, *member, SyncGroupReply{ErrorCode::kUnknownMemberId, {}, {}, {}}, turn);
  cancel(group, Timer::kMember, member_id);
  group.remove(member_id);
}

void GroupCoordinator::answer_syncs(ClassicGroup& group, ErrorCode error,
                                    const std::map<std::string, base::ByteVector>* given, Turn turn) {
  for (auto& [id, member] : group.members()) {
    if (!member.syncing) continue;
    SyncGroupReply reply;
    reply.error = error;
    if (error == ErrorCode::kNone) {
      reply.protocol_type = group.protocol_type();
      reply.protocol_name = group.protocol();
      if (auto found = given->find(id); found != given->end()) reply.assignment = found->second;
    }
    answer_sync(group, member, std::move(reply), turn);
    // Its session did not run while it waited.
    keep_alive(group, member, turn.now);
  }
}

void GroupCoordinator::answer_join(ClassicGroup& group, GroupMember& member, JoinGroupReply reply, Turn turn) {
  if (auto request = group.set_joining(member, std::nullopt)) answer(&group, *request, turn.out, std::move(reply));
}

void GroupCoordinator::answer_sync(ClassicGroup& group, GroupMember& member, SyncGroupReply reply, Turn turn) {
  if (auto request = std::exchange(member.syncing, std::nullopt)) {
    answer(&group, *request, turn.out, std::move(reply));
  }
}

}  // namespace stele::coordinator
