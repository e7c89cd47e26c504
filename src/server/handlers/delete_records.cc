#include "broker/offset_job.h"
#include "server/handlers/cluster.h"
#include "server/handlers/handlers.h"
#include "wire/delete_records_request.h"
#include "wire/delete_records_response.h"

namespace stele::server::handlers {

base::Task<Outcome> delete_records(Call& call) {
  auto request = call.decode<wire::DeleteRecordsRequest>();
  if (!request.ok()) co_return call.refuse(request.error());
  std::vector<broker::DeleteItem> items;
  for (const auto& topic : request->topics) {
    const TopicLookup found = find_topic(call, false, topic.name, {});
    for (const auto& partition : topic.partitions) {
      broker::DeleteItem& item = items.emplace_back();
      item.before_offset = partition.offset;
      item.code = check_partition(found, base::PartitionIndex{partition.partition_index});
      if (item.code != base::ErrorCode::kNone) continue;
      if (is_internal(topic.name)) {
        item.code = base::ErrorCode::kInvalidTopicException;
        continue;
      }
      item.code = base::ErrorCode::kNotLeaderOrFollower;
      item.wanted = true;
      item.key = {found.topic->id, base::PartitionIndex{partition.partition_index}};
    }
  }
  co_await broker::delete_records(call.broker(), items);

  auto response = call.make<wire::DeleteRecordsResponse>();
  size_t next = 0;
  for (const auto& topic : request->topics) {
    auto& topic_out = response.topics.emplace_back();
    topic_out.name = topic.name;
    for (const auto& partition : topic.partitions) {
      const broker::DeleteItem& item = items[next++];
      auto& out = topic_out.partitions.emplace_back();
      out.partition_index = partition.partition_index;
      out.error_code = static_cast<int16_t>(item.code);
      out.low_watermark = item.low_watermark.value();
    }
  }
  co_return call.respond(response);
}

}  // namespace stele::server::handlers
