// Creation and deletion of topics and partitions, with the checks, codes and sentences of Kafka's ControllerApis and
// ReplicationControlManager.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "config/describe.h"
#include "controller/answer.h"
#include "controller/controller.h"
#include "controller/placement.h"
#include "metadata/record_form.h"
#include "metadata/topic_name.h"
#include "wire/config_record.h"
#include "wire/remove_topic_record.h"
#include "wire/topic_record.h"

namespace stele::controller {

using base::BrokerId;
using base::Error;
using base::ErrorCode;
using metadata::encode_record;
using Creatable = wire::CreateTopicsRequest::CreatableTopic;
using Arena = std::pmr::memory_resource;

struct Controller::NewPartition {
  std::vector<BrokerId> replicas;
  std::vector<BrokerId> isr;
};

struct Controller::TopicPlan {
  base::TopicId id;
  config::ConfigMap configs;
  std::vector<NewPartition> partitions;
};

namespace {

constexpr std::string_view kMetadataTopic = "__cluster_metadata";

base::Result<void> check_legal_name(std::string_view name) {
  if (metadata::is_topic_name(name)) return {};
  return {ErrorCode::kInvalidTopicException, metadata::topic_name_fault(name)};
}

// The configs of a new topic. What was set is told as it was written, which DescribeConfigs does not do.
template <class Configs>
void tell_configs(const config::BrokerConfig& broker, const config::ConfigMap& set, std::pmr::memory_resource* arena,
                  Configs& out) {
  for (const config::DescribedConfig& config : config::describe_topic(broker, set)) {
    auto& entry = out.emplace_back();
    entry.name = keep(arena, config.name);
    entry.value.reset();
    const auto given = set.find(config.name);
    if (given != set.end()) {
      entry.value = keep(arena, given->second);
    } else if (config.value) {
      entry.value = keep(arena, *config.value);
    }
    entry.read_only = config.read_only;
    entry.config_source = static_cast<int8_t>(config.source);
    entry.is_sensitive = config.sensitive;
  }
}

std::vector<BrokerId> brokers_of(const std::pmr::vector<int32_t>& ids) {
  std::vector<BrokerId> out;
  for (const int32_t id : ids) out.emplace_back(id);
  return out;
}

// Names that stand once, in their order; the others are duplicates.
template <class Range, class Name>
std::pair<std::vector<size_t>, std::set<std::string>> once_each(const Range& range, Name&& name) {
  std::map<std::string, std::vector<size_t>> places;
  for (size_t i = 0; i < range.size(); ++i) places[std::string{name(range[i])}].push_back(i);
  std::pair<std::vector<size_t>, std::set<std::string>> out;
  for (const auto& [text, at] : places) {
    if (at.size() == 1) {
      out.first.push_back(at[0]);
    } else {
      out.second.insert(text);
    }
  }
  std::sort(out.first.begin(), out.first.end());
  return out;
}

Error fenced_or_leaving(int16_t replication) {
  return {ErrorCode::kInvalidReplicationFactor,
          fmt::format("Unable to replicate the partition {} time(s): All brokers are currently fenced or in controlled "
                      "shutdown.",
                      replication)};
}

}  // namespace

std::vector<BrokerId> Controller::active_of(const std::vector<BrokerId>& brokers) const {
  std::vector<BrokerId> out;
  for (const BrokerId broker : brokers) {
    if (image_->is_active(broker)) out.push_back(broker);
  }
  return out;
}

base::Result<void> Controller::check_name(std::string_view name) const {
  if (image_->topic(name) != nullptr) {
    return {ErrorCode::kTopicAlreadyExists, fmt::format("Topic '{}' already exists.", name)};
  }
  STELE_TRY(check_legal_name(name));
  if (name.find_first_of("._") != std::string_view::npos) {
    std::string unified{name};
    std::replace(unified.begin(), unified.end(), '.', '_');
    if (const auto found = colliding_.find(unified); found != colliding_.end()) {
      return {ErrorCode::kInvalidTopicException,
              fmt::format("Topic '{}' collides with existing topic: {}", name, *found->second.begin())};
    }
  }
  return {};
}

base::Result<void> Controller::check_assignment(const std::vector<BrokerId>& replicas,
                                                std::optional<size_t> replication) const {
  const auto bad = [](std::string text) { return Error{ErrorCode::kInvalidReplicaAssignment, std::move(text)}; };
  if (replicas.empty()) return bad("The manual partition assignment includes an empty replica list.");
  std::vector<BrokerId> sorted = replicas;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (image_->broker(sorted[i]) == nullptr) {
      return bad(fmt::format("The manual partition assignment includes broker {}, but no such broker is registered.",
                             sorted[i].value()));
    }
    if (i > 0 && sorted[i] == sorted[i - 1]) {
      return bad(
          fmt::format("The manual partition assignment includes the broker {} more than once.", sorted[i].value()));
    }
  }
  if (replication && sorted.size() != *replication) {
    return bad(
        fmt::format("The manual partition assignment includes a partition with {} replica(s), but this is not "
                    "consistent with previous partitions, which have {} replica(s).",
                    sorted.size(), *replication));
  }
  return {};
}

