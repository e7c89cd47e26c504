#include <algorithm>
#include <charconv>
#include <string>

#include "config/describe.h"
#include "metadata/topic_name.h"
#include "server/handlers/cluster.h"
#include "server/handlers/handlers.h"
#include "wire/describe_configs_request.h"
#include "wire/describe_configs_response.h"
#include "wire/list_config_resources_request.h"
#include "wire/list_config_resources_response.h"

namespace stele::server::handlers {

namespace {

using base::ErrorCode;
using metadata::ResourceType;
using Request = wire::DescribeConfigsRequest;
using Response = wire::DescribeConfigsResponse;

constexpr std::string_view kMalformed =
    "This most likely occurs because of a request being malformed by the client library or the message was sent to an "
    "incompatible broker. See the broker logs for more details.";

struct Description {
  ErrorCode code = ErrorCode::kNone;
  std::string message;
  std::vector<config::DescribedConfig> configs;
};

Description describe_topic(const broker::ClusterView& view, std::string_view name) {
  if (!metadata::is_topic_name(name)) return {ErrorCode::kInvalidTopicException, metadata::topic_name_fault(name), {}};
  if (view.image().topic(name) == nullptr) return {ErrorCode::kUnknownTopicOrPartition, {}, {}};
  return {ErrorCode::kNone,
          {},
          config::describe_topic(view.config(), overrides_of(view.image(), ResourceType::kTopic, name))};
}

Description describe_broker(const Call& call, const broker::ClusterView& view, std::string_view name) {
  if (name.empty()) return {ErrorCode::kNone, {}, config::describe_all_brokers(view.config())};
  int32_t id = 0;
  const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), id);
  if (problem != std::errc{} || end != name.data() + name.size()) {
    return {ErrorCode::kInvalidRequest, fmt::format("Broker id must be an integer, but it is: {}", name), {}};
  }
  if (name == std::to_string(call.broker().identity().id.value())) {
    return {ErrorCode::kNone, {}, config::describe_broker(view.config())};
  }
  return {ErrorCode::kInvalidRequest,
          fmt::format("Unexpected broker id, expected {} or empty string, but received {}",
                      call.broker().identity().id.value(), name),
          {}};
}

// The configs of a subscription to clients' own metrics (ClientMetricsConfigs of Kafka).
Description describe_client_metrics(const broker::ClusterView& view, std::string_view name) {
  if (name.empty()) return {ErrorCode::kInvalidRequest, "Client metrics subscription name must not be empty", {}};
  struct Metric {
    const char* name;
    const char* value;
    config::ValueType type;
  };
  constexpr Metric kMetrics[] = {{"interval.ms", "300000", config::ValueType::kInt},
                                 {"match", "", config::ValueType::kList},
                                 {"metrics", "", config::ValueType::kList}};
  const config::ConfigMap set = overrides_of(view.image(), ResourceType::kClientMetrics, name);
  Description out;
  for (const Metric& metric : kMetrics) {
    config::DescribedConfig& config = out.configs.emplace_back();
    const auto found = set.find(metric.name);
    config.name = metric.name;
    config.value = found == set.end() ? metric.value : found->second;
    config.source = found == set.end() ? config::ConfigSource::kDefault : config::ConfigSource::kClientMetrics;
    config.type = metric.type;
    if (found != set.end()) config.synonyms.push_back({metric.name, found->second, config.source});
  }
  return out;
}

Description describe(const Call& call, const broker::ClusterView& view,
                     const Request::DescribeConfigsResource& resource) {
  switch (static_cast<ResourceType>(resource.resource_type)) {
    case ResourceType::kTopic:
      return describe_topic(view, resource.resource_name);
    case ResourceType::kBroker:
      return describe_broker(call, view, resource.resource_name);
    case ResourceType::kGroup:
      if (resource.resource_name.empty()) return {ErrorCode::kInvalidRequest, "Group name must not be empty", {}};
      return {ErrorCode::kNone,
              {},
              config::describe_group(view.config(),
                                     overrides_of(view.image(), ResourceType::kGroup, resource.resource_name))};
    case ResourceType::kClientMetrics:
      return describe_client_metrics(view, resource.resource_name);
    case ResourceType::kBrokerLogger:  // there are none, unlike the loggers of Kafka's log4j
      return {ErrorCode::kInvalidRequest, fmt::format("Unsupported resource type: {}", resource.resource_type), {}};
    case ResourceType::kUnknown:
      break;
  }
  return {ErrorCode::kInvalidRequest, std::string{kMalformed}, {}};
}

