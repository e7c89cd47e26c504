#include "coordinator/group/classic_group.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace stele::coordinator {

using base::ErrorCode;

std::string_view state_name(GroupState state) {
  switch (state) {
    case GroupState::kEmpty:
      return "Empty";
    case GroupState::kPreparingRebalance:
      return "PreparingRebalance";
    case GroupState::kCompletingRebalance:
      return "CompletingRebalance";
    case GroupState::kStable:
      return "Stable";
  }
  return "";
}

base::ByteVector GroupMember::metadata(std::string_view protocol) const {
  for (const JoinProtocol& known : protocols) {
    if (known.name == protocol) return known.metadata;
  }
  return {};
}

namespace {
constexpr size_t kMemberBytes = 512;  // its place in the tables, its deadlines
constexpr size_t kProtocolBytes = 64;
size_t bytes_of_pending(std::string_view member_id) { return kMemberBytes + member_id.size(); }
}  // namespace

size_t bytes_of(const std::vector<JoinProtocol>& protocols) {
  size_t bytes = 0;
  for (const JoinProtocol& known : protocols) bytes += kProtocolBytes + known.name.size() + known.metadata.size();
  return bytes;
}

size_t GroupMember::bytes() const {
  return kMemberBytes + 2 * id.size() + (instance_id ? 2 * instance_id->size() : 0) + client_id.size() +
         client_host.size() + bytes_of(protocols) + assignment.size();
}

ClassicGroup::ClassicGroup(std::string id, const StoredGroup& stored, size_t& bytes)
    : id_(std::move(id)), all_bytes_(bytes) {
  for (const StoredMember& from : stored.members) {
    GroupMember member;
    member.id = from.member_id;
    member.instance_id = from.instance_id;
    member.client_id = from.client_id;
    member.client_host = from.client_host;
    member.session_timeout_ms = from.session_timeout_ms;
    member.rebalance_timeout_ms = from.rebalance_timeout_ms == -1 ? from.session_timeout_ms : from.rebalance_timeout_ms;
    member.protocols.push_back({stored.protocol.value_or(""), from.subscription});
    member.assignment = from.assignment;
    add(std::move(member), stored.protocol_type);
  }
  state_ = stored.members.empty() ? GroupState::kEmpty : GroupState::kStable;
  previous_ = state_;
  state_timestamp_ = stored.state_timestamp;
  if (stored.protocol_type.empty()) {
    protocol_type_.reset();
  } else {
    protocol_type_ = stored.protocol_type;
  }
  protocol_ = stored.protocol;
  leader_ = stored.leader;
  generation_ = stored.generation;
  compute_subscribed_topics();
}

GroupMember* ClassicGroup::member(std::string_view member_id) {
  auto found = members_.find(member_id);
  return found == members_.end() ? nullptr : &found->second;
}

const std::string* ClassicGroup::static_member_id(std::string_view instance_id) const {
  auto found = static_members_.find(instance_id);
  return found == static_members_.end() ? nullptr : &found->second;
}

ErrorCode ClassicGroup::check_member(std::string_view member_id, const std::optional<std::string>& instance_id) const {
  if (instance_id) {
    const std::string* present = static_member_id(*instance_id);
    if (!present) return ErrorCode::kUnknownMemberId;
    if (*present != member_id) return ErrorCode::kFencedInstanceId;
  }
  return members_.contains(member_id) ? ErrorCode::kNone : ErrorCode::kUnknownMemberId;
}

size_t ClassicGroup::support(std::string_view protocol) const {
  auto found = support_.find(protocol);
  return found == support_.end() ? 0 : found->second;
}

bool ClassicGroup::supports(std::string_view protocol_type, const std::vector<JoinProtocol>& protocols) const {
  if (is(GroupState::kEmpty)) return !protocol_type.empty() && !protocols.empty();
  if (protocol_type_ != protocol_type) return false;
  return std::ranges::any_of(protocols, [&](const auto& known) { return support(known.name) == members_.size(); });
}