base::Result<std::vector<Controller::NewPartition>> Controller::assigned_partitions(const Creatable& topic) const {
  const auto bad = [](std::string text) { return Error{ErrorCode::kInvalidReplicaAssignment, std::move(text)}; };
  if (topic.replication_factor != -1) {
    return {ErrorCode::kInvalidRequest,
            "A manual partition assignment was specified, but replication factor was not set to -1."};
  }
  if (topic.num_partitions != -1) {
    return {ErrorCode::kInvalidRequest,
            "A manual partition assignment was specified, but numPartitions was not set to -1."};
  }
  std::map<int32_t, NewPartition> parts;
  std::optional<size_t> replication;
  for (const auto& assignment : topic.assignments) {
    const int32_t index = assignment.partition_index;
    if (parts.contains(index)) {
      return bad(fmt::format("Found multiple manual partition assignments for partition {}", index));
    }
    NewPartition part{brokers_of(assignment.broker_ids), {}};
    STELE_TRY(check_assignment(part.replicas, replication));
    replication = part.replicas.size();
    part.isr = active_of(part.replicas);
    if (part.isr.empty()) {
      return bad(
          fmt::format("All brokers specified in the manual partition assignment for partition {} are fenced or in "
                      "controlled shutdown.",
                      index));
    }
    parts.emplace(index, std::move(part));
  }
  std::vector<NewPartition> out;
  for (auto& [index, part] : parts) {
    if (index != static_cast<int32_t>(out.size())) {
      return bad("partitions should be a consecutive 0-based integer sequence");
    }
    out.push_back(std::move(part));
  }
  return out;
}

base::Result<std::vector<Controller::NewPartition>> Controller::placed_partitions(int32_t first, int32_t count,
                                                                                  int16_t replication,
                                                                                  base::Random& random) const {
  auto placed = place(*image_, {first, count, replication}, random);
  if (!placed.ok()) {
    return {ErrorCode::kInvalidReplicationFactor,
            fmt::format("Unable to replicate the partition {} time(s): {}", replication, placed.error().message)};
  }
  std::vector<NewPartition> out;
  for (auto& replicas : *placed) {
    NewPartition part{std::move(replicas), {}};
    part.isr = active_of(part.replicas);
    if (part.isr.empty()) return fenced_or_leaving(replication);
    out.push_back(std::move(part));
  }
  return out;
}

base::Result<config::ConfigMap> Controller::creation_configs(const Creatable& topic) const {
  config::ConfigMap out;
  std::string nulls;
  for (const auto& entry : topic.configs) {
    if (entry.value) {
      out.insert_or_assign(std::string{entry.name}, std::string{*entry.value});
    } else {
      nulls += (nulls.empty() ? "" : ",") + std::string{entry.name};
    }
  }
  if (!nulls.empty()) return {ErrorCode::kInvalidConfig, "Null value not supported for topic configs: " + nulls};
  STELE_TRY(config::check_topic_configs(*effective_, out));
  return out;
}

base::Result<Controller::TopicPlan> Controller::plan_topic(const Creatable& topic, base::Random& random) const {
  STELE_TRY(check_name(topic.name));
  TopicPlan plan;
  STELE_TRY_ASSIGN(plan.configs, creation_configs(topic));
  if (!topic.assignments.empty()) {
    STELE_TRY_ASSIGN(plan.partitions, assigned_partitions(topic));
  } else if (topic.replication_factor < -1 || topic.replication_factor == 0) {
    return {ErrorCode::kInvalidReplicationFactor,
            "Replication factor must be larger than 0, or -1 to use the default value."};
  } else if (topic.num_partitions < -1 || topic.num_partitions == 0) {
    return {ErrorCode::kInvalidPartitions, "Number of partitions was set to an invalid non-positive value."};
  } else {
    const auto count =
        topic.num_partitions == -1 ? static_cast<int32_t>(effective_->number("num.partitions")) : topic.num_partitions;
    const auto replication = topic.replication_factor == -1
                                 ? static_cast<int16_t>(effective_->number("default.replication.factor"))
                                 : topic.replication_factor;
    STELE_TRY_ASSIGN(plan.partitions, placed_partitions(0, count, replication, random));
  }
  plan.id = base::Uuid::make_random(random);
  return plan;
}

