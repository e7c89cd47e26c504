// Members of classic groups, and those who commit offsets without a group.
#include <fmt/format.h>

#include "sim/swarm/stage.h"
#include "wire/find_coordinator_request.h"
#include "wire/find_coordinator_response.h"
#include "wire/heartbeat_request.h"
#include "wire/heartbeat_response.h"
#include "wire/join_group_request.h"
#include "wire/join_group_response.h"
#include "wire/offset_commit_request.h"
#include "wire/offset_commit_response.h"
#include "wire/offset_fetch_request.h"
#include "wire/offset_fetch_response.h"
#include "wire/sync_group_request.h"
#include "wire/sync_group_response.h"

namespace stele::sim::swarm {

namespace {

using base::ErrorCode;
using base::Task;
using std::chrono::milliseconds;

constexpr int16_t kCommitVersion = 8;
constexpr int16_t kOffsetFetchVersion = 8;
constexpr int32_t kLoners = 2;  // groups of loners are numbered from here on

struct Membership {
  std::string member;
  int32_t generation = -1;
  int32_t last_generation = -1;  // that it was in, also where it has to join anew
  int32_t former_generation = -1;
  std::vector<int32_t> partitions;
};

// Errors that go away by themselves.
bool passes(ErrorCode code) {
  return code == ErrorCode::kCoordinatorNotAvailable || code == ErrorCode::kCoordinatorLoadInProgress ||
         code == ErrorCode::kNotCoordinator || code == ErrorCode::kKafkaStorageError ||
         code == ErrorCode::kRequestTimedOut;
}

// A commit beyond offset.metadata.max.bytes, stele.group.offsets.max or stele.groups.max.
bool is_limit(ErrorCode code) {
  return code == ErrorCode::kOffsetMetadataTooLarge || code == ErrorCode::kInvalidCommitOffsetSize ||
         code == ErrorCode::kPolicyViolation;
}

int32_t in_ms(base::Duration time) {
  return static_cast<int32_t>(std::chrono::duration_cast<milliseconds>(time).count());
}

class Member {
 public:
  Member(Stage& stage, io::Shard& shard, const ClientPlan& plan)
      : stage_(stage),
        shard_(shard),
        plan_(plan),
        random_(plan.seed),
        late_(news_of(plan, 1)),
        extra_(news_of(plan, 3)) {
    group_ = plan.kind == ClientKind::kLoner ? kLoners + plan.group : plan.group;
    name_ = group_name(group_);
  }

  Task<void> run() {
    if (stage_.topics.empty()) co_return;
    const base::TopicId id = stage_.topics.front().id;
    for (uint32_t done = 0; done < plan_.operations && !stage_.healed;) {
      const KnownTopic* topic = stage_.find(id);
      if (topic == nullptr || topic->deleting) co_return;
      const bool ready = co_await get_ready(id);
      ++done;
      if (!ready) {
        co_await pause(shard_, random_, milliseconds{50});
        continue;
      }
      co_await act(id);
      co_await pause(shard_, random_, plan_.think);
    }
  }

 private:
  Task<bool> get_ready(base::TopicId id) {
    if (line_ == nullptr) line_ = co_await Line::connect(stage_, shard_, plan_.timeout);
    if (line_ == nullptr) co_return false;
    if (!found_) {
      wire::FindCoordinatorRequest request;
      request.coordinator_keys.emplace_back(name_);
      const auto answer = co_await line_->call<wire::FindCoordinatorResponse>(request, 4, plan_.timeout);
      if (!answer) line_.reset();
      if (!answer || answer->coordinators.front().error_code != 0) co_return false;
      found_ = true;
    }
    if (plan_.kind == ClientKind::kLoner || membership_.generation >= 0) co_return true;
    co_return co_await join(id);
  }

