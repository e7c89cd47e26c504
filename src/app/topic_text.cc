#include "app/topic_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace stele::app {

namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& document) { return document.dump(-1, ' ', false, Json::error_handler_t::replace); }

size_t replication_of(const Topic& topic) {
  return topic.partitions.empty() ? 0 : topic.partitions.front().replicas.size();
}

std::string state_of(const TopicPartition& partition) {
  if (partition.leader < 0) return "offline";
  return partition.isr.size() < partition.replicas.size() ? "under-replicated" : "ok";
}

std::string counted(size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

Json describe_json(const Topic& topic) {
  Json document;
  document["topic"] = topic.name;
  if (!topic.id.is_zero()) document["topic_id"] = topic.id.to_string();
  document["internal"] = topic.internal;
  document["partitions"] = Json::array();
  for (const TopicPartition& partition : topic.partitions) {
    Json& entry = document["partitions"].emplace_back();
    entry["partition"] = partition.index;
    entry["leader"] = partition.leader;
    entry["leader_epoch"] = partition.leader_epoch;
    entry["replicas"] = partition.replicas;
    entry["isr"] = partition.isr;
    entry["offline_replicas"] = partition.offline;
    if (partition.eligible) entry["eligible_leader_replicas"] = *partition.eligible;
    if (partition.last_known) entry["last_known_elr"] = *partition.last_known;
    entry["state"] = state_of(partition);
  }
  document["configs"] = Json::object();
  for (const TopicConfig& config : topic.configs) {
    Json& entry = document["configs"][config.name];
    entry["value"] = config.value ? Json(*config.value) : Json(nullptr);
    entry["source"] = config.source;
  }
  return document;
}

}  // namespace

std::string outcome_text(const TopicOutcome& outcome, std::string_view done, bool dry_run, bool json) {
  if (json) {
    Json document;
    document["topic"] = outcome.name;
    document["result"] = done;
    if (dry_run) document["dry_run"] = true;
    if (!outcome.id.is_zero()) document["topic_id"] = outcome.id.to_string();
    if (outcome.partitions >= 0) document["partitions"] = outcome.partitions;
    if (outcome.replication_factor >= 0) document["replication_factor"] = outcome.replication_factor;
    return dump(document);
  }
  std::string text = fmt::format("{}{} topic '{}'", dry_run ? "would have " : "", done, outcome.name);
  if (outcome.partitions >= 0) {
    text += fmt::format(": {}, replication factor {}", counted(static_cast<size_t>(outcome.partitions), "partition"),
                        outcome.replication_factor);
  }
  return text;
}

std::vector<std::string> list_lines(const std::vector<Topic>& topics, bool json) {
  std::vector<std::string> lines;
  size_t width = 5;
  for (const Topic& topic : topics) width = std::max(width, topic.name.size());
  if (!json && !topics.empty()) lines.push_back(fmt::format("{:<{}}  PARTITIONS  REPLICATION", "TOPIC", width));
  for (const Topic& topic : topics) {
    if (!json) {
      lines.push_back(
          fmt::format("{:<{}}  {:>10}  {:>11}", topic.name, width, topic.partitions.size(), replication_of(topic)));
      continue;
    }
    Json document;
    document["topic"] = topic.name;
    if (!topic.id.is_zero()) document["topic_id"] = topic.id.to_string();
    document["partitions"] = topic.partitions.size();
    document["replication_factor"] = replication_of(topic);
    document["internal"] = topic.internal;
    lines.push_back(dump(document));
  }
  return lines;
}

std::string describe_text(const Topic& topic, bool json) {
  if (json) return dump(describe_json(topic));
  std::string text = fmt::format("topic '{}'  {}  replication factor {}", topic.name,
                                 counted(topic.partitions.size(), "partition"), replication_of(topic));
  if (!topic.id.is_zero()) text += fmt::format("  id {}", topic.id.to_string());
  if (topic.internal) text += "  internal";
  for (const TopicPartition& partition : topic.partitions) {
    text += fmt::format("\n  partition {}  leader {}  epoch {}  replicas {}  isr {}", partition.index,
                        partition.leader < 0 ? "none" : std::to_string(partition.leader), partition.leader_epoch,
                        fmt::join(partition.replicas, ","), fmt::join(partition.isr, ","));
    if (const std::string state = state_of(partition); state != "ok") text += "  " + state;
    const auto add_list = [&text](std::string_view name, const std::optional<std::vector<int32_t>>& list) {
      if (list && !list->empty()) text += fmt::format("  {} {}", name, fmt::join(*list, ","));
    };
    add_list("elr", partition.eligible);
    add_list("last known elr", partition.last_known);
    if (!partition.offline.empty()) text += fmt::format("  offline replicas {}", fmt::join(partition.offline, ","));
  }
  for (const TopicConfig& config : topic.configs) {
    text += fmt::format("\n  config {}={}", config.name, config.value.value_or("(hidden)"));
    if (config.source != "topic") text += fmt::format("  (from the {})", config.source);
  }
  return text;
}

}  // namespace stele::app