base::DirectoryId Controller::directory_for(BrokerId broker, std::map<base::DirectoryId, int64_t>& added) const {
  const metadata::Broker* registration = image_->broker(broker);
  if (registration == nullptr || registration->log_dirs.empty()) return base::kUnassignedDirectory;
  base::DirectoryId best = base::kUnassignedDirectory;
  int64_t fewest = 0;
  for (const base::DirectoryId& dir : registration->log_dirs) {
    const auto& cordoned = registration->cordoned_log_dirs;
    if (cordoned && std::find(cordoned->begin(), cordoned->end(), dir) != cordoned->end()) continue;
    const auto found = replicas_in_.find(dir);
    const int64_t replicas = (found == replicas_in_.end() ? 0 : found->second) + added[dir];
    if (best == base::kUnassignedDirectory || replicas < fewest) {
      best = dir;
      fewest = replicas;
    }
  }
  ++added[best];
  return best;
}

metadata::Partition Controller::new_partition(const NewPartition& from) const {
  metadata::Partition out;
  out.replicas = from.replicas;
  out.isr = from.isr;
  out.leader = from.isr.front();
  out.leader_epoch = base::LeaderEpoch{0};
  out.partition_epoch = 0;
  return out;
}

base::Result<void> Controller::check_partition_total(const wire::CreateTopicsRequest& request) const {
  int64_t total = 0;
  for (const Creatable& topic : request.topics) {
    if (!topic.assignments.empty()) {
      total += static_cast<int64_t>(topic.assignments.size());
    } else {
      total += topic.num_partitions == -1 ? effective_->number("num.partitions") : std::max(topic.num_partitions, 0);
    }
  }
  STELE_TRY(check_request_total(total));
  return check_room_for(total);
}

base::Error Controller::over(base::Limit limit, std::string text) const {
  if (options_.complaints != nullptr) options_.complaints->reached(limit, "{}", text);
  return {ErrorCode::kPolicyViolation, std::move(text)};
}

base::Result<void> Controller::check_request_total(int64_t partitions) const {
  if (partitions <= effective_->number("stele.request.partitions.max")) return {};
  return over(base::Limit::kRequestPartitions, "Excessively large number of partitions per request.");
}

base::Result<void> Controller::check_room_for(int64_t partitions) const {
  const int64_t most = effective_->number("stele.partitions.max");
  const auto present = static_cast<int64_t>(image_->partition_count());
  if (present + partitions <= most) return {};
  return over(base::Limit::kPartitions,
              fmt::format("There are {} partitions, and {} more would be more than {}.", present, partitions, most));
}

Decision<wire::CreateTopicsResponse> Controller::create_topics(const wire::CreateTopicsRequest& request,
                                                               base::Random& random, Arena* arena) const {
  Decision<wire::CreateTopicsResponse> out{{}, wire::CreateTopicsResponse{wire::Allocator{arena}}};
  const auto answer = [&](std::string_view name) -> auto& {
    auto& result = out.response.topics.emplace_back();
    result.name = keep(arena, name);
    result.configs.emplace(arena);
    return result;
  };
  std::optional<Error> all;
  if (request.timeout_ms <= 0) all = Error{ErrorCode::kRequestTimedOut, ""};
  if (auto total = check_partition_total(request); !all && !total.ok()) all = std::move(total).error();
  if (all) {
    for (const Creatable& topic : request.topics) set_error(answer(topic.name), *all, arena);
    return out;
  }
  const auto [places, duplicates] = once_each(request.topics, [](const Creatable& topic) { return topic.name; });
  std::map<base::DirectoryId, int64_t> added;
  for (const size_t at : places) {
    const Creatable& topic = request.topics[at];
    auto& result = answer(topic.name);
    if (topic.name == kMetadataTopic) {
      set_error(result, {ErrorCode::kInvalidRequest, "Creation of internal topic __cluster_metadata is prohibited."},
                arena);
      continue;
    }
    auto plan = plan_topic(topic, random);
    if (!plan.ok()) {
      set_error(result, plan.error(), arena);
      continue;
    }
    result.topic_id = plan->id;
    result.error_message.reset();
    result.num_partitions = static_cast<int32_t>(plan->partitions.size());
    result.replication_factor = static_cast<int16_t>(plan->partitions.front().replicas.size());
    tell_configs(*effective_, plan->configs, arena, *result.configs);
    if (request.validate_only) continue;
    wire::TopicRecord record;
    record.name = topic.name;
    record.topic_id = plan->id;
    out.records.push_back(encode_record(record, 0));
    for (const auto& [key, value] : plan->configs) {
      wire::ConfigRecord entry;
      entry.resource_type = static_cast<int8_t>(metadata::ResourceType::kTopic);
      entry.resource_name = topic.name;
      entry.name = key;
      entry.value = std::string_view{value};
      out.records.push_back(encode_record(entry, 0));
    }
    int32_t index = 0;
    for (const NewPartition& part : plan->partitions) {
      metadata::Partition partition = new_partition(part);
      for (const BrokerId broker : partition.replicas) partition.directories.push_back(directory_for(broker, added));
      out.records.push_back(metadata::encode_partition(partition, plan->id, index++, image_->metadata_version()));
    }
  }
  for (const std::string& name : duplicates) {
    set_error(answer(name), {ErrorCode::kInvalidRequest, "Duplicate topic name."}, arena);
  }
  return out;
}

