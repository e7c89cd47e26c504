#include <map>
#include <set>
#include <string>

#include "metadata/topic_name.h"
#include "server/handlers/cluster.h"
#include "server/handlers/handlers.h"
#include "wire/metadata_request.h"
#include "wire/metadata_response.h"

namespace stele::server::handlers {

namespace {

using base::ErrorCode;
using Response = wire::MetadataResponse;

constexpr int16_t kFirstVersionWithIds = 10;
constexpr int16_t kFirstVersionWithNullNames = 12;

void fill_partition(int32_t index, const metadata::Partition& partition, const metadata::Image& image,
                    Response::MetadataResponsePartition& out) {
  out.partition_index = index;
  out.leader_id = partition.leader.value();
  out.leader_epoch = partition.leader_epoch.value();
  if (partition.leader == base::kNoBroker) out.error_code = static_cast<int16_t>(ErrorCode::kLeaderNotAvailable);
  for (const base::BrokerId id : partition.replicas) out.replica_nodes.push_back(id.value());
  for (const base::BrokerId id : partition.isr) out.isr_nodes.push_back(id.value());
  for (const base::BrokerId id : partition.replicas) {
    if (!is_online(image, partition, id)) out.offline_replicas.push_back(id.value());
  }
}

void fill_topic(const metadata::Topic& topic, const metadata::Image& image, bool operations,
                Response::MetadataResponseTopic& out) {
  out.name = topic.name;
  out.topic_id = topic.id;
  out.is_internal = is_internal(topic.name);
  if (operations) out.topic_authorized_operations = kTopicOperations;
  topic.partitions.for_each([&](int32_t index, const std::shared_ptr<const metadata::Partition>& partition) {
    fill_partition(index, *partition, image, out.partitions.emplace_back());
  });
}

// Creates what the request names and nobody has made yet, and tells why where that fails.
base::Task<std::map<std::string, ErrorCode>> create_missing(Call& call, const wire::MetadataRequest& request) {
  std::map<std::string, ErrorCode> failed;
  std::vector<std::string> missing;
  for (const auto& topic : *request.topics) {
    if (!topic.topic_id.is_zero() || !topic.name) continue;
    const std::string_view name = *topic.name;
    if (metadata::is_topic_name(name) && call.broker().view()->image().topic(name) == nullptr)
      missing.emplace_back(name);
  }
  if (missing.empty()) co_return failed;
  const auto errors = co_await create_on_control(call, std::move(missing));
  for (const auto& [name, error] : errors) failed.emplace(name, error.code);
  co_return failed;
}

void fill_named(const metadata::Image& image, const wire::MetadataRequest& request, int16_t version,
                const std::map<std::string, ErrorCode>& failed, Response& response) {
  std::set<std::string_view> told;
  std::set<base::TopicId> told_by_id;
  for (const auto& wanted : *request.topics) {
    const bool by_id = !wanted.topic_id.is_zero();
    const metadata::Topic* topic = by_id ? image.topic(wanted.topic_id) : image.topic(*wanted.name);
    if (by_id ? !told_by_id.insert(wanted.topic_id).second : !told.insert(*wanted.name).second) continue;
    auto& out = response.topics.emplace_back();
    if (topic != nullptr) {
      fill_topic(*topic, image, request.include_topic_authorized_operations, out);
      continue;
    }
    out.topic_id = wanted.topic_id;
    if (by_id) {
      out.error_code = static_cast<int16_t>(ErrorCode::kUnknownTopicId);
      if (version >= kFirstVersionWithNullNames) out.name.reset();
      continue;
    }
    out.name = wanted.name;
    out.is_internal = is_internal(*wanted.name);
    if (request.include_topic_authorized_operations) out.topic_authorized_operations = kTopicOperations;
    const auto reason = failed.find(std::string{*wanted.name});
    out.error_code = static_cast<int16_t>(!metadata::is_topic_name(*wanted.name) ? ErrorCode::kInvalidTopicException
                                          : reason != failed.end()               ? reason->second
                                                                                 : ErrorCode::kUnknownTopicOrPartition);
  }
}

// Requests by id began with version 10 in form, but were first answered in version 12 (MetadataRequest of Kafka).
std::optional<ErrorCode> refusal(const wire::MetadataRequest& request, int16_t version) {
  if (!request.topics || version < kFirstVersionWithIds) return std::nullopt;
  for (const auto& topic : *request.topics) {
    if (version < kFirstVersionWithNullNames && (!topic.name || !topic.topic_id.is_zero())) {
      return ErrorCode::kInvalidRequest;
    }
    if (!topic.name && topic.topic_id.is_zero()) return ErrorCode::kUnknownServerError;
  }
  return std::nullopt;
}

// Each topic of the request with the error; brokers and cluster id stay away.
Outcome refuse_all(Call& call, const wire::MetadataRequest& request, ErrorCode code) {
  auto response = call.make<Response>();
  response.error_code = static_cast<int16_t>(code);
  for (const auto& topic : *request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name.value_or(std::string_view{});
    out.topic_id = topic.topic_id;
    out.error_code = static_cast<int16_t>(code);
  }
  return call.respond(response);
}

}  // namespace

base::Task<Outcome> metadata(Call& call) {
  auto request = call.decode<wire::MetadataRequest>();
  if (!request.ok()) co_return call.refuse(request.error());
  if (const auto code = refusal(*request, call.version())) co_return refuse_all(call, *request, *code);
  const bool all = !request->topics || (call.version() == 0 && request->topics->empty());
  std::map<std::string, ErrorCode> failed;
  if (!all && request->allow_auto_topic_creation &&
      call.broker().view()->config().boolean("auto.create.topics.enable")) {
    failed = co_await create_missing(call, *request);
  }

  const std::shared_ptr<const broker::ClusterView> view = call.broker().view();
  const metadata::Image& image = view->image();
  auto response = call.make<Response>();
  add_node_endpoints(call, response.brokers);
  response.cluster_id = call.broker().identity().cluster_id;
  response.controller_id = call.broker().identity().id.value();
  if (request->include_cluster_authorized_operations) response.cluster_authorized_operations = kClusterOperations;
  if (all) {
    image.for_each_topic([&](const metadata::Topic& topic) {
      fill_topic(topic, image, request->include_topic_authorized_operations, response.topics.emplace_back());
    });
  } else {
    fill_named(image, *request, call.version(), failed, response);
  }
  co_return call.respond(response);
}

}  // namespace stele::server::handlers
