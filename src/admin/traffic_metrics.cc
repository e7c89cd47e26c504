// What /metrics says of requests, topics and shards.
#include <array>
#include <string>

#include "admin/broker_metrics.h"
#include "wire/api.h"

namespace stele::admin {

namespace {

constexpr double kNanosecondsInMillisecond = 1e6;

std::string_view name_of(int16_t key) {
  const wire::ApiInfo* api = wire::find_api(key);
  return api != nullptr ? api->name : "unknown";
}

struct PerTopic {
  const char* name;
  const char* help;
  uint64_t (*value)(const TopicReport&);
};

constexpr PerTopic kPerTopic[] = {
    {"kafka_server_brokertopicmetrics_messagesin_total", "Records that were appended.",
     [](const TopicReport& topic) { return topic.traffic.records_in; }},
    {"kafka_server_brokertopicmetrics_bytesin_total", "Bytes of batches that were appended.",
     [](const TopicReport& topic) { return topic.traffic.bytes_in; }},
    {"kafka_server_brokertopicmetrics_bytesout_total", "Bytes of batches that were read by fetches.",
     [](const TopicReport& topic) { return topic.traffic.bytes_out; }},
    {"kafka_server_brokertopicmetrics_failedproducerequests_total", "Batches that were refused.",
     [](const TopicReport& topic) { return topic.traffic.refused; }},
};

struct PerShard {
  const char* name;
  const char* help;
  uint64_t (*value)(const ShardReport&);
  bool counter = true;
};

constexpr PerShard kPerShard[] = {
    {"stele_shard_connections", "Open connections of clients.",
     [](const ShardReport& shard) { return shard.connections; }, false},
    {"stele_shard_produce_waiters", "Produce requests that wait until their batches count.",
     [](const ShardReport& shard) { return shard.produce_waiters; }, false},
    {"stele_shard_fetch_waiters", "Fetch requests that wait for records.",
     [](const ShardReport& shard) { return shard.fetch_waiters; }, false},
    {"stele_shard_turns_total", "Looks of the event loop at its sockets.",
     [](const ShardReport& shard) { return shard.loop.turns; }},
    {"stele_shard_mail_total", "Messages from other shards.", [](const ShardReport& shard) { return shard.loop.mail; }},
    {"stele_shard_wakeups_total", "Times that another shard was woken.",
     [](const ShardReport& shard) { return shard.loop.wakeups; }},
    {"stele_shard_socket_reads_total", "Reads from sockets.",
     [](const ShardReport& shard) { return shard.loop.socket_reads; }},
    {"stele_shard_socket_writes_total", "Writes to sockets.",
     [](const ShardReport& shard) { return shard.loop.socket_writes; }},
    {"stele_shard_file_writes_total", "Writes to files.",
     [](const ShardReport& shard) { return shard.loop.file_writes; }},
    {"stele_shard_file_reads_total", "Reads from files.",
     [](const ShardReport& shard) { return shard.loop.file_reads; }},
    {"stele_shard_file_reads_missed_total", "Reads from files that had to wait for the disk.",
     [](const ShardReport& shard) { return shard.loop.file_reads_missed; }},
};

struct PerBudget {
  const char* name;
  const char* help;
  uint64_t (*value)(const BudgetReport&);
  bool counter = false;
};

constexpr PerBudget kPerBudget[] = {
    {"stele_budget_used_bytes", "Bytes of requests in memory.", [](const BudgetReport& budget) { return budget.used; }},
    {"stele_budget_limit_bytes", "What they may be (stele.memory.* in docs/configuration.md).",
     [](const BudgetReport& budget) { return budget.limit; }},
    {"stele_budget_refusals_total", "Times that a connection had to wait for a budget.",
     [](const BudgetReport& budget) { return budget.refusals; }, true},
};

constexpr std::array<const char*, server::kRequestClasses> kClassNames{"data", "control", "groups"};

void begin(MetricsText& text, const char* name, const char* help, bool counter) {
  if (counter) {
    text.counter(name, help);
  } else {
    text.gauge(name, help);
  }
}

}  // namespace

void add_requests(MetricsText& text, const server::Traffic& all, const server::Traffic& lately) {
  text.counter("kafka_network_requestmetrics_requests_total", "Requests that were answered.");
  all.for_each([&](int16_t key, const server::ApiTraffic& api) {
    text.sample(api.latency.count(), {{"request", name_of(key)}});
  });
  text.counter("stele_request_bytes_total", "Bytes of requests.");
  all.for_each(
      [&](int16_t key, const server::ApiTraffic& api) { text.sample(api.request_bytes, {{"request", name_of(key)}}); });
  text.counter("stele_response_bytes_total", "Bytes of answers.");
  all.for_each([&](int16_t key, const server::ApiTraffic& api) {
    text.sample(api.response_bytes, {{"request", name_of(key)}});
  });
  text.summary(
      "kafka_network_requestmetrics_totaltimems",
      "Milliseconds from a whole request to its answer, waits included. Quantiles are those of the last minute or "
      "two, while this page is read; sum and count are those of all.");
  constexpr std::array<std::pair<const char*, double>, 4> kQuantiles{
      {{"0.5", 0.5}, {"0.95", 0.95}, {"0.99", 0.99}, {"0.999", 0.999}}};
  lately.for_each([&](int16_t key, const server::ApiTraffic& api) {
    for (const auto& [label, rank] : kQuantiles) {
      const double milliseconds = static_cast<double>(api.latency.quantile(rank)) / kNanosecondsInMillisecond;
      text.sample(milliseconds, {{"request", name_of(key)}, {"quantile", label}});
    }
  });
  all.for_each([&](int16_t key, const server::ApiTraffic& api) {
    text.sample_sum(static_cast<double>(api.latency.sum()) / kNanosecondsInMillisecond, {{"request", name_of(key)}});
    text.sample_count(api.latency.count(), {{"request", name_of(key)}});
  });
}

void add_topics(MetricsText& text, const std::map<std::string, TopicReport>& topics) {
  TopicReport all;
  for (const auto& [name, topic] : topics) all += topic;
  for (const PerTopic& metric : kPerTopic) {
    text.counter(metric.name, std::string{metric.help} + " Without a topic: of all topics.");
    text.sample(metric.value(all));
    for (const auto& [name, topic] : topics) {
      if (metric.value(topic) > 0) text.sample(metric.value(topic), {{"topic", name}});
    }
  }
  text.gauge("kafka_server_replicamanager_partitioncount", "Partitions on this broker.");
  text.sample(all.partitions);
  text.gauge("kafka_server_replicamanager_offlinereplicacount", "Partitions on this broker that are offline.");
  text.sample(all.partitions_offline);
}

void add_shards(MetricsText& text, const std::vector<ShardReport>& shards) {
  text.counter("stele_shard_busy_seconds_total", "Time that the event loop did not wait for events.");
  for (size_t i = 0; i < shards.size(); ++i) {
    text.sample(std::chrono::duration<double>(shards[i].loop.busy).count(), {{"shard", std::to_string(i)}});
  }
  for (const PerShard& metric : kPerShard) {
    begin(text, metric.name, metric.help, metric.counter);
    for (size_t i = 0; i < shards.size(); ++i) text.sample(metric.value(shards[i]), {{"shard", std::to_string(i)}});
  }
  for (const PerBudget& metric : kPerBudget) {
    begin(text, metric.name, metric.help, metric.counter);
    for (size_t i = 0; i < shards.size(); ++i) {
      for (size_t of = 0; of < kClassNames.size(); ++of) {
        text.sample(metric.value(shards[i].budgets[of]), {{"shard", std::to_string(i)}, {"class", kClassNames[of]}});
      }
    }
  }
}

void add_controller(MetricsText& text, const metadata::Image& image) {
  text.gauge("kafka_controller_kafkacontroller_activecontrollercount", "1 where this node is the active controller.");
  text.sample(uint64_t{1});
  text.gauge("kafka_controller_kafkacontroller_globaltopiccount", "Topics of the cluster.");
  text.sample(uint64_t{image.topic_count()});
  text.gauge("kafka_controller_kafkacontroller_globalpartitioncount", "Partitions of the cluster.");
  text.sample(uint64_t{image.partition_count()});
}

}  // namespace stele::admin