GroupMember& ClassicGroup::add(GroupMember member, std::string_view protocol_type) {
  if (member.instance_id) static_members_.insert_or_assign(*member.instance_id, member.id);
  if (members_.empty()) protocol_type_ = std::string(protocol_type);
  if (!leader_) leader_ = member.id;
  if (const auto before = members_.find(member.id); before != members_.end()) count(before->second, false);
  count(member, true);
  if (member.joining) ++joining_;
  erase_pending(member.id);
  std::string id = member.id;
  auto [at, fresh] = members_.insert_or_assign(std::move(id), std::move(member));
  return at->second;
}

void ClassicGroup::remove(std::string_view member_id) {
  const std::string id{member_id};  // the view may stand in what is erased
  if (auto found = members_.find(id); found != members_.end()) {
    count(found->second, false);
    if (found->second.joining) --joining_;
    if (found->second.instance_id) static_members_.erase(*found->second.instance_id);
    members_.erase(found);
  }
  if (is_leader(id)) {
    leader_ = members_.empty() ? std::nullopt : std::optional{members_.begin()->first};
  }
  erase_pending(id);
  pending_syncs_.erase(id);
}

void ClassicGroup::add_pending(const std::string& member_id) {
  if (pending_joins_.insert(member_id).second) count_bytes(bytes_of_pending(member_id), true);
}

void ClassicGroup::erase_pending(std::string_view member_id) {
  const auto found = pending_joins_.find(member_id);
  if (found == pending_joins_.end()) return;
  count_bytes(bytes_of_pending(member_id), false);
  pending_joins_.erase(found);
}

void ClassicGroup::count_bytes(size_t bytes, bool add) {
  bytes_ = add ? bytes_ + bytes : bytes_ - bytes;
  all_bytes_ = add ? all_bytes_ + bytes : all_bytes_ - bytes;
}

void ClassicGroup::count(const GroupMember& member, bool add) {
  count_support(member, add);
  count_bytes(member.bytes(), add);
}

GroupMember& ClassicGroup::rename(const std::string& old_id, const std::string& new_id) {
  auto node = members_.extract(old_id);
  STELE_CHECK(!node.empty(), "no member {} in group {}", old_id, id_);
  count_bytes(node.mapped().bytes(), false);
  node.key() = new_id;
  node.mapped().id = new_id;
  count_bytes(node.mapped().bytes(), true);
  GroupMember& member = members_.insert(std::move(node)).position->second;
  if (member.instance_id) static_members_.insert_or_assign(*member.instance_id, new_id);
  if (is_leader(old_id)) leader_ = new_id;
  if (pending_syncs_.erase(old_id) > 0) pending_syncs_.insert(new_id);
  return member;
}

void ClassicGroup::count_support(const GroupMember& member, bool add) {
  std::set<std::string_view> names;  // a name given twice counts once
  for (const auto& known : member.protocols) names.insert(known.name);
  for (std::string_view name : names) {
    auto at = support_.try_emplace(std::string(name), 0).first;
    at->second = add ? at->second + 1 : at->second - 1;
    if (at->second == 0) support_.erase(at);
  }
}

void ClassicGroup::set_protocols(GroupMember& member, std::vector<JoinProtocol> protocols) {
  count(member, false);
  member.protocols = std::move(protocols);
  count(member, true);
}

void ClassicGroup::set_assignment(GroupMember& member, base::ByteVector assignment) {
  count_bytes(member.bytes(), false);
  member.assignment = std::move(assignment);
  count_bytes(member.bytes(), true);
}

std::optional<RequestId> ClassicGroup::set_joining(GroupMember& member, std::optional<RequestId> request) {
  if (member.joining) --joining_;
  if (request) ++joining_;
  return std::exchange(member.joining, request);
}

int32_t ClassicGroup::rebalance_timeout_ms() const {
  int32_t longest = 0;
  for (const auto& [id, member] : members_) longest = std::max(longest, member.rebalance_timeout_ms);
  return longest;
}

std::string ClassicGroup::select_protocol() const {
  std::map<std::string, size_t> votes;
  for (const auto& [id, member] : members_) {
    for (const auto& known : member.protocols) {
      if (support(known.name) < members_.size()) continue;
      ++votes[known.name];
      break;
    }
  }
  auto best = std::ranges::max_element(votes, {}, [](const auto& vote) { return vote.second; });
  return best == votes.end() ? std::string() : best->first;
}

