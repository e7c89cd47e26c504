#include "coordinator/group/group_coordinator.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <utility>

#include "coordinator/group/record_codec.h"

namespace stele::coordinator {
namespace {

using base::ErrorCode;

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};

std::string to_lower(std::string_view text) {
  std::string lower;
  for (const char c : text) lower.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  const size_t first = lower.find_first_not_of(' ');
  if (first == std::string::npos) return {};
  return lower.substr(first, lower.find_last_not_of(' ') - first + 1);
}

bool differ(const std::optional<std::string>& asked, const std::optional<std::string>& present) {
  return asked && present && *asked != *present;
}

}  // namespace

GroupOutcome GroupCoordinator::handle(Command command, Now now) {
  Outcome out;
  turn_time_ = now.wall;
  const Turn turn{command.request, now, out};
  std::visit(Overloaded{[&](JoinGroup& body) { join(body, turn); }, [&](SyncGroup& body) { sync(body, turn); },
                        [&](Heartbeat& body) { heartbeat(body, turn); }, [&](LeaveGroup& body) { leave(body, turn); },
                        [&](OffsetCommit& body) { commit(body, turn); }, [&](OffsetFetch& body) { fetch(body, turn); },
                        [&](DescribeGroup& body) { describe(body, turn); }, [&](ListGroups& body) { list(body, turn); },
                        [&](ForgetTopics& body) { forget(body, turn); }},
             command.body);
  return out;
}

GroupOutcome GroupCoordinator::expire(Now now) {
  Outcome out;
  turn_time_ = now.wall;
  const auto due = deadlines_.pop_due(now.mono);
  if (!due) return out;
  const Turn turn{0, now, out};
  if (due->timer == Timer::kOffsets) {
    clean_up(turn);
    return out;
  }
  ClassicGroup* group = find(due->group_id);
  if (!group) return out;
  switch (due->timer) {
    case Timer::kMember:
      member_deadline(*group, due->member_id, turn);
      break;
    case Timer::kJoin:
      join_deadline(*group, turn);
      break;
    case Timer::kSync:
      sync_deadline(*group, turn);
      break;
    case Timer::kOffsets:
      break;
  }
  return out;
}

void GroupCoordinator::replay(base::Offset at, base::ProducerId producer, const Record& record) {
  if (const auto* offset = std::get_if<OffsetRecord>(&record)) {
    offsets_.replay(at, producer, *offset);
    ClassicGroup* group = find(offset->group_id);
    // A commit without membership makes a "simple" group: empty, without a protocol type.
    if (!group && offset->value) group = &create(offset->group_id, Now{{}, turn_time_});
    if (group) group->touched = at;
    return;
  }
  const auto& stored = std::get<GroupRecord>(record);
  if (!stored.value) return erase_group(stored.group_id, at);
  ClassicGroup* group = find(stored.group_id);
  if (!group || loading_) {
    auto& slot = groups_[stored.group_id];
    slot = std::make_unique<ClassicGroup>(stored.group_id, *stored.value, members_bytes_);
    group = slot.get();
  } else {
    group->stored_was_appended(*stored.value, turn_time_);
  }
  group->touched = at;
}

GroupOutcome GroupCoordinator::loaded(Now now) {
  Outcome out;
  loading_ = false;
  turn_time_ = now.wall;
  const Turn turn{0, now, out};
  for (auto& [id, group] : groups_) {
    for (const auto& [member_id, member] : group->members()) keep_alive(*group, member, now);
    if (group->members().size() > options_.max_size) prepare_rebalance(*group, turn);
  }
  deadlines_.schedule({{}, Timer::kOffsets, {}},
                      now.mono + std::chrono::milliseconds(options_.offsets_retention_check_interval_ms));
  return out;
}

GroupOutcome GroupCoordinator::refused(const Outcome& outcome, ErrorCode error, Now now) {
  Outcome out;
  const Turn turn{0, now, out};
  for (const Record& record : outcome.records) {
    const auto* stored = std::get_if<GroupRecord>(&record);
    ClassicGroup* group = stored ? find(stored->group_id) : nullptr;
    if (!group) continue;
    complaints_.warn(
        "[group {}] could not be stored ({}){}", group->id(), base::error_name(error),
        error == ErrorCode::kUnknownServerError ? ": fewer members, topics or smaller metadata would fit" : "");
    if (group->is(GroupState::kStable) || group->is(GroupState::kCompletingRebalance)) prepare_rebalance(*group, turn);
  }
  return out;
}