bool asked_for(const Request::DescribeConfigsResource& resource, std::string_view name) {
  return !resource.configuration_keys || resource.configuration_keys->empty() ||
         std::find(resource.configuration_keys->begin(), resource.configuration_keys->end(), name) !=
             resource.configuration_keys->end();
}

void fill(Call& call, const Request& request, const config::DescribedConfig& described,
          Response::DescribeConfigsResourceResult& out) {
  out.name = call.keep(described.name);
  out.value.reset();
  if (described.value) out.value = call.keep(*described.value);
  out.read_only = described.read_only;
  out.config_source = static_cast<int8_t>(described.source);
  out.is_sensitive = described.sensitive;
  out.config_type = static_cast<int8_t>(described.type);
  out.documentation.reset();
  if (request.include_documentation) out.documentation = described.documentation;
  if (!request.include_synonyms) return;
  for (const config::DescribedSynonym& synonym : described.synonyms) {
    auto& entry = out.synonyms.emplace_back();
    entry.name = call.keep(synonym.name);
    entry.value.reset();
    if (synonym.value) entry.value = call.keep(*synonym.value);
    entry.source = static_cast<int8_t>(synonym.source);
  }
}

}  // namespace

base::Task<Outcome> describe_configs(Call& call) {
  auto request = call.decode<Request>();
  if (!request.ok()) co_return call.refuse(request.error());
  const std::shared_ptr<const broker::ClusterView> view = call.broker().view();
  auto response = call.make<Response>();
  for (const auto& resource : request->resources) {
    auto& out = response.results.emplace_back();
    out.resource_type = resource.resource_type;
    out.resource_name = resource.resource_name;
    const Description description = describe(call, *view, resource);
    out.error_code = static_cast<int16_t>(description.code);
    out.error_message = call.keep(description.message);
    for (const config::DescribedConfig& described : description.configs) {
      if (asked_for(resource, described.name)) fill(call, *request, described, out.configs.emplace_back());
    }
    if (call.too_large()) co_return call.refuse_as_too_large();
  }
  co_return call.respond(response);
}

base::Task<Outcome> list_config_resources(Call& call) {
  auto request = call.decode<wire::ListConfigResourcesRequest>();
  if (!request.ok()) co_return call.refuse(request.error());
  constexpr ResourceType kAll[] = {ResourceType::kTopic, ResourceType::kBroker, ResourceType::kBrokerLogger,
                                   ResourceType::kClientMetrics, ResourceType::kGroup};
  std::vector<ResourceType> wanted;
  if (call.version() == 0) {
    wanted = {ResourceType::kClientMetrics};
  } else if (request->resource_types.empty()) {
    wanted.assign(std::begin(kAll), std::end(kAll));
  } else {
    for (const int8_t type : request->resource_types) wanted.push_back(static_cast<ResourceType>(type));
  }
  auto response = call.make<wire::ListConfigResourcesResponse>();
  const std::shared_ptr<const broker::ClusterView> view = call.broker().view();
  const metadata::Image& image = view->image();
  const auto add = [&](std::string_view name, ResourceType type) {
    auto& entry = response.config_resources.emplace_back();
    entry.resource_name = name;
    entry.resource_type = static_cast<int8_t>(type);
  };
  for (const ResourceType type : kAll) {
    if (std::find(wanted.begin(), wanted.end(), type) == wanted.end()) continue;
    if (type == ResourceType::kTopic) {
      image.for_each_topic([&](const metadata::Topic& topic) { add(topic.name, type); });
    } else if (type == ResourceType::kBroker || type == ResourceType::kBrokerLogger) {
      image.brokers.for_each([&](int32_t id, const auto&) { add(call.keep(std::to_string(id)), type); });
    } else {
      image.configs.for_each([&](const metadata::ConfigResource& resource, const auto&) {
        if (resource.type == type) add(resource.name, type);
      });
    }
  }
  for (const ResourceType type : wanted) {
    if (std::find(std::begin(kAll), std::end(kAll), type) == std::end(kAll)) {
      response.error_code = static_cast<int16_t>(ErrorCode::kUnsupportedVersion);
      response.config_resources.clear();
      break;
    }
  }
  co_return call.respond(response);
}

}  // namespace stele::server::handlers