bool ClassicGroup::elect_joined_leader() {
  if (!leader_) return false;
  if (const GroupMember* present = member(*leader_); present && present->joining) return true;
  for (const auto& [id, candidate] : members_) {
    if (!candidate.joining) continue;
    leader_ = id;
    return true;
  }
  return false;
}

void ClassicGroup::transition(GroupState state, base::Timestamp now) {
  previous_ = state_;
  state_ = state;
  state_timestamp_ = now.value();
}

void ClassicGroup::next_generation(base::Timestamp now) {
  STELE_CHECK(is(GroupState::kPreparingRebalance), "group {} in {}", id_, state_name(state_));
  ++generation_;
  if (members_.empty()) {
    protocol_.reset();
    transition(GroupState::kEmpty, now);
  } else {
    protocol_ = select_protocol();
    transition(GroupState::kCompletingRebalance, now);
  }
  compute_subscribed_topics();
  pending_syncs_.clear();
}

std::vector<JoinedMember> ClassicGroup::joined_members() const {
  std::vector<JoinedMember> joined;
  for (const auto& [id, member] : members_) {
    joined.push_back({id, member.instance_id, member.metadata(protocol_.value_or(""))});
  }
  return joined;
}

StoredGroup ClassicGroup::stored(const std::map<std::string, base::ByteVector>* assignments) const {
  StoredGroup stored;
  stored.protocol_type = protocol_type_.value_or("");
  stored.generation = generation_;
  stored.protocol = protocol_;
  stored.leader = leader_;
  stored.state_timestamp = state_timestamp_;
  for (const auto& [id, member] : members_) {
    StoredMember& to = stored.members.emplace_back();
    to.member_id = id;
    to.instance_id = member.instance_id;
    to.client_id = member.client_id;
    to.client_host = member.client_host;
    to.rebalance_timeout_ms = member.rebalance_timeout_ms;
    to.session_timeout_ms = member.session_timeout_ms;
    to.subscription = member.metadata(protocol_.value_or(""));
    to.assignment = member.assignment;
    if (!assignments) continue;
    auto given = assignments->find(id);
    to.assignment = given == assignments->end() ? base::ByteVector{} : given->second;
  }
  return stored;
}

void ClassicGroup::stored_was_appended(const StoredGroup& stored, base::Timestamp now) {
  if (stored.generation != generation_ || stored.members.empty()) return;
  if (is(GroupState::kPreparingRebalance)) return;
  for (const StoredMember& from : stored.members) {
    if (GroupMember* to = member(from.member_id)) set_assignment(*to, from.assignment);
  }
  if (is(GroupState::kCompletingRebalance)) transition(GroupState::kStable, now);
}

void ClassicGroup::compute_subscribed_topics() {
  subscribed_topics_.reset();
  if (!uses_consumer_protocol()) return;
  std::set<std::string, std::less<>> all;
  if (!members_.empty() && !protocol_) return;
  for (const auto& [id, member] : members_) {
    auto topics = subscription_topics(member.metadata(*protocol_));
    if (!topics) return;
    all.insert(topics->begin(), topics->end());
  }
  subscribed_topics_ = std::move(all);
}

bool ClassicGroup::is_subscribed(std::string_view topic) const {
  return subscribed_topics_ ? subscribed_topics_->contains(topic) : uses_consumer_protocol();
}

std::optional<std::vector<std::string>> subscription_topics(base::Bytes bytes) {
  std::vector<std::string> topics;
  if (bytes.size() < 6 || base::load_be<int16_t>(bytes.data()) < 0) return std::nullopt;
  int32_t count = base::load_be<int32_t>(bytes.data() + 2);
  bytes = bytes.subspan(6);
  for (; count > 0; --count) {
    if (bytes.size() < 2) return std::nullopt;
    const int16_t length = base::load_be<int16_t>(bytes.data());
    bytes = bytes.subspan(2);
    if (length < 0 || bytes.size() < static_cast<size_t>(length)) return std::nullopt;
    topics.emplace_back(base::as_text(bytes.first(static_cast<size_t>(length))));
    bytes = bytes.subspan(static_cast<size_t>(length));
  }
  return topics;
}

}  // namespace stele::coordinator