std::vector<GroupReply> GroupCoordinator::drop(ErrorCode error) {
  Outcome out;
  for (auto& [id, group] : groups_) {
    for (auto& [member_id, member] : group->members()) {
      if (auto request = group->set_joining(member, std::nullopt)) {
        JoinGroupReply reply;
        reply.error = error;
        reply.member_id = member.is_new ? "" : member_id;
        out.replies.push_back({*request, base::kNoOffset, std::move(reply)});
      }
      if (auto request = std::exchange(member.syncing, std::nullopt)) {
        out.replies.push_back({*request, base::kNoOffset, SyncGroupReply{error, {}, {}, {}}});
      }
    }
  }
  return std::move(out.replies);
}

base::Result<LogRecord> GroupCoordinator::encode(const Record& record) { return encode_group_record(record); }

std::vector<GroupReply> GroupCoordinator::refuse(Command command, ErrorCode error) {
  std::vector<GroupReply> replies;
  replies.push_back({command.request, base::kNoOffset, error_reply(command, error)});
  return replies;
}

void GroupCoordinator::sync(SyncGroup& sync, Turn turn) {
  auto refuse_with = [&](const ClassicGroup* group, ErrorCode error) {
    answer(group, turn, SyncGroupReply{error, {}, {}, {}});
  };
  if (sync.group_id.empty()) return refuse_with(nullptr, ErrorCode::kInvalidGroupId);
  ClassicGroup* group = find(sync.group_id);
  if (!group || group->is(GroupState::kEmpty)) return refuse_with(group, ErrorCode::kUnknownMemberId);
  if (const ErrorCode error = check_sync(sync, *group); error != ErrorCode::kNone) return refuse_with(group, error);
  if (group->is(GroupState::kPreparingRebalance)) return refuse_with(group, ErrorCode::kRebalanceInProgress);
  if (is_too_large(sync, *group)) return refuse_with(group, ErrorCode::kGroupMaxSizeReached);

  GroupMember& member = *group->member(sync.member_id);
  group->pending_syncs().erase(member.id);
  if (group->pending_syncs().empty()) cancel(*group, Timer::kSync);
  if (group->is(GroupState::kStable)) {
    return answer(group, turn,
                  SyncGroupReply{ErrorCode::kNone, group->protocol_type(), group->protocol(), member.assignment});
  }
  if (auto earlier = std::exchange(member.syncing, turn.request)) {
    answer(group, *earlier, turn.out, SyncGroupReply{ErrorCode::kRebalanceInProgress, {}, {}, {}});
  }
  if (!group->is_leader(member.id)) return;
  // The answers wait for the record; its replay makes the group Stable.
  std::map<std::string, base::ByteVector> given;
  for (auto& assignment : sync.assignments) given.insert_or_assign(assignment.member_id, std::move(assignment.bytes));
  turn.out.records.emplace_back(record_of(*group, &given));
  answer_syncs(*group, ErrorCode::kNone, &given, turn);
}

ErrorCode GroupCoordinator::check_sync(const SyncGroup& sync, const ClassicGroup& group) const {
  if (const ErrorCode error = group.check_member(sync.member_id, sync.instance_id); error != ErrorCode::kNone) {
    return error;
  }
  if (sync.generation != group.generation()) return ErrorCode::kIllegalGeneration;
  if (differ(sync.protocol_type, group.protocol_type()) || differ(sync.protocol_name, group.protocol())) {
    return ErrorCode::kInconsistentGroupProtocol;
  }
  return ErrorCode::kNone;
}

