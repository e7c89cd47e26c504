// One group of the classic protocol. What a load of the log can restore is its generation: protocol, leader, members
// with subscription and assignment. All else (who waits for a join or a sync, who may still come) lives with its
// requests and is lost with them. Decides nothing over time; GroupCoordinator does.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error_code.h"
#include "base/ids.h"
#include "coordinator/group/commands.h"
#include "coordinator/group/records.h"

namespace stele::coordinator {

inline constexpr std::string_view kConsumerProtocolType = "consumer";

// PreparingRebalance collects the members' joins; CompletingRebalance waits for the leader's assignment.
enum class GroupState { kEmpty, kPreparingRebalance, kCompletingRebalance, kStable };
// Kafka's name: "Empty", "PreparingRebalance".
std::string_view state_name(GroupState state);

struct GroupMember {
  std::string id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string client_host;
  int32_t rebalance_timeout_ms = 0;
  int32_t session_timeout_ms = 0;
  std::vector<JoinProtocol> protocols;  // in the order of its preference
  base::ByteVector assignment;          // set through the group, which counts it
  std::optional<RequestId> joining;     // the JoinGroup that waits for an answer; set through the group, which counts
  std::optional<RequestId> syncing;
  bool is_new = false;  // has not been given its id yet, so it can't heartbeat

  // Empty where the member does not know the protocol.
  base::ByteVector metadata(std::string_view protocol) const;
  // What it holds of memory, roughly.
  size_t bytes() const;
};

size_t bytes_of(const std::vector<JoinProtocol>& protocols);

class ClassicGroup {
 public:
  // Counts the bytes of its members in `bytes`, which outlives it.
  ClassicGroup(std::string id, base::Timestamp created, size_t& bytes)
      : id_(std::move(id)), all_bytes_(bytes), state_timestamp_(created.value()) {}
  // As a load gives it: Stable with members, Empty without.
  ClassicGroup(std::string id, const StoredGroup& stored, size_t& bytes);
  ClassicGroup(const ClassicGroup&) = delete;
  ClassicGroup& operator=(const ClassicGroup&) = delete;
  ~ClassicGroup() { all_bytes_ -= bytes_; }

  const std::string& id() const { return id_; }
  GroupState state() const { return state_; }
  GroupState previous_state() const { return previous_; }
  bool is(GroupState state) const { return state_ == state; }
  int32_t generation() const { return generation_; }
  const std::optional<std::string>& protocol_type() const { return protocol_type_; }
  const std::optional<std::string>& protocol() const { return protocol_; }
  const std::optional<std::string>& leader() const { return leader_; }
  bool is_leader(std::string_view member_id) const { return leader_ == member_id; }
  bool uses_consumer_protocol() const { return protocol_type_ == kConsumerProtocolType; }
  int64_t state_timestamp() const { return state_timestamp_; }  // -1 where the log does not say

  const std::map<std::string, GroupMember, std::less<>>& members() const { return members_; }
  std::map<std::string, GroupMember, std::less<>>& members() { return members_; }
  GroupMember* member(std::string_view member_id);
  const std::string* static_member_id(std::string_view instance_id) const;
  // kNone, or why this member may not speak: kUnknownMemberId, kFencedInstanceId.
  base::ErrorCode check_member(std::string_view member_id, const std::optional<std::string>& instance_id) const;

  bool is_pending(std::string_view member_id) const { return pending_joins_.contains(member_id); }
  void add_pending(const std::string& member_id);
  bool has_pending() const { return !pending_joins_.empty(); }

  // True where the group could run with this member's protocols.
  bool supports(std::string_view protocol_type, const std::vector<JoinProtocol>& protocols) const;
  GroupMember& add(GroupMember member, std::string_view protocol_type);
  // Also forgets a pending member, and hands leadership on.
  void remove(std::string_view member_id);
  // The same member under a new id; its waiting requests are the caller's to answer before.
  GroupMember& rename(const std::string& old_id, const std::string& new_id);

  void set_protocols(GroupMember& member, std::vector<JoinProtocol> protocols);
  void set_assignment(GroupMember& member, base::ByteVector assignment);
  // Gives back the request that waited before, if any: it is the caller's to answer.
  std::optional<RequestId> set_joining(GroupMember& member, std::optional<RequestId> request);
  bool all_joined() const { return pending_joins_.empty() && joining_ == members_.size(); }
  size_t joining() const { return joining_; }
  int32_t rebalance_timeout_ms() const;  // the longest of its members
  // The protocol with the most votes among those that all members know.
  std::string select_protocol() const;
  // Makes sure that the leader is one of those who joined. False where nobody did.
  bool elect_joined_leader();
  void transition(GroupState state, base::Timestamp now);
  // From PreparingRebalance to the next generation: CompletingRebalance, or Empty where no member is left.
  void next_generation(base::Timestamp now);

  std::set<std::string, std::less<>>& pending_syncs() { return pending_syncs_; }
  std::vector<JoinedMember> joined_members() const;
  // What is written to the log; `assignments` by member id stand in for those of the members.
  StoredGroup stored(const std::map<std::string, base::ByteVector>* assignments) const;
  // A record of this group was appended: its assignments are the group's, and a generation that waited for them is
  // Stable. A rebalance that has begun since the record was made goes on.
  void stored_was_appended(const StoredGroup& stored, base::Timestamp now);

  // True where an offset of this topic must not expire while the group lives.
  bool is_subscribed(std::string_view topic) const;
  bool knows_subscription() const { return subscribed_topics_.has_value(); }

  // The first rebalance of an empty group waits for more members, longer while more of them come.
  struct InitialDelay {
    int32_t delay_ms;
    int32_t remaining_ms;
  };
  std::optional<InitialDelay> initial_delay;
  bool new_member_added = false;
  base::Offset touched = base::kNoOffset;  // the last record about this group

 private:
  void compute_subscribed_topics();
  size_t support(std::string_view protocol) const;
  void count_support(const GroupMember& member, bool add);
  // Of support and of memory.
  void count(const GroupMember& member, bool add);
  void count_bytes(size_t bytes, bool add);
  void erase_pending(std::string_view member_id);

  std::string id_;
  size_t& all_bytes_;
  size_t bytes_ = 0;  // its part of them
  GroupState state_ = GroupState::kEmpty;
  GroupState previous_ = GroupState::kEmpty;
  int64_t state_timestamp_ = -1;
  std::optional<std::string> protocol_type_;
  std::optional<std::string> protocol_;
  std::optional<std::string> leader_;
  int32_t generation_ = 0;
  size_t joining_ = 0;
  std::map<std::string, GroupMember, std::less<>> members_;
  std::map<std::string, std::string, std::less<>> static_members_;  // instance id to member id
  std::set<std::string, std::less<>> pending_joins_;
  std::set<std::string, std::less<>> pending_syncs_;
  std::map<std::string, size_t, std::less<>> support_;  // protocol to the number of members that know it
  std::optional<std::set<std::string, std::less<>>> subscribed_topics_;
};

// The topics in a member's subscription (ConsumerProtocolSubscription, any version); none where the bytes are no
// subscription.
std::optional<std::vector<std::string>> subscription_topics(base::Bytes bytes);

}  // namespace stele::coordinator
