// The group coordinator of one partition of __consumer_offsets: classic groups and committed offsets.
// A state machine for CoordinatorRuntime: commands and time in, records and replies out; no I/O, no clock.
//
// What is durable (committed offsets, generations, assignments) changes by replay() alone. What a rebalance holds in
// between (members that wait for a join or a sync, deadlines) has no record in Kafka's format: it changes as commands
// are handled, and is lost with the state when leadership or the log is lost; members then find out by heartbeat.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/complaints.h"
#include "base/random.h"
#include "coordinator/group/classic_group.h"
#include "coordinator/group/commands.h"
#include "coordinator/group/offset_store.h"
#include "coordinator/group/records.h"
#include "coordinator/runtime/coordinator_log.h"
#include "coordinator/runtime/deadlines.h"

namespace stele::coordinator {

// Named after Kafka's options (group.*, offsets.*); milliseconds.
struct GroupOptions {
  int32_t min_session_timeout_ms = 6'000;
  int32_t max_session_timeout_ms = 1'800'000;
  int32_t initial_rebalance_delay_ms = 3'000;
  int32_t new_member_join_timeout_ms = 300'000;
  size_t max_size = std::numeric_limits<int32_t>::max();
  size_t members_bytes_max = std::numeric_limits<int64_t>::max();  // stele.group.members.bytes.max, its share
  size_t groups_max = std::numeric_limits<int32_t>::max();         // stele.groups.max, this coordinator's share
  size_t offsets_max = std::numeric_limits<int32_t>::max();        // stele.group.offsets.max, this coordinator's share
  size_t offset_metadata_max = 4'096;                              // UTF-16 units, as Java counts
  int64_t offsets_retention_ms = 10'080LL * 60'000;
  int64_t offsets_retention_check_interval_ms = 600'000;
};

struct GroupOutcome {
  std::vector<GroupLogRecord> records;
  std::vector<GroupReply> replies;
  bool atomic = true;  // false: the records may go in several batches
};

class GroupCoordinator {
 public:
  using Command = GroupCommand;
  using Reply = GroupReply;
  using Record = GroupLogRecord;
  using Outcome = GroupOutcome;

  // `random` (member ids) and `complaints` outlive the coordinator.
  GroupCoordinator(const GroupOptions& options, base::Random& random, base::Complaints& complaints)
      : options_(options), random_(random), complaints_(complaints) {}

  // --- what CoordinatorRuntime asks of a machine
  Outcome handle(Command command, Now now);
  // Acts on one deadline that has passed.
  Outcome expire(Now now);
  std::optional<base::MonoTime> next_deadline() const { return deadlines_.next(); }
  void replay(base::Offset at, const Record& record) { replay(at, base::kNoProducerId, record); }
  // All of the log was replayed; from here on commands come.
  Outcome loaded(Now now);
  // The records of `outcome` were not appended, being too large; its replies were answered with `error`.
  Outcome refused(const Outcome& outcome, base::ErrorCode error, Now now);
  // The state is about to go: an answer for every request that waits in it.
  std::vector<Reply> drop(base::ErrorCode error);
  static base::Result<LogRecord> encode(const Record& record);
  static std::vector<Reply> refuse(Command command, base::ErrorCode error);
  static void fail(Reply& reply, base::ErrorCode error) { set_error(reply.body, error); }

  // --- while loading, for a log that Apache Kafka wrote: offsets committed in transactions
  void replay(base::Offset at, base::ProducerId producer, const Record& record);
  void end_transaction(base::ProducerId producer, bool commit) { offsets_.end_transaction(producer, commit); }

  const ClassicGroup* group(std::string_view id) const;
  const OffsetStore& offsets() const { return offsets_; }
  size_t group_count() const { return groups_.size(); }
  size_t members_bytes() const { return members_bytes_; }

 private:
  enum class Timer { kMember, kJoin, kSync, kOffsets };
  struct TimerKey {
    std::string group_id;
    Timer timer;
    std::string member_id;
    friend auto operator<=>(const TimerKey&, const TimerKey&) = default;
  };
  // One command or deadline on its way through.
  struct Turn {
    RequestId request;
    Now now;
    Outcome& out;
  };

