#include <algorithm>

#include "server/handlers/cluster.h"
#include "server/handlers/group_handlers.h"
#include "wire/offset_commit_request.h"
#include "wire/offset_commit_response.h"

namespace stele::server::handlers {
namespace {

using base::ErrorCode;
using Response = wire::OffsetCommitResponse;

constexpr int16_t kFirstVersionById = 10;

void add(Response::OffsetCommitResponseTopic& topic, int32_t partition, ErrorCode code) {
  auto& out = topic.partitions.emplace_back();
  out.partition_index = partition;
  out.error_code = static_cast<int16_t>(code);
}

// What does not exist is answered at once, before the group is asked (as KafkaApis does); the rest goes into `commit`.
void sort_out(const Call& call, const wire::OffsetCommitRequest& request, coordinator::OffsetCommit& commit,
              Response& response) {
  const bool by_id = call.version() >= kFirstVersionById;
  for (const auto& topic : request.topics) {
    const TopicLookup found = find_topic(call, by_id, topic.name, topic.topic_id);
    coordinator::OffsetCommit::Topic known;
    Response::OffsetCommitResponseTopic* refused = nullptr;
    for (const auto& partition : topic.partitions) {
      const ErrorCode code = check_partition(found, base::PartitionIndex{partition.partition_index});
      if (code == ErrorCode::kNone) {
        known.partitions.push_back({partition.partition_index, partition.committed_offset,
                                    partition.committed_leader_epoch, own(partition.committed_metadata)});
        continue;
      }
      if (refused == nullptr) {
        refused = &response.topics.emplace_back();
        refused->name = topic.name;
        refused->topic_id = topic.topic_id;
      }
      add(*refused, partition.partition_index, code);
    }
    if (known.partitions.empty()) continue;
    known.name = found.topic->name;
    known.id = found.topic->id;
    commit.topics.push_back(std::move(known));
  }
}

}  // namespace

base::Task<Outcome> offset_commit(Call& call) {
  auto request = call.decode<wire::OffsetCommitRequest>();
  if (!request.ok()) co_return call.refuse(request.error());
  auto response = call.make<Response>();
  coordinator::OffsetCommit commit;
  sort_out(call, *request, commit, response);
  if (commit.topics.empty()) co_return call.respond(response);
  commit.group_id = request->group_id;
  commit.generation = request->generation_id_or_member_epoch;
  commit.member_id = request->member_id;
  commit.instance_id = own(request->group_instance_id);
  commit.api_version = call.version();
  commit.retention_time_ms = request->retention_time_ms;
  const auto reply = co_await ask<coordinator::OffsetCommitReply>(call, std::move(commit));

  for (const auto& topic : reply.topics) {
    const auto same = [&](const auto& out) {
      return call.version() >= kFirstVersionById ? out.topic_id == topic.id : out.name == topic.name;
    };
    auto out = std::find_if(response.topics.begin(), response.topics.end(), same);
    if (out == response.topics.end()) {
      response.topics.emplace_back();
      out = response.topics.end() - 1;
      out->name = topic.name;
      out->topic_id = topic.id;
    }
    for (const auto& partition : topic.partitions) add(*out, partition.partition, partition.error);
  }
  co_return call.respond(response);
}

}  // namespace stele::server::handlers