  Task<bool> join(base::TopicId id) {
    wire::JoinGroupRequest request;
    request.group_id = name_;
    request.session_timeout_ms = in_ms(plan_.session_timeout);
    request.rebalance_timeout_ms = in_ms(plan_.rebalance_timeout);
    const base::Duration patience = plan_.timeout + plan_.rebalance_timeout + milliseconds{2500};
    const std::string member = membership_.member;
    request.member_id = member;
    request.protocol_type = "consumer";
    request.protocols.push_back({.name = "range", .metadata = base::as_bytes("m")});
    const auto answer = co_await line_->call<wire::JoinGroupResponse>(request, 9, patience);
    if (!answer) line_.reset();
    if (!answer) co_return false;
    const auto code = static_cast<ErrorCode>(answer->error_code);
    if (code == ErrorCode::kMemberIdRequired) membership_.member = answer->member_id;
    if (code == ErrorCode::kUnknownMemberId) membership_.member.clear();
    if (code != ErrorCode::kNone) co_return false;
    membership_.member = answer->member_id;
    wire::SyncGroupRequest sync;
    sync.group_id = name_;
    sync.generation_id = answer->generation_id;
    sync.member_id = membership_.member;
    sync.protocol_type = "consumer";
    sync.protocol_name = "range";
    std::vector<std::string> parts;
    if (answer->leader == answer->member_id) parts = share_out(id, answer->members.size());
    const Moment invoked = stage_.history.tick();
    Handout handout{.span = {.invoked = invoked}, .group = group_, .generation = answer->generation_id, .parts = {}};
    for (size_t i = 0; i < parts.size(); ++i) {
      sync.assignments.push_back({.member_id = answer->members[i].member_id, .assignment = base::as_bytes(parts[i])});
      handout.parts.emplace(answer->members[i].member_id, parts[i]);
    }
    if (!parts.empty()) stage_.history.handouts.push_back(std::move(handout));
    const auto synced = co_await line_->call<wire::SyncGroupResponse>(sync, 5, patience);
    if (!synced) line_.reset();
    if (!synced || synced->error_code != 0) co_return false;
    stage_.history.assignments.push_back({.span = {invoked, stage_.history.tick(), line_->era()},
                                          .group = group_,
                                          .generation = answer->generation_id,
                                          .member = membership_.member,
                                          .part = std::string{base::as_text(synced->assignment)}});
    if (membership_.last_generation != answer->generation_id) {
      membership_.former_generation = std::exchange(membership_.last_generation, answer->generation_id);
    }
    membership_.generation = answer->generation_id;
    membership_.partitions.clear();
    for (const std::byte part : synced->assignment) membership_.partitions.push_back(static_cast<int32_t>(part));
    co_return true;
  }

  // Partitions in turn: a byte for each.
  std::vector<std::string> share_out(base::TopicId id, size_t members) {
    std::vector<std::string> parts(members);
    const int32_t partitions = stage_.find(id)->partitions;
    for (int32_t i = 0; i < partitions; ++i) parts[static_cast<size_t>(i) % members].push_back(static_cast<char>(i));
    return parts;
  }

  Task<void> act(base::TopicId id) {
    const uint64_t dice = random_.below(10);
    if (dice < 5) {
      co_await commit(id);
    } else if (dice < 8 || plan_.kind == ClientKind::kLoner) {
      int16_t code = 0;
      const KnownTopic topic = *stage_.find(id);
      const bool got = co_await fetch_offsets(stage_, *line_, group_, topic, plan_.timeout, code);
      if (!got && code == -1) line_.reset();
      if (!got && code != -1) found_ = false;
    } else if (dice < 9) {
      co_await beat();
    } else if (random_.below(3) == 0) {
      line_.reset();  // another takes its place, under a new name
      membership_ = {};
    }
  }

  Task<void> beat() {
    wire::HeartbeatRequest request;
    request.group_id = name_;
    request.generation_id = membership_.generation;
    request.member_id = membership_.member;
    const auto answer = co_await line_->call<wire::HeartbeatResponse>(request, 4, plan_.timeout);
    if (!answer) line_.reset();
    if (answer) take_refusal(static_cast<ErrorCode>(answer->error_code));
  }