  // group_join.cc
  void join(JoinGroup& join, Turn turn);
  void join_new(JoinGroup& join, ClassicGroup& group, Turn turn);
  void join_known(JoinGroup& join, ClassicGroup& group, Turn turn);
  void join_again(JoinGroup& join, ClassicGroup& group, GroupMember& member, Turn turn);
  void replace_static(JoinGroup& join, ClassicGroup& group, const std::string& old_id, const std::string& new_id,
                      Turn turn);
  void add_member(JoinGroup& join, ClassicGroup& group, const std::string& member_id, Turn turn);
  void update_member(JoinGroup& join, ClassicGroup& group, GroupMember& member, Turn turn);
  // No further group is taken in; says so.
  bool is_full(std::string_view wanted) const;
  // What members hold of memory would be too much; says so.
  bool is_too_large(const JoinGroup& join, const ClassicGroup& group) const;
  bool is_too_large(const SyncGroup& sync, const ClassicGroup& group) const;
  bool accepts(ClassicGroup& group, std::string_view member_id) const;
  std::string make_member_id(std::string_view prefix);
  JoinGroupReply current_generation(const ClassicGroup& group, const std::string& member_id) const;

  // group_rebalance.cc
  void rebalance_or_complete(ClassicGroup& group, Turn turn);
  void maybe_complete_join(ClassicGroup& group, Turn turn);
  void prepare_rebalance(ClassicGroup& group, Turn turn);
  void complete_join(ClassicGroup& group, Turn turn);
  void join_deadline(ClassicGroup& group, Turn turn);
  void sync_deadline(ClassicGroup& group, Turn turn);
  void member_deadline(ClassicGroup& group, const std::string& member_id, Turn turn);
  void remove_member(ClassicGroup& group, const std::string& member_id, Turn turn);
  void answer_syncs(ClassicGroup& group, base::ErrorCode error, const std::map<std::string, base::ByteVector>* given,
                    Turn turn);
  void answer_join(ClassicGroup& group, GroupMember& member, JoinGroupReply reply, Turn turn);
  void answer_sync(ClassicGroup& group, GroupMember& member, SyncGroupReply reply, Turn turn);

  // group_coordinator.cc
  void sync(SyncGroup& sync, Turn turn);
  base::ErrorCode check_sync(const SyncGroup& sync, const ClassicGroup& group) const;
  void heartbeat(const Heartbeat& beat, Turn turn);
  void leave(LeaveGroup& leave, Turn turn);
  base::ErrorCode leave_one(ClassicGroup& group, const LeavingMember& leaving, Turn turn);
  void describe(const DescribeGroup& describe, Turn turn);
  void list(const ListGroups& list, Turn turn);

  // group_offsets.cc
  void commit(OffsetCommit& commit, Turn turn);
  base::ErrorCode check_commit(const OffsetCommit& commit, const ClassicGroup* group) const;
  void fetch(OffsetFetch& fetch, Turn turn);
  OffsetFetchReply::Partition fetch_one(const OffsetFetch& fetch, const OffsetFetch::Topic& topic,
                                        int32_t partition) const;
  void forget(const ForgetTopics& topics, Turn turn);
  void clean_up(Turn turn);
  bool clean_up_offsets(const ClassicGroup& group, Now now, std::vector<Record>& records) const;

  ClassicGroup* find(std::string_view id);
  ClassicGroup& create(const std::string& id, Now now);
  void erase_group(const std::string& id, base::Offset at);
  void keep_alive(const ClassicGroup& group, const GroupMember& member, Now now);
  void schedule(const ClassicGroup& group, Timer timer, std::string_view member_id, int64_t after_ms, Now now);
  void cancel(const ClassicGroup& group, Timer timer, std::string_view member_id = {});
  // Replies wait for what touched the group, or for the deletion of one that is gone.
  void answer(const ClassicGroup* group, Turn turn, GroupReplyBody body);
  void answer(const ClassicGroup* group, RequestId request, Outcome& out, GroupReplyBody body);
  static GroupRecord record_of(const ClassicGroup& group, const std::map<std::string, base::ByteVector>* given);

  GroupOptions options_;
  base::Random& random_;
  base::Complaints& complaints_;
  bool loading_ = true;
  base::Timestamp turn_time_;
  size_t members_bytes_ = 0;  // of all groups, which count it
  std::map<std::string, std::unique_ptr<ClassicGroup>, std::less<>> groups_;
  OffsetStore offsets_;
  Deadlines<TimerKey> deadlines_;
  base::Offset last_deletion_ = base::kNoOffset;
};

}  // namespace stele::coordinator
