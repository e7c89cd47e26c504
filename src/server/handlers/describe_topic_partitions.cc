#include <algorithm>
#include <set>
#include <string>

#include "metadata/topic_name.h"
#include "server/handlers/cluster.h"
#include "server/handlers/handlers.h"
#include "wire/describe_topic_partitions_request.h"
#include "wire/describe_topic_partitions_response.h"

namespace stele::server::handlers {

namespace {

using base::ErrorCode;
using Response = wire::DescribeTopicPartitionsResponse;

// The names to describe, sorted, from the cursor on: those of the request, or all.
std::vector<std::string> names_of(const metadata::Image& image, const wire::DescribeTopicPartitionsRequest& request) {
  const std::string_view from = request.cursor ? request.cursor->topic_name : std::string_view{};
  std::set<std::string> names;
  for (const auto& topic : request.topics) names.emplace(topic.name);
  if (request.topics.empty()) {
    image.for_each_topic_from(std::string{from}, [&names](const metadata::Topic& topic) { names.insert(topic.name); });
  }
  names.erase(names.begin(), names.lower_bound(std::string{from}));
  return {names.begin(), names.end()};
}

void fill_partition(int32_t index, const metadata::Partition& partition, const metadata::Image& image,
                    Response::DescribeTopicPartitionsResponsePartition& out) {
  out.partition_index = index;
  out.leader_id = partition.leader.value();
  out.leader_epoch = partition.leader_epoch.value();
  if (partition.leader == base::kNoBroker) out.error_code = static_cast<int16_t>(ErrorCode::kLeaderNotAvailable);
  out.eligible_leader_replicas.emplace();
  out.last_known_elr.emplace();
  for (const base::BrokerId id : partition.replicas) {
    out.replica_nodes.push_back(id.value());
    if (!is_online(image, partition, id)) out.offline_replicas.push_back(id.value());
  }
  for (const base::BrokerId id : partition.isr) out.isr_nodes.push_back(id.value());
  for (const base::BrokerId id : partition.elr) out.eligible_leader_replicas->push_back(id.value());
  for (const base::BrokerId id : partition.last_known_elr) out.last_known_elr->push_back(id.value());
}

// A cursor stands at a partition of a topic that was asked for.
bool is_bad_cursor(const wire::DescribeTopicPartitionsRequest& request) {
  if (!request.cursor) return false;
  if (request.cursor->partition_index < 0) return true;
  return !request.topics.empty() &&
         std::none_of(request.topics.begin(), request.topics.end(),
                      [&request](const auto& topic) { return topic.name == request.cursor->topic_name; });
}

Outcome refuse_all(Call& call, const wire::DescribeTopicPartitionsRequest& request, ErrorCode code) {
  auto response = call.make<Response>();
  for (const auto& topic : request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    out.error_code = static_cast<int16_t>(code);
  }
  return call.respond(response);
}

}  // namespace

base::Task<Outcome> describe_topic_partitions(Call& call) {
  auto request = call.decode<wire::DescribeTopicPartitionsRequest>();
  if (!request.ok()) co_return call.refuse(request.error());
  if (is_bad_cursor(*request)) co_return refuse_all(call, *request, ErrorCode::kInvalidRequest);
  const std::shared_ptr<const broker::ClusterView> view = call.broker().view();
  const metadata::Image& image = view->image();
  const int64_t limit_max = view->config().number("max.request.partition.size.limit");
  int64_t left = std::clamp<int64_t>(request->response_partition_limit, 1, limit_max);
  auto response = call.make<Response>();
  const std::vector<std::string> names = names_of(image, *request);
  for (const std::string& name : names) {
    if (left == 0) {
      response.next_cursor = {call.keep(name), 0};
      break;
    }
    auto& out = response.topics.emplace_back();
    const metadata::Topic* topic = image.topic(name);
    out.name = call.keep(name);
    out.topic_authorized_operations = kTopicOperations;
    if (topic == nullptr) {
      out.error_code = static_cast<int16_t>(metadata::is_topic_name(name) ? ErrorCode::kUnknownTopicOrPartition
                                                                          : ErrorCode::kInvalidTopicException);
      continue;
    }
    out.topic_id = topic->id;
    out.is_internal = is_internal(name);
    const bool at_cursor = request->cursor && request->cursor->topic_name == name;
    const int32_t first = at_cursor ? std::max(request->cursor->partition_index, 0) : 0;
    bool whole = true;
    topic->partitions.for_each_from(first, [&](int32_t index, const auto& partition) {
      if (left == 0) {
        response.next_cursor = {topic->name, index};
        whole = false;
        return false;
      }
      --left;
      fill_partition(index, *partition, image, out.partitions.emplace_back());
      return true;
    });
    if (!whole) break;
  }
  co_return call.respond(response);
}

}  // namespace stele::server::handlers
