#include <set>

#include "broker/offset_job.h"
#include "server/handlers/cluster.h"
#include "server/handlers/handlers.h"
#include "wire/list_offsets_request.h"
#include "wire/list_offsets_response.h"

namespace stele::server::handlers {

namespace {

using base::ErrorCode;

constexpr int8_t kReadCommitted = 1;

// Special timestamps came one after another; below its version each is refused (ListOffsetsRequest of Kafka).
bool known_at(int64_t timestamp, int16_t version) {
  if (timestamp == broker::kMaxTimestamp) return version >= 7;
  if (timestamp == broker::kEarliestLocal) return version >= 8;
  if (timestamp == broker::kLatestTiered) return version >= 9;
  if (timestamp == broker::kEarliestPendingUpload) return version >= 11;
  return timestamp >= broker::kEarliest;
}

// The partitions that a topic of the request names more than once.
std::set<int32_t> named_twice(const wire::ListOffsetsRequest::ListOffsetsTopic& topic) {
  std::set<int32_t> once;
  std::set<int32_t> twice;
  for (const auto& partition : topic.partitions) {
    if (!once.insert(partition.partition_index).second) twice.insert(partition.partition_index);
  }
  return twice;
}

}  // namespace

base::Task<Outcome> list_offsets(Call& call) {
  auto request = call.decode<wire::ListOffsetsRequest>();
  if (!request.ok()) co_return call.refuse(request.error());
  const bool bad_isolation = request->isolation_level < 0 || request->isolation_level > kReadCommitted;
  std::vector<broker::OffsetItem> items;
  for (const auto& topic : request->topics) {
    const TopicLookup found = find_topic(call, false, topic.name, {});
    const std::set<int32_t> twice = named_twice(topic);
    for (const auto& partition : topic.partitions) {
      broker::OffsetItem& item = items.emplace_back();
      item.timestamp = partition.timestamp;
      item.current_leader_epoch = partition.current_leader_epoch;
      item.code = twice.contains(partition.partition_index)        ? ErrorCode::kInvalidRequest
                  : !known_at(partition.timestamp, call.version()) ? ErrorCode::kUnsupportedVersion
                  : bad_isolation                                  ? ErrorCode::kUnknownServerError
                                  : check_partition(found, base::PartitionIndex{partition.partition_index});
      if (item.code != ErrorCode::kNone) continue;
      item.code = ErrorCode::kNotLeaderOrFollower;
      item.wanted = true;
      item.key = {found.topic->id, base::PartitionIndex{partition.partition_index}};
    }
  }
  const broker::OffsetParams params{.read_committed = request->isolation_level == kReadCommitted,
                                    .for_client = request->replica_id < 0};
  co_await broker::look_up_offsets(call.broker(), items, params);

  auto response = call.make<wire::ListOffsetsResponse>();
  size_t next = 0;
  for (const auto& topic : request->topics) {
    auto& topic_out = response.topics.emplace_back();
    topic_out.name = topic.name;
    std::set<int32_t> told;
    for (const auto& partition : topic.partitions) {
      const broker::OffsetItem& item = items[next++];
      if (!told.insert(partition.partition_index).second) continue;
      auto& out = topic_out.partitions.emplace_back();
      out.partition_index = partition.partition_index;
      out.error_code = static_cast<int16_t>(item.code);
      if (item.code != ErrorCode::kNone) continue;
      out.timestamp = item.found.timestamp.value();
      out.offset = item.found.offset.value();
      if (call.version() >= 4) out.leader_epoch = item.found.leader_epoch.value();
    }
  }
  co_return call.respond(response);
}

}  // namespace stele::server::handlers
