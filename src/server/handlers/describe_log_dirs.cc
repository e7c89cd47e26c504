#include <map>
#include <set>

#include "broker/control_plane.h"
#include "broker/log_dirs.h"
#include "server/handlers/cluster.h"
#include "server/handlers/handlers.h"
#include "wire/describe_log_dirs_request.h"
#include "wire/describe_log_dirs_response.h"

namespace stele::server::handlers {

namespace {

using Wanted = std::map<std::string_view, std::set<int32_t>>;

bool is_wanted(const std::optional<Wanted>& wanted, const log::TopicPartition& partition) {
  if (!wanted) return true;
  const auto topic = wanted->find(partition.topic);
  return topic != wanted->end() && topic->second.contains(partition.partition.value());
}

}  // namespace

base::Task<Outcome> describe_log_dirs(Call& call) {
  auto request = call.decode<wire::DescribeLogDirsRequest>();
  if (!request.ok()) co_return call.refuse(request.error());
  std::optional<Wanted> wanted;
  if (request->topics) {
    wanted.emplace();
    for (const auto& topic : *request->topics) {
      (*wanted)[topic.topic].insert(topic.partitions.begin(), topic.partitions.end());
    }
  }
  broker::ControlPlane& control = call.broker().control();
  const std::vector<broker::Standing> standings = co_await control.standings();
  auto response = call.make<wire::DescribeLogDirsResponse>();
  broker::LogDirs& dirs = control.log_dirs();
  for (size_t i = 0; i < dirs.size(); ++i) {
    auto& out = response.results.emplace_back();
    out.log_dir = dirs.path(i);
    if (dirs.offline(i)) {
      out.error_code = static_cast<int16_t>(base::ErrorCode::kKafkaStorageError);
      continue;
    }
    if (const auto space = dirs.dir(i).directory()->space(); space.ok()) {
      out.total_bytes = static_cast<int64_t>(space->total_bytes);
      out.usable_bytes = static_cast<int64_t>(space->usable_bytes);
    }
    std::map<std::string_view, std::vector<const broker::Standing*>> by_topic;
    for (const broker::Standing& standing : standings) {
      if (standing.log_dir == i && is_wanted(wanted, standing.name)) by_topic[standing.name.topic].push_back(&standing);
    }
    for (const auto& [topic, partitions] : by_topic) {
      auto& topic_out = out.topics.emplace_back();
      topic_out.name = topic;
      for (const broker::Standing* standing : partitions) {
        auto& partition = topic_out.partitions.emplace_back();
        partition.partition_index = standing->name.partition.value();
        partition.partition_size = static_cast<int64_t>(standing->size_bytes);
      }
    }
  }
  co_return call.respond(response);
}

}  // namespace stele::server::handlers