void GroupCoordinator::heartbeat(const Heartbeat& beat, Turn turn) {
  if (beat.group_id.empty()) return answer(nullptr, turn, HeartbeatReply{ErrorCode::kInvalidGroupId});
  ClassicGroup* group = find(beat.group_id);
  if (!group) return answer(nullptr, turn, HeartbeatReply{ErrorCode::kUnknownMemberId});
  ErrorCode error = group->check_member(beat.member_id, beat.instance_id);
  if (error == ErrorCode::kNone && beat.generation != group->generation()) error = ErrorCode::kIllegalGeneration;
  if (error != ErrorCode::kNone) return answer(group, turn, HeartbeatReply{error});
  keep_alive(*group, *group->member(beat.member_id), turn.now);
  const bool must_rejoin = group->is(GroupState::kPreparingRebalance);
  answer(group, turn, HeartbeatReply{must_rejoin ? ErrorCode::kRebalanceInProgress : ErrorCode::kNone});
}

void GroupCoordinator::leave(LeaveGroup& leave, Turn turn) {
  if (leave.group_id.empty()) return answer(nullptr, turn, LeaveGroupReply{ErrorCode::kInvalidGroupId, {}});
  ClassicGroup* group = find(leave.group_id);
  LeaveGroupReply reply;
  bool any_left = false;
  for (LeavingMember& leaving : leave.members) {
    const ErrorCode error = group ? leave_one(*group, leaving, turn) : ErrorCode::kUnknownMemberId;
    any_left |= error == ErrorCode::kNone;
    reply.members.push_back({std::move(leaving), error});
  }
  if (any_left) {
    if (group->is(GroupState::kStable) || group->is(GroupState::kCompletingRebalance)) {
      prepare_rebalance(*group, turn);
    } else {
      maybe_complete_join(*group, turn);
    }
  }
  answer(group, turn, std::move(reply));
}

ErrorCode GroupCoordinator::leave_one(ClassicGroup& group, const LeavingMember& leaving, Turn turn) {
  if (leaving.member_id.empty()) {
    // An administrator removes a static member by its instance id alone.
    const std::string* present = leaving.instance_id ? group.static_member_id(*leaving.instance_id) : nullptr;
    if (!present) return ErrorCode::kUnknownMemberId;
    remove_member(group, std::string(*present), turn);
    return ErrorCode::kNone;
  }
  if (group.is_pending(leaving.member_id)) {
    cancel(group, Timer::kMember, leaving.member_id);
    group.remove(leaving.member_id);
    return ErrorCode::kNone;
  }
  const ErrorCode error = group.check_member(leaving.member_id, leaving.instance_id);
  if (error == ErrorCode::kNone) remove_member(group, leaving.member_id, turn);
  return error;
}

void GroupCoordinator::describe(const DescribeGroup& describe, Turn turn) {
  DescribeGroupReply reply;
  reply.group_id = describe.group_id;
  const ClassicGroup* group = find(describe.group_id);
  if (!group) {
    reply.error = ErrorCode::kGroupIdNotFound;
    reply.state = "Dead";
    return answer(nullptr, turn, std::move(reply));
  }
  const bool is_stable = group->is(GroupState::kStable);
  reply.state = state_name(group->state());
  reply.protocol_type = group->protocol_type().value_or("");
  if (is_stable) reply.protocol = group->protocol().value_or("");
  for (const auto& [id, member] : group->members()) {
    auto& shown = reply.members.emplace_back();
    shown.member_id = id;
    shown.instance_id = member.instance_id;
    shown.client_id = member.client_id;
    shown.client_host = member.client_host;
    shown.assignment = member.assignment;
    if (is_stable) shown.metadata = member.metadata(reply.protocol);
  }
  answer(group, turn, std::move(reply));
}

void GroupCoordinator::list(const ListGroups& list, Turn turn) {
  auto wanted = [](const std::vector<std::string>& filter, std::string_view name) {
    return filter.empty() || std::ranges::any_of(filter, [&](const auto& f) { return to_lower(f) == to_lower(name); });
  };
  ListGroupsReply reply;
  base::Offset after = last_deletion_;
  if (wanted(list.types, "classic")) {
    for (const auto& [id, group] : groups_) {
      const std::string_view state = state_name(group->state());
      if (!wanted(list.states, state)) continue;
      after = std::max(after, group->touched);
      reply.groups.push_back({id, group->protocol_type().value_or(""), std::string(state)});
    }
  }
  turn.out.replies.push_back({turn.request, after, std::move(reply)});
}