base::Result<Records> Controller::plan_partitions(const wire::CreatePartitionsRequest::CreatePartitionsTopic& request,
                                                  int32_t planned, base::Random& random) const {
  const metadata::Topic* topic = image_->topic(request.name);
  if (topic == nullptr) return {ErrorCode::kUnknownTopicOrPartition, ""};
  const auto present = static_cast<int32_t>(topic->partitions.size());
  if (request.count == present) {
    return {ErrorCode::kInvalidPartitions, fmt::format("Topic already has {} partition(s).", present)};
  }
  if (request.count < present) {
    return {ErrorCode::kInvalidPartitions,
            fmt::format("The topic {} currently has {} partition(s); {} would not be an increase.", request.name,
                        present, request.count)};
  }
  const int32_t additional = request.count - present;
  if (request.assignments && static_cast<int32_t>(request.assignments->size()) != additional) {
    return {ErrorCode::kInvalidReplicaAssignment,
            fmt::format("Attempted to add {} additional partition(s), but only {} assignment(s) were specified.",
                        additional, request.assignments->size())};
  }
  STELE_TRY(check_request_total(additional));
  STELE_TRY(check_room_for(planned + additional));
  size_t replication = 0;
  topic->partitions.for_each([&](int32_t, const auto& partition) {
    replication = partition->replicas.size();
    return false;
  });
  std::vector<NewPartition> parts;
  if (request.assignments) {
    for (const auto& assignment : *request.assignments) {
      NewPartition part{brokers_of(assignment.broker_ids), {}};
      STELE_TRY(check_assignment(part.replicas, replication));
      part.isr = active_of(part.replicas);
      if (part.isr.empty()) {
        return {
            ErrorCode::kInvalidReplicaAssignment,
            fmt::format("All brokers specified in the manual partition assignment for partition {} are fenced or in "
                        "controlled shutdown.",
                        present + static_cast<int32_t>(parts.size()))};
      }
      parts.push_back(std::move(part));
    }
  } else {
    auto placed = place(*image_, {present, additional, static_cast<int16_t>(replication)}, random);
    if (!placed.ok()) return std::move(placed).error();
    for (auto& replicas : *placed) {
      NewPartition part{std::move(replicas), {}};
      part.isr = active_of(part.replicas);
      if (part.isr.empty()) return fenced_or_leaving(static_cast<int16_t>(replication));
      parts.push_back(std::move(part));
    }
  }
  Records out;
  std::map<base::DirectoryId, int64_t> added;
  for (size_t i = 0; i < parts.size(); ++i) {
    metadata::Partition partition = new_partition(parts[i]);
    for (const BrokerId broker : partition.replicas) partition.directories.push_back(directory_for(broker, added));
    out.push_back(metadata::encode_partition(partition, topic->id, present + static_cast<int32_t>(i),
                                             image_->metadata_version()));
  }
  return out;
}

Decision<wire::CreatePartitionsResponse> Controller::create_partitions(const wire::CreatePartitionsRequest& request,
                                                                       base::Random& random, Arena* arena) const {
  Decision<wire::CreatePartitionsResponse> out{{}, wire::CreatePartitionsResponse{wire::Allocator{arena}}};
  const auto answer = [&](std::string_view name, const Error& error) {
    auto& result = out.response.results.emplace_back();
    result.name = keep(arena, name);
    set_error(result, error, arena);
  };
  if (request.timeout_ms <= 0) {
    for (const auto& topic : request.topics) answer(topic.name, {ErrorCode::kRequestTimedOut, ""});
    return out;
  }
  const auto [places, duplicates] = once_each(request.topics, [](const auto& topic) { return topic.name; });
  for (const std::string& name : duplicates) answer(name, {ErrorCode::kInvalidRequest, "Duplicate topic name."});
  int32_t total = 0;
  for (const size_t at : places) {
    const auto& topic = request.topics[at];
    auto planned = plan_partitions(topic, total, random);
    if (planned.ok()) total += static_cast<int32_t>(planned->size());
    answer(topic.name, planned.ok() ? Error{ErrorCode::kNone, ""} : planned.error());
    if (!planned.ok() || request.validate_only) continue;
    for (auto& record : *planned) out.records.push_back(std::move(record));
  }
  return out;
}

}  // namespace stele::controller
