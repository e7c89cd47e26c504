#include <map>
#include <utility>

#include "server/handlers/cluster.h"
#include "server/handlers/group_handlers.h"
#include "wire/offset_commit_request.h"
#include "wire/offset_commit_response.h"

namespace stele::server::handlers {
namespace {

using base::ErrorCode;
using Response = wire::OffsetCommitResponse;

constexpr int16_t kFirstVersionById = 10;

// Each topic once, however often the request names it (OffsetCommitResponse.Builder).
class Results {
 public:
  Results(Response& response, bool by_id) : response_(response), by_id_(by_id) {}

  void add(std::string_view topic, const base::TopicId& id, int32_t partition, ErrorCode code) {
    const auto key = by_id_ ? Key{{}, id} : Key{topic, {}};
    const auto [place, fresh] = places_.emplace(key, response_.topics.size());
    if (fresh) {
      auto& out = response_.topics.emplace_back();
      out.name = topic;
      out.topic_id = id;
    }
    auto& out = response_.topics[place->second].partitions.emplace_back();
    out.partition_index = partition;
    out.error_code = static_cast<int16_t>(code);
  }

 private:
  using Key = std::pair<std::string_view, base::TopicId>;
  Response& response_;
  bool by_id_;
  std::map<Key, size_t> places_;
};

// What does not exist is answered at once, before the group is asked (as KafkaApis does); the rest goes into `commit`.
void sort_out(const Call& call, const wire::OffsetCommitRequest& request, coordinator::OffsetCommit& commit,
              Results& results) {
  const bool by_id = call.version() >= kFirstVersionById;
  for (const auto& topic : request.topics) {
    const TopicLookup found = find_topic(call, by_id, topic.name, topic.topic_id);
    coordinator::OffsetCommit::Topic known;
    for (const auto& partition : topic.partitions) {
      const ErrorCode code = check_partition(found, base::PartitionIndex{partition.partition_index});
      if (code == ErrorCode::kNone) {
        known.partitions.push_back({partition.partition_index, partition.committed_offset,
                                    partition.committed_leader_epoch, own(partition.committed_metadata)});
        continue;
      }
      results.add(topic.name, topic.topic_id, partition.partition_index, code);
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
  Results results(response, call.version() >= kFirstVersionById);
  sort_out(call, *request, commit, results);
  if (commit.topics.empty()) co_return call.respond(response);
  commit.group_id = request->group_id;
  commit.generation = request->generation_id_or_member_epoch;
  commit.member_id = request->member_id;
  commit.instance_id = own(request->group_instance_id);
  commit.api_version = call.version();
  commit.retention_time_ms = request->retention_time_ms;
  const auto reply = co_await ask_to_write<coordinator::OffsetCommitReply>(call, std::move(commit));

  for (const auto& topic : reply.topics) {
    for (const auto& partition : topic.partitions)
      results.add(topic.name, topic.id, partition.partition, partition.error);
  }
  co_return call.respond(response);
}

}  // namespace stele::server::handlers