  Task<void> commit(base::TopicId id) {
    const KnownTopic* topic = stage_.find(id);
    const std::string topic_name = topic->name;
    int32_t partition = static_cast<int32_t>(random_.below(static_cast<uint64_t>(topic->partitions)));
    if (plan_.kind == ClientKind::kMember) {
      if (membership_.partitions.empty()) co_return co_await beat();
      partition = membership_.partitions[random_.below(membership_.partitions.size())];
    }
    const size_t index = stage_.history.commits.size();
    const int64_t offset = ++stage_.commits;
    // Now and then as one that has not heard of the last rebalance.
    const bool late = stage_.plan.story >= 2 && membership_.former_generation >= 0 && late_.below(6) == 0;
    const int32_t generation = late ? membership_.former_generation : membership_.generation;
    stage_.history.commits.push_back({.span = {.invoked = stage_.history.tick()},
                                      .group = group_,
                                      .place = {topic->number, partition},
                                      .offset = offset,
                                      .generation = generation});
    wire::OffsetCommitRequest request;
    request.group_id = name_;
    request.generation_id_or_member_epoch = generation;
    request.member_id = membership_.member;
    auto& wanted = request.topics.emplace_back();
    wanted.name = topic_name;
    const std::string metadata(plan_.metadata_bytes == 0 ? 0 : extra_.below(plan_.metadata_bytes + 1), 'm');
    wanted.partitions.push_back(
        {.partition_index = partition, .committed_offset = offset, .committed_metadata = metadata});
    const auto answer = co_await line_->call<wire::OffsetCommitResponse>(request, kCommitVersion, plan_.timeout);
    if (!answer) {
      line_.reset();
      co_return;
    }
    const auto code = static_cast<ErrorCode>(answer->topics.front().partitions.front().error_code);
    Commit& told = stage_.history.commits[index];
    told.span.completed = stage_.history.tick();
    told.span.era = line_->era();
    if (code == ErrorCode::kNone) {
      told.outcome = Outcome::kOk;
      ++stage_.acknowledged;
      co_return;
    }
    if (!late || code != ErrorCode::kIllegalGeneration) take_refusal(code);
    // Nothing of these was written; of all else nobody knows. A coordinator that resigns answers NOT_COORDINATOR for
    // what it has written too.
    if (code == ErrorCode::kIllegalGeneration || code == ErrorCode::kUnknownMemberId ||
        code == ErrorCode::kRebalanceInProgress || is_limit(code)) {
      told.outcome = Outcome::kFail;
    } else {
      told.span.completed = kNever;
    }
  }

  void take_refusal(ErrorCode code) {
    if (code == ErrorCode::kNone) return;
    if (passes(code)) {
      found_ = false;
    } else if (code == ErrorCode::kIllegalGeneration || code == ErrorCode::kRebalanceInProgress) {
      membership_.generation = -1;
    } else if (code == ErrorCode::kUnknownMemberId) {
      membership_ = {};
    } else if (code != ErrorCode::kUnknownTopicOrPartition && !(is_limit(code) && stage_.plan.story >= 3)) {
      stage_.odd(fmt::format("group {} answered {}", name_, base::error_name(code)));
    }
  }

  Stage& stage_;
  io::Shard& shard_;
  const ClientPlan& plan_;
  base::SeededRandom random_;
  base::SeededRandom late_;
  base::SeededRandom extra_;
  int32_t group_ = 0;
  std::string name_;
  std::unique_ptr<Line> line_;
  bool found_ = false;
  Membership membership_;
};

}  // namespace

Task<bool> fetch_offsets(Stage& stage, Line& line, int32_t group, const KnownTopic& topic, base::Duration timeout,
                         int16_t& code) {
  const std::string name = group_name(group);
  const std::string topic_name = topic.name;
  const int32_t number = topic.number;
  wire::OffsetFetchRequest request;
  auto& wanted = request.groups.emplace_back();
  wanted.group_id = name;
  auto& topics = wanted.topics->emplace_back();
  topics.name = topic_name;
  for (int32_t i = 0; i < topic.partitions; ++i) topics.partition_indexes.push_back(i);
  const Moment invoked = stage.history.tick();
  const auto answer = co_await line.call<wire::OffsetFetchResponse>(request, kOffsetFetchVersion, timeout);
  code = -1;
  if (!answer) co_return false;
  const auto& got = answer->groups.front();
  code = got.error_code;
  if (code != 0) co_return false;
  const Span span{invoked, stage.history.tick(), line.era()};
  for (const auto& part : got.topics.front().partitions) {
    code = part.error_code;
    if (code != 0) co_return false;
    stage.history.commit_reads.push_back(
        {.span = span, .group = group, .place = {number, part.partition_index}, .offset = part.committed_offset});
  }
  ++stage.acknowledged;
  co_return true;
}

Task<void> run_member(Stage& stage, io::Shard& shard, const ClientPlan& plan, uint32_t) {
  Member member(stage, shard, plan);
  co_await member.run();
}

Task<void> run_loner(Stage& stage, io::Shard& shard, const ClientPlan& plan, uint32_t) {
  Member member(stage, shard, plan);
  co_await member.run();
}

}  // namespace stele::sim::swarm
