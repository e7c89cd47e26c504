// IncrementalAlterConfigs and AlterConfigs: the checks of Kafka's ConfigAdminManager (broker) and
// ConfigurationControlManager (controller), in their order.
#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "controller/answer.h"
#include "controller/client_metrics.h"
#include "controller/controller.h"
#include "metadata/topic_name.h"
#include "wire/clear_elr_record.h"
#include "wire/config_record.h"

namespace stele::controller {
namespace {

using base::Error;
using base::ErrorCode;
using metadata::ConfigResource;
using metadata::encode_record;
using metadata::ResourceType;

constexpr std::string_view kMinIsr = "min.insync.replicas";
constexpr size_t kValueBytesMax = 32'767;

Error bad_request(std::string text) { return {ErrorCode::kInvalidRequest, std::move(text)}; }

template <class Resource>
ConfigResource resource_of(const Resource& request) {
  return {static_cast<ResourceType>(request.resource_type), std::string{request.resource_name}};
}

// A resource that stands there twice is refused at each place.
template <class Resources>
std::map<ConfigResource, int> count_each(const Resources& resources) {
  std::map<ConfigResource, int> out;
  for (const auto& resource : resources) ++out[resource_of(resource)];
  return out;
}

// What both requests demand of the entries of one resource. `needs_value(entry)` is false where null is right.
template <class Entries, class NeedsValue>
base::Result<void> check_entries(const Entries& entries, NeedsValue&& needs_value) {
  std::set<std::string_view> names;
  std::string nulls;
  for (const auto& entry : entries) {
    if (!names.insert(entry.name).second) return bad_request("Error due to duplicate config keys");
    if (!entry.value && needs_value(entry)) nulls += (nulls.empty() ? "" : ",") + std::string{entry.name};
  }
  if (!nulls.empty()) return bad_request("Null value not supported for : " + nulls);
  return {};
}

config::ConfigScope scope_of(ResourceType type) {
  switch (type) {
    case ResourceType::kTopic:
      return config::ConfigScope::kTopic;
    case ResourceType::kGroup:
      return config::ConfigScope::kGroup;
    default:
      return config::ConfigScope::kBroker;
  }
}

}  // namespace

config::ConfigMap Controller::overrides_of(const ConfigResource& resource) const {
  config::ConfigMap out;
  if (const metadata::ConfigMap* map = image_->config_of(resource)) {
    for (const auto& [key, value] : *map) out.emplace(key, value.value);
  }
  return out;
}

base::Result<void> Controller::check_resource(const ConfigResource& resource) const {
  switch (resource.type) {
    case ResourceType::kTopic:
      if (image_->topic(resource.name) != nullptr) return {};
      if (resource.name.empty()) return bad_request("Default topic resources are not allowed.");
      if (!metadata::is_topic_name(resource.name)) {
        return {ErrorCode::kInvalidTopicException, metadata::topic_name_fault(resource.name)};
      }
      return {ErrorCode::kUnknownTopicOrPartition, fmt::format("The topic '{}' does not exist.", resource.name)};
    case ResourceType::kBroker: {
      if (resource.name.empty()) return {};
      int32_t id = 0;
      const char* end = resource.name.data() + resource.name.size();
      const auto [at, problem] = std::from_chars(resource.name.data(), end, id);
      if (problem != std::errc{} || at != end) {
        return bad_request(fmt::format("Node id must be an integer, but it is: {}", resource.name));
      }
      if (base::BrokerId{id} != options_.node && image_->broker(base::BrokerId{id}) == nullptr) {
        return bad_request(
            fmt::format("Unexpected broker id, expected {}, but received {}", options_.node.value(), id));
      }
      return {};
    }
    case ResourceType::kGroup:
      if (!resource.name.empty()) return {};
      return bad_request("Default group resources are not allowed.");
    case ResourceType::kClientMetrics:
      if (!resource.name.empty()) return {};
      return bad_request("Subscription name can't be empty");
    default:
      return bad_request(fmt::format("Unknown resource type {}", std::to_underlying(resource.type)));
  }
}

base::Result<void> Controller::check_values(const Changed& changed) const {
  const ConfigResource& resource = changed.resource;
  for (const auto& [name, value] : changed.values) {
    if (value.size() > kValueBytesMax) {
      return {ErrorCode::kInvalidConfig,
              "The configuration value cannot be added because it exceeds the maximum value size of 32767 bytes."};
    }
  }
  switch (resource.type) {
    case ResourceType::kTopic:
      return config::check_topic_configs(*effective_, changed.values);
    case ResourceType::kGroup:
      return config::check_group_configs(*effective_, changed.values);
    case ResourceType::kBroker:
      return config::check_dynamic_values(*effective_, changed.values, !resource.name.empty());
    default:
      return check_client_metrics(changed.values);
  }
}

base::Result<void> Controller::check_room_for_configs(const Changed& changed, size_t& planned) const {
  if (!is_free(changed.resource) || changed.values.empty() || image_->config_of(changed.resource) != nullptr) return {};
  const auto most = static_cast<size_t>(effective_->number("stele.config.resources.max"));
  if (free_resources_ + planned >= most) {
    return over(base::Limit::kConfigResources,
                fmt::format("{} groups and subscriptions have configs, and no more than {} may.",
                            free_resources_ + planned, most));
  }
  ++planned;
  return {};
}

base::Result<Records> Controller::config_records(const Changed& changed) const {
  const ConfigResource& resource = changed.resource;
  const config::ConfigMap before = overrides_of(resource);
  Records out;
  bool min_isr_changed = false;
  const auto record = [&](const std::string& name, std::optional<std::string_view> value) {
    wire::ConfigRecord entry;
    entry.resource_type = static_cast<int8_t>(resource.type);
    entry.resource_name = resource.name;
    entry.name = name;
    entry.value = value;
    out.push_back(encode_record(entry, 0));
    min_isr_changed |= name == kMinIsr;
  };
  for (const auto& [name, value] : changed.values) {
    const auto old = before.find(name);
    if (old == before.end() || old->second != value) record(name, value);
  }
  for (const auto& [name, value] : before) {
    if (!changed.values.contains(name)) record(name, std::nullopt);
  }
  if (!min_isr_changed || !image_->elr_enabled()) return out;
  if (resource.type == ResourceType::kBroker) {
    if (!resource.name.empty()) {
      return {ErrorCode::kInvalidConfig, "Broker-level min.insync.replicas cannot be altered while ELR is enabled."};
    }
    if (!changed.values.contains(kMinIsr)) {
      return {ErrorCode::kInvalidConfig, "Cluster-level min.insync.replicas cannot be removed while ELR is enabled."};
    }
  }
  // Who is eligible depends on it: the old lists mean nothing any more.
  wire::ClearElrRecord clear;
  if (resource.type == ResourceType::kTopic) clear.topic_name = resource.name;
  out.push_back(encode_record(clear, 0));
  return out;
}

base::Result<Controller::Changed> Controller::altered(
    const ConfigResource& resource, const wire::IncrementalAlterConfigsRequest::AlterConfigsResource& request) const {
  STELE_TRY(check_entries(request.configs, [](const auto& entry) {
    return static_cast<config::AlterOp>(entry.config_operation) != config::AlterOp::kDelete;
  }));
  STELE_TRY(check_resource(resource));
  Changed out{resource, overrides_of(resource)};
  for (const auto& entry : request.configs) {
    // Kafka's controller resigns over an operation that it does not know.
    if (entry.config_operation < 0 || entry.config_operation > 3) {
      return bad_request(fmt::format("Unknown operations type {}", entry.config_operation));
    }
    const auto op = static_cast<config::AlterOp>(entry.config_operation);
    // Kafka asks its table of client metrics for no types: none of them is a list.
    if (resource.type == ResourceType::kClientMetrics && op != config::AlterOp::kSet &&
        op != config::AlterOp::kDelete) {
      return Error{ErrorCode::kInvalidConfig,
                   fmt::format("Can't {} to key {} because its type is not LIST.",
                               op == config::AlterOp::kAppend ? "APPEND" : "SUBTRACT", entry.name)};
    }
    std::optional<std::string> current;
    if (const auto found = out.values.find(entry.name); found != out.values.end()) current = found->second;
    STELE_TRY_ASSIGN(auto value, config::altered_value(*effective_, scope_of(resource.type), entry.name, op, current,
                                                       entry.value.value_or("")));
    if (value) {
      out.values.insert_or_assign(std::string{entry.name}, *std::move(value));
    } else if (current) {
      out.values.erase(out.values.find(entry.name));
    }
  }
  return out;
}

base::Result<Controller::Changed> Controller::replaced(
    const ConfigResource& resource, const wire::AlterConfigsRequest::AlterConfigsResource& request) const {
  STELE_TRY(check_entries(request.configs, [](const auto&) { return true; }));
  STELE_TRY(check_resource(resource));
  Changed out{resource, {}};
  for (const auto& entry : request.configs) out.values.emplace(entry.name, *entry.value);
  return out;
}

namespace {

// One resource after the other; `change(resource, request)` gives what it becomes.
template <class Request, class Response, class Change>
Decision<Response> alter_each(const Request& request, std::pmr::memory_resource* arena, Change&& change) {
  Decision<Response> out{{}, Response{wire::Allocator{arena}}};
  const auto counts = count_each(request.resources);
  for (const auto& each : request.resources) {
    const ConfigResource resource = resource_of(each);
    auto& result = out.response.responses.emplace_back();
    result.resource_type = each.resource_type;
    result.resource_name = keep(arena, each.resource_name);
    result.error_message.reset();
    base::Result<Records> records =
        counts.at(resource) > 1 ? bad_request("Each resource must appear at most once.") : change(resource, each);
    if (!records.ok()) {
      set_error(result, records.error(), arena);
    } else if (!request.validate_only) {
      for (auto& record : *records) out.records.push_back(std::move(record));
    }
  }
  return out;
}

}  // namespace

Decision<wire::IncrementalAlterConfigsResponse> Controller::incremental_alter_configs(
    const wire::IncrementalAlterConfigsRequest& request, std::pmr::memory_resource* arena) const {
  size_t planned = 0;
  return alter_each<wire::IncrementalAlterConfigsRequest, wire::IncrementalAlterConfigsResponse>(
      request, arena, [this, &planned](const ConfigResource& resource, const auto& each) -> base::Result<Records> {
        STELE_TRY_ASSIGN(const Changed changed, altered(resource, each));
        STELE_TRY(check_values(changed));
        STELE_TRY(check_room_for_configs(changed, planned));
        return config_records(changed);
      });
}

Decision<wire::AlterConfigsResponse> Controller::alter_configs(const wire::AlterConfigsRequest& request,
                                                               std::pmr::memory_resource* arena) const {
  size_t planned = 0;
  return alter_each<wire::AlterConfigsRequest, wire::AlterConfigsResponse>(
      request, arena, [this, &planned](const ConfigResource& resource, const auto& each) -> base::Result<Records> {
        STELE_TRY_ASSIGN(const Changed changed, replaced(resource, each));
        STELE_TRY(check_values(changed));
        STELE_TRY(check_room_for_configs(changed, planned));
        return config_records(changed);
      });
}

}  // namespace stele::controller