const ClassicGroup* GroupCoordinator::group(std::string_view id) const {
  auto found = groups_.find(id);
  return found == groups_.end() ? nullptr : found->second.get();
}

ClassicGroup* GroupCoordinator::find(std::string_view id) {
  auto found = groups_.find(id);
  return found == groups_.end() ? nullptr : found->second.get();
}

bool GroupCoordinator::is_full(std::string_view wanted) const {
  if (groups_.size() < options_.groups_max) return false;
  complaints_.reached(base::Limit::kGroups, "group {} is refused: {} groups are known to this coordinator", wanted,
                      groups_.size());
  return true;
}

bool GroupCoordinator::is_too_large(const JoinGroup& join, const ClassicGroup& group) const {
  const auto present = group.members().find(join.member_id);
  const size_t held = present != group.members().end() ? bytes_of(present->second.protocols) : 0;
  const size_t wanted = bytes_of(join.protocols);
  if (wanted <= held && held > 0) return false;
  const size_t more = wanted - held + (held > 0 ? 0 : join.member_id.size() + join.client_id.size());
  if (members_bytes_ + more <= options_.members_bytes_max) return false;
  complaints_.reached(base::Limit::kGroupMembersBytes,
                      "[group {}] a member is refused: members hold {} bytes and it brings {} more, over this "
                      "coordinator's share of {}",
                      join.group_id, members_bytes_, more, options_.members_bytes_max);
  return true;
}

// What the leader assigns stands in for what the members had.
bool GroupCoordinator::is_too_large(const SyncGroup& sync, const ClassicGroup& group) const {
  if (!group.is(GroupState::kCompletingRebalance) || !group.is_leader(sync.member_id)) return false;
  size_t held = 0;
  size_t wanted = 0;
  for (const auto& [id, member] : group.members()) held += member.assignment.size();
  for (const auto& given : sync.assignments) {
    if (group.members().contains(given.member_id)) wanted += given.bytes.size();
  }
  if (wanted <= held || members_bytes_ - held + wanted <= options_.members_bytes_max) return false;
  complaints_.reached(base::Limit::kGroupMembersBytes,
                      "[group {}] assignments are refused: members hold {} bytes and these are {} more, over this "
                      "coordinator's share of {}",
                      sync.group_id, members_bytes_, wanted - held, options_.members_bytes_max);
  return true;
}

ClassicGroup& GroupCoordinator::create(const std::string& id, Now now) {
  return *groups_.emplace(id, std::make_unique<ClassicGroup>(id, now.wall, members_bytes_)).first->second;
}

void GroupCoordinator::erase_group(const std::string& id, base::Offset at) {
  last_deletion_ = at;
  ClassicGroup* group = find(id);
  if (!group) return;
  cancel(*group, Timer::kJoin);
  cancel(*group, Timer::kSync);
  for (const auto& [member_id, member] : group->members()) cancel(*group, Timer::kMember, member_id);
  groups_.erase(id);
}

void GroupCoordinator::keep_alive(const ClassicGroup& group, const GroupMember& member, Now now) {
  schedule(group, Timer::kMember, member.id, member.session_timeout_ms, now);
}

void GroupCoordinator::schedule(const ClassicGroup& group, Timer timer, std::string_view member_id, int64_t after_ms,
                                Now now) {
  deadlines_.schedule({group.id(), timer, std::string(member_id)}, now.mono + std::chrono::milliseconds(after_ms));
}

void GroupCoordinator::cancel(const ClassicGroup& group, Timer timer, std::string_view member_id) {
  deadlines_.cancel({group.id(), timer, std::string(member_id)});
}

void GroupCoordinator::answer(const ClassicGroup* group, Turn turn, GroupReplyBody body) {
  answer(group, turn.request, turn.out, std::move(body));
}

void GroupCoordinator::answer(const ClassicGroup* group, RequestId request, Outcome& out, GroupReplyBody body) {
  out.replies.push_back({request, group ? group->touched : last_deletion_, std::move(body)});
}

GroupRecord GroupCoordinator::record_of(const ClassicGroup& group,
                                        const std::map<std::string, base::ByteVector>* given) {
  return {group.id(), group.stored(given)};
}

}  // namespace stele::coordinator
