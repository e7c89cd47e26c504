#include "app/topic_admin.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "wire/create_partitions_request.h"
#include "wire/create_partitions_response.h"
#include "wire/create_topics_request.h"
#include "wire/create_topics_response.h"
#include "wire/delete_topics_request.h"
#include "wire/delete_topics_response.h"
#include "wire/describe_configs_request.h"
#include "wire/describe_configs_response.h"
#include "wire/describe_topic_partitions_request.h"
#include "wire/describe_topic_partitions_response.h"
#include "wire/incremental_alter_configs_request.h"
#include "wire/incremental_alter_configs_response.h"
#include "wire/metadata_request.h"
#include "wire/metadata_response.h"

namespace stele::app {

namespace {

// org.apache.kafka.common.config.ConfigResource.Type
constexpr int8_t kTopicResource = 2;
// org.apache.kafka.clients.admin.AlterConfigOp.OpType
constexpr int8_t kSet = 0;
constexpr int8_t kDelete = 1;
// DescribeConfigsResponse.ConfigSource
constexpr int8_t kDefaultSource = 5;

// The error of one topic in an answer; nothing for success. Old brokers send no sentence.
std::optional<base::Error> error_of(int16_t code, std::optional<std::string_view> message, std::string_view topic) {
  if (code == 0) return std::nullopt;
  const auto error = static_cast<base::ErrorCode>(code);
  if (error == base::ErrorCode::kUnknownTopicOrPartition) {
    return base::Error{error, fmt::format("there is no topic '{}'", topic)};
  }
  const std::string_view reason = message.value_or("the broker gave no reason");
  if (reason.find(topic) != std::string_view::npos) return base::Error{error, std::string{reason}};
  return base::Error{error, fmt::format("topic '{}': {}", topic, reason)};
}

std::string source_name(int8_t source) {
  switch (source) {
    case 1:
      return "topic";
    case 2:
      return "broker";
    case 3:
      return "cluster";
    case 4:
      return "server.properties";
    case 5:
      return "default";
    case 8:
      return "group";
    default:
      return "other";
  }
}

template <class T>
std::vector<int32_t> numbers(const T& from) {
  return {from.begin(), from.end()};
}

void take_eligible(const wire::DescribeTopicPartitionsResponse::DescribeTopicPartitionsResponseTopic& from, Topic& to) {
  for (const auto& partition : from.partitions) {
    const auto at = std::ranges::find(to.partitions, partition.partition_index, &TopicPartition::index);
    if (at == to.partitions.end()) continue;
    if (partition.eligible_leader_replicas) at->eligible = numbers(*partition.eligible_leader_replicas);
    if (partition.last_known_elr) at->last_known = numbers(*partition.last_known_elr);
  }
}

}  // namespace

base::Result<std::vector<TopicOutcome>> create_topics(AdminClient& client, const std::vector<std::string>& names,
                                                      const NewTopic& wanted) {
  STELE_TRY_ASSIGN(const int16_t version, client.version_of(wire::CreateTopicsRequest::kApiKey));
  const bool defaults = wanted.partitions < 0 || wanted.replication_factor < 0;
  if (version < 4 && defaults) {
    return {base::ErrorCode::kUnsupportedVersion,
            "this broker knows no default for them: give --partitions and --replication-factor"};
  }
  wire::CreateTopicsRequest request;
  request.timeout_ms = client.timeout_ms();
  request.validate_only = wanted.validate_only;
  for (const std::string& name : names) {
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = wanted.partitions;
    topic.replication_factor = wanted.replication_factor;
    for (const auto& [key, value] : wanted.configs) topic.configs.push_back({.name = key, .value = value});
  }
  STELE_TRY_ASSIGN(auto answer, client.call<wire::CreateTopicsResponse>(request));
  std::vector<TopicOutcome> outcomes;
  for (const auto& topic : answer->topics) {
    outcomes.push_back({.name = std::string{topic.name},
                        .error = error_of(topic.error_code, topic.error_message, topic.name),
                        .id = topic.topic_id,
                        .partitions = topic.num_partitions,
                        .replication_factor = topic.replication_factor});
  }
  return outcomes;
}

base::Result<std::vector<TopicOutcome>> delete_topics(AdminClient& client, const std::vector<std::string>& names) {
  wire::DeleteTopicsRequest request;
  request.timeout_ms = client.timeout_ms();
  for (const std::string& name : names) {
    request.topics.emplace_back().name = name;
    request.topic_names.push_back(name);
  }
  STELE_TRY_ASSIGN(auto answer, client.call<wire::DeleteTopicsResponse>(request));
  std::vector<TopicOutcome> outcomes;
  for (const auto& topic : answer->responses) {
    const std::string_view name = topic.name.value_or("?");
    outcomes.push_back({.name = std::string{name},
                        .error = error_of(topic.error_code, topic.error_message, name),
                        .id = topic.topic_id});
  }
  return outcomes;
}

base::Result<std::vector<Topic>> read_topics(AdminClient& client, const std::optional<std::vector<std::string>>& names,
                                             bool may_create) {
  wire::MetadataRequest request;
  request.allow_auto_topic_creation = may_create;
  if (names) {
    request.topics.emplace();
    for (const std::string& name : *names) request.topics->emplace_back().name = name;
  } else {
    request.topics.reset();
  }
  STELE_TRY_ASSIGN(auto answer, client.call<wire::MetadataResponse>(request));
  if (answer->error_code != 0) {
    return {static_cast<base::ErrorCode>(answer->error_code), "the broker could not tell the cluster's metadata"};
  }
  std::vector<Topic> topics;
  for (const auto& from : answer->topics) {
    const std::string_view name = from.name.value_or("?");
    Topic& topic = topics.emplace_back(Topic{.name = std::string{name},
                                             .error = error_of(from.error_code, std::nullopt, name),
                                             .id = from.topic_id,
                                             .internal = from.is_internal});
    for (const auto& partition : from.partitions) {
      topic.partitions.push_back({.index = partition.partition_index,
                                  .leader = partition.leader_id,
                                  .leader_epoch = partition.leader_epoch,
                                  .replicas = numbers(partition.replica_nodes),
                                  .isr = numbers(partition.isr_nodes),
                                  .offline = numbers(partition.offline_replicas)});
    }
    std::ranges::sort(topic.partitions, {}, &TopicPartition::index);
  }
  std::ranges::sort(topics, {}, &Topic::name);
  return topics;
}

base::Result<void> read_configs(AdminClient& client, std::vector<Topic>& topics) {
  wire::DescribeConfigsRequest request;
  std::map<std::string, Topic*, std::less<>> by_name;
  for (Topic& topic : topics) {
    if (topic.error) continue;
    by_name[topic.name] = &topic;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = kTopicResource;
    resource.resource_name = topic.name;
    resource.configuration_keys.reset();
  }
  if (request.resources.empty()) return {};
  STELE_TRY_ASSIGN(auto answer, client.call<wire::DescribeConfigsResponse>(request));
  for (const auto& result : answer->results) {
    const auto found = by_name.find(result.resource_name);
    if (found == by_name.end()) continue;
    if (auto error = error_of(result.error_code, result.error_message, result.resource_name)) return *error;
    for (const auto& config : result.configs) {
      if (config.config_source == kDefaultSource) continue;
      found->second->configs.push_back(
          {.name = std::string{config.name},
           .value = config.value ? std::optional<std::string>{*config.value} : std::nullopt,
           .source = source_name(config.config_source)});
    }
    std::ranges::sort(found->second->configs, {}, &TopicConfig::name);
  }
  return {};
}

base::Result<void> read_eligible(AdminClient& client, std::vector<Topic>& topics) {
  using Request = wire::DescribeTopicPartitionsRequest;
  if (!client.version_of(Request::kApiKey).ok()) return {};
  std::map<std::string, Topic*, std::less<>> by_name;
  for (Topic& topic : topics) {
    if (!topic.error) by_name[topic.name] = &topic;
  }
  std::optional<std::pair<std::string, int32_t>> next;  // the partition that an answer left off at
  do {
    Request request;
    for (const auto& [name, topic] : by_name) request.topics.emplace_back().name = name;
    if (request.topics.empty()) return {};
    if (next) request.cursor = Request::Cursor{.topic_name = next->first, .partition_index = next->second};
    STELE_TRY_ASSIGN(auto answer, client.call<wire::DescribeTopicPartitionsResponse>(request));
    for (const auto& from : answer->topics) {
      const auto found = by_name.find(from.name.value_or(""));
      if (found != by_name.end()) take_eligible(from, *found->second);
    }
    if (!answer->next_cursor) return {};
    std::pair<std::string, int32_t> onward{answer->next_cursor->topic_name, answer->next_cursor->partition_index};
    if (next && onward <= *next) {
      return {base::ErrorCode::kUnknownServerError, "the broker describes the same partitions again and again"};
    }
    next = std::move(onward);
  } while (true);
}

base::Result<void> alter_configs(AdminClient& client, const std::string& topic, const std::vector<KeyValue>& set,
                                 const std::vector<std::string>& removed, bool validate_only) {
  wire::IncrementalAlterConfigsRequest request;
  request.validate_only = validate_only;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = kTopicResource;
  resource.resource_name = topic;
  for (const auto& [name, value] : set) {
    resource.configs.push_back({.name = name, .config_operation = kSet, .value = value});
  }
  for (const std::string& name : removed) {
    resource.configs.push_back({.name = name, .config_operation = kDelete, .value = std::nullopt});
  }
  STELE_TRY_ASSIGN(auto answer, client.call<wire::IncrementalAlterConfigsResponse>(request));
  for (const auto& result : answer->responses) {
    if (auto error = error_of(result.error_code, result.error_message, topic)) return *error;
  }
  return {};
}

base::Result<void> add_partitions(AdminClient& client, const std::string& topic, int32_t count, bool validate_only) {
  wire::CreatePartitionsRequest request;
  request.timeout_ms = client.timeout_ms();
  request.validate_only = validate_only;
  auto& wanted = request.topics.emplace_back();
  wanted.name = topic;
  wanted.count = count;
  wanted.assignments.reset();
  STELE_TRY_ASSIGN(auto answer, client.call<wire::CreatePartitionsResponse>(request));
  for (const auto& result : answer->results) {
    if (auto error = error_of(result.error_code, result.error_message, topic)) return *error;
  }
  return {};
}

}  // namespace stele::app
