// OffsetCommit, OffsetFetch and the expiration of offsets (OffsetMetadataManager of Apache Kafka 4.3.1).
#include <utility>

#include "coordinator/group/group_coordinator.h"

namespace stele::coordinator {
namespace {

using base::ErrorCode;

// The length of a string as Java counts it.
size_t utf16_length(std::string_view utf8) {
  size_t units = 0;
  for (const char c : utf8) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xc0) != 0x80) units += byte >= 0xf0 ? 2 : 1;
  }
  return units;
}

}  // namespace

ErrorCode GroupCoordinator::check_commit(const OffsetCommit& commit, const ClassicGroup* group) const {
  if (!group) {
    if (commit.generation < 0) return is_full(commit.group_id) ? ErrorCode::kPolicyViolation : ErrorCode::kNone;
    return commit.api_version >= 9 ? ErrorCode::kGroupIdNotFound : ErrorCode::kIllegalGeneration;
  }
  // Without a generation it comes from a tool, or from a consumer that assigns its partitions itself.
  if (commit.generation < 0 && group->is(GroupState::kEmpty)) return ErrorCode::kNone;
  if (commit.generation < 0 && commit.member_id.empty() && !commit.instance_id) return ErrorCode::kUnknownMemberId;
  if (const ErrorCode error = group->check_member(commit.member_id, commit.instance_id); error != ErrorCode::kNone) {
    return error;
  }
  if (commit.generation != group->generation()) return ErrorCode::kIllegalGeneration;
  // The member knows the new generation and not yet its partitions.
  return group->is(GroupState::kCompletingRebalance) ? ErrorCode::kRebalanceInProgress : ErrorCode::kNone;
}

void GroupCoordinator::commit(OffsetCommit& commit, Turn turn) {
  ClassicGroup* group = find(commit.group_id);
  if (const ErrorCode error = check_commit(commit, group); error != ErrorCode::kNone) {
    const GroupCommand failed{turn.request, std::move(commit)};
    return answer(group, turn, error_reply(failed, error));
  }
  // A commit counts as a heartbeat.
  if (GroupMember* member = group ? group->member(commit.member_id) : nullptr) keep_alive(*group, *member, turn.now);

  OffsetCommitReply reply;
  bool no_room = false;
  bool metadata_too_large = false;
  for (auto& topic : commit.topics) {
    auto& answered = reply.topics.emplace_back(OffsetCommitReply::Topic{topic.name, topic.id, {}});
    for (auto& partition : topic.partitions) {
      if (partition.metadata && utf16_length(*partition.metadata) > options_.offset_metadata_max) {
        answered.partitions.push_back({partition.partition, ErrorCode::kOffsetMetadataTooLarge});
        metadata_too_large = true;
        continue;
      }
      if (offsets_.count() >= options_.offsets_max &&
          !offsets_.find(commit.group_id, topic.name, partition.partition)) {
        answered.partitions.push_back({partition.partition, ErrorCode::kInvalidCommitOffsetSize});
        no_room = true;
        continue;
      }
      answered.partitions.push_back({partition.partition, ErrorCode::kNone});
      CommittedOffset value;
      value.offset = partition.offset;
      value.leader_epoch = partition.leader_epoch;
      value.metadata = std::move(partition.metadata).value_or("");
      value.commit_timestamp = turn.now.wall.value();
      if (commit.retention_time_ms != -1) value.expire_timestamp = turn.now.wall.value() + commit.retention_time_ms;
      value.topic_id = topic.id;
      turn.out.records.emplace_back(OffsetRecord{commit.group_id, topic.name, partition.partition, std::move(value)});
    }
  }
  if (no_room) {
    complaints_.reached(base::Limit::kGroupOffsets, "offsets of group {} are refused: {} are known to this coordinator",
                        commit.group_id, offsets_.count());
  }
  if (metadata_too_large) {
    complaints_.reached(base::Limit::kOffsetMetadata, "offsets of group {} are refused: their metadata is too large",
                        commit.group_id);
  }
  answer(group, turn, std::move(reply));
}

