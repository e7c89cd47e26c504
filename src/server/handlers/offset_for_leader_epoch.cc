#include "broker/offset_job.h"
#include "server/handlers/cluster.h"
#include "server/handlers/handlers.h"
#include "wire/offset_for_leader_epoch_request.h"
#include "wire/offset_for_leader_epoch_response.h"

namespace stele::server::handlers {

base::Task<Outcome> offset_for_leader_epoch(Call& call) {
  auto request = call.decode<wire::OffsetForLeaderEpochRequest>();
  if (!request.ok()) co_return call.refuse(request.error());
  std::vector<broker::EpochItem> items;
  for (const auto& topic : request->topics) {
    const TopicLookup found = find_topic(call, false, topic.topic, {});
    for (const auto& partition : topic.partitions) {
      broker::EpochItem& item = items.emplace_back();
      item.leader_epoch = partition.leader_epoch;
      item.current_leader_epoch = partition.current_leader_epoch;
      item.code = check_partition(found, base::PartitionIndex{partition.partition});
      if (item.code != base::ErrorCode::kNone) continue;
      item.code = base::ErrorCode::kNotLeaderOrFollower;
      item.wanted = true;
      item.key = {found.topic->id, base::PartitionIndex{partition.partition}};
    }
  }
  co_await broker::look_up_epochs(call.broker(), items);

  auto response = call.make<wire::OffsetForLeaderEpochResponse>();
  size_t next = 0;
  for (const auto& topic : request->topics) {
    auto& topic_out = response.topics.emplace_back();
    topic_out.topic = topic.topic;
    for (const auto& partition : topic.partitions) {
      const broker::EpochItem& item = items[next++];
      auto& out = topic_out.partitions.emplace_back();
      out.partition = partition.partition;
      out.error_code = static_cast<int16_t>(item.code);
      out.leader_epoch = item.found_epoch;
      out.end_offset = item.end_offset.value();
    }
  }
  co_return call.respond(response);
}

}  // namespace stele::server::handlers