void GroupCoordinator::fetch(OffsetFetch& fetch, Turn turn) {
  const ClassicGroup* group = find(fetch.group_id);
  OffsetFetchReply reply;
  reply.group_id = fetch.group_id;
  if (!fetch.topics) {
    fetch.topics.emplace();
    const OffsetStore::Topics* committed = offsets_.group(fetch.group_id);
    if (committed && group) {
      for (const auto& [name, partitions] : *committed) {
        auto& topic = fetch.topics->emplace_back(OffsetFetch::Topic{name, {}, {}});
        for (const auto& [partition, entry] : partitions) topic.partitions.push_back(partition);
      }
    }
  }
  for (const auto& topic : *fetch.topics) {
    auto& answered = reply.topics.emplace_back(OffsetFetchReply::Topic{topic.name, topic.id, {}});
    for (const int32_t partition : topic.partitions) answered.partitions.push_back(fetch_one(fetch, topic, partition));
  }
  answer(group, turn, std::move(reply));
}

OffsetFetchReply::Partition GroupCoordinator::fetch_one(const OffsetFetch& fetch, const OffsetFetch::Topic& topic,
                                                        int32_t partition) const {
  OffsetFetchReply::Partition answer;
  answer.partition = partition;
  if (fetch.require_stable && offsets_.has_pending(fetch.group_id, topic.name, partition)) {
    answer.error = ErrorCode::kUnstableOffsetCommit;
    return answer;
  }
  const CommittedOffset* found = offsets_.find(fetch.group_id, topic.name, partition);
  if (!found) return answer;
  // Committed for a topic of that name which has been deleted since.
  if (!found->topic_id.is_zero() && !topic.id.is_zero() && found->topic_id != topic.id) return answer;
  answer.offset = found->offset;
  answer.leader_epoch = found->leader_epoch;
  answer.metadata = found->metadata;
  return answer;
}

void GroupCoordinator::forget(const ForgetTopics& topics, Turn turn) {
  for (const std::string& name : topics.names) offsets_.forget_topic(name, turn.out.records);
  turn.out.atomic = false;
  turn.out.replies.push_back({turn.request, base::kNoOffset, ForgetTopicsReply{}});
}

void GroupCoordinator::clean_up(Turn turn) {
  turn.out.atomic = false;
  for (const auto& [id, group] : groups_) {
    const bool all_expired = clean_up_offsets(*group, turn.now, turn.out.records);
    if (!all_expired || !group->is(GroupState::kEmpty) || group->has_pending()) continue;
    turn.out.records.emplace_back(GroupRecord{id, std::nullopt});
  }
  deadlines_.schedule({{}, Timer::kOffsets, {}},
                      turn.now.mono + std::chrono::milliseconds(options_.offsets_retention_check_interval_ms));
}

// True where no offset is left after the tombstones in `records`.
bool GroupCoordinator::clean_up_offsets(const ClassicGroup& group, Now now, std::vector<Record>& records) const {
  const OffsetStore::Topics* committed = offsets_.group(group.id());
  if (!committed) return !offsets_.has_open_transaction(group.id());
  const bool is_simple = !group.protocol_type();
  const bool is_empty = group.is(GroupState::kEmpty);
  const bool is_live_consumer =
      group.uses_consumer_protocol() && group.knows_subscription() && group.is(GroupState::kStable);
  if (!is_simple && !is_empty && !is_live_consumer) return false;
  bool all_expired = true;
  for (const auto& [topic, partitions] : *committed) {
    if (group.is_subscribed(topic)) {
      all_expired = false;
      continue;
    }
    for (const auto& [partition, entry] : partitions) {
      const CommittedOffset& value = entry.value;
      // An empty group keeps its offsets from the time when its last member left.
      const int64_t since =
          !is_simple && is_empty && group.state_timestamp() != -1 ? group.state_timestamp() : value.commit_timestamp;
      const bool is_expired = value.expire_timestamp != -1 ? now.wall.value() >= value.expire_timestamp
                                                           : now.wall.value() - since >= options_.offsets_retention_ms;
      if (is_expired && !offsets_.has_pending(group.id(), topic, partition)) {
        records.emplace_back(OffsetRecord{group.id(), topic, partition, std::nullopt});
      } else {
        all_expired = false;
      }
    }
  }
  return all_expired && !offsets_.has_open_transaction(group.id());
}

}  // namespace stele::coordinator
