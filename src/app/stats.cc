#include "app/stats.h"

#include <nlohmann/json.hpp>

#include "wire/api.h"

namespace stele::app {

namespace {

using Json = nlohmann::ordered_json;

// The counts of a loop by name, in both directions.
template <class Loop, class Visit>
void for_each_count(Loop& loop, Visit visit) {
  visit("turns", loop.turns);
  visit("mail", loop.mail);
  visit("wakeups", loop.wakeups);
  visit("socket_reads", loop.socket_reads);
  visit("socket_writes", loop.socket_writes);
  visit("file_reads", loop.file_reads);
  visit("file_reads_missed", loop.file_reads_missed);
  visit("file_writes", loop.file_writes);
}

Json json_of(const admin::ShardReport& shard) {
  Json out;
  out["busy_ns"] = shard.loop.busy.count();
  for_each_count(shard.loop, [&](const char* name, uint64_t value) { out[name] = value; });
  out["connections"] = shard.connections;
  out["produce_waiters"] = shard.produce_waiters;
  out["fetch_waiters"] = shard.fetch_waiters;
  uint64_t used = 0;
  uint64_t limit = 0;
  for (const admin::BudgetReport& budget : shard.budgets) {
    used += budget.used;
    limit += budget.limit;
  }
  out["budget_used"] = used;
  out["budget_limit"] = limit;
  return out;
}

Json json_of(const base::Histogram& histogram) {
  Json out = Json::array();
  for (size_t i = 0; i < base::Histogram::kBuckets; ++i) {
    if (histogram.buckets()[i] > 0) out.push_back({i, histogram.buckets()[i]});
  }
  return out;
}

Json json_of(const broker::PartitionTraffic& traffic) {
  return {{"records_in", traffic.records_in},
          {"bytes_in", traffic.bytes_in},
          {"bytes_out", traffic.bytes_out},
          {"refused", traffic.refused}};
}

ShardStats shard_of(const Json& in) {
  ShardStats out;
  out.loop.busy = base::Duration{in.at("busy_ns").get<int64_t>()};
  for_each_count(out.loop, [&](const char* name, uint64_t& value) { value = in.at(name).get<uint64_t>(); });
  out.connections = in.at("connections").get<uint64_t>();
  out.produce_waiters = in.at("produce_waiters").get<uint64_t>();
  out.fetch_waiters = in.at("fetch_waiters").get<uint64_t>();
  out.budget_used = in.at("budget_used").get<uint64_t>();
  out.budget_limit = in.at("budget_limit").get<uint64_t>();
  return out;
}

ApiStats api_of(const Json& in) {
  ApiStats out;
  out.request_bytes = in.at("request_bytes").get<uint64_t>();
  out.response_bytes = in.at("response_bytes").get<uint64_t>();
  for (const Json& pair : in.at("latency_ns")) {
    const auto bucket = pair.at(0).get<size_t>();
    if (bucket < base::Histogram::kBuckets) out.latency.add_to_bucket(bucket, pair.at(1).get<uint64_t>());
  }
  return out;
}

Stats stats_of(const Json& in) {
  Stats out;
  out.head = {.version = in.at("version").get<std::string>(),
              .node = in.at("node").get<int32_t>(),
              .cluster = in.at("cluster").get<std::string>(),
              .at = base::MonoTime{base::Duration{in.at("at_ns").get<int64_t>()}}};
  for (const Json& shard : in.at("shards")) out.shards.push_back(shard_of(shard));
  for (const auto& [name, api] : in.at("apis").items()) out.apis[name] = api_of(api);
  for (const auto& [name, topic] : in.at("topics").items()) {
    out.topics[name] = {.records_in = topic.at("records_in").get<uint64_t>(),
                        .bytes_in = topic.at("bytes_in").get<uint64_t>(),
                        .bytes_out = topic.at("bytes_out").get<uint64_t>(),
                        .refused = topic.at("refused").get<uint64_t>()};
  }
  for (const Json& slow : in.at("slowest")) {
    out.slowest.push_back(
        {slow.at("partition").get<std::string>(), base::Duration{slow.at("slowest_ns").get<int64_t>()}});
  }
  return out;
}

}  // namespace

std::string stats_text(const StatsHead& head, const std::vector<admin::ShardReport>& shards) {
  Json out;
  out["kind"] = "stats";
  out["version"] = head.version;
  out["node"] = head.node;
  out["cluster"] = head.cluster;
  out["at_ns"] = head.at.time_since_epoch().count();
  server::Traffic traffic;
  std::map<std::string, admin::TopicReport> topics;
  std::vector<admin::SlowPartition> slowest;
  out["shards"] = Json::array();
  for (const admin::ShardReport& shard : shards) {
    out["shards"].push_back(json_of(shard));
    traffic.merge(shard.traffic);
    for (const auto& [name, topic] : shard.topics) topics[name] += topic;
    admin::add_slowest(slowest, shard.slowest);
  }
  out["apis"] = Json::object();
  traffic.for_each([&](int16_t key, const server::ApiTraffic& api) {
    const wire::ApiInfo* info = wire::find_api(key);
    out["apis"][info != nullptr ? std::string{info->name} : "unknown"] = {{"request_bytes", api.request_bytes},
                                                                          {"response_bytes", api.response_bytes},
                                                                          {"latency_ns", json_of(api.latency)}};
  });
  out["topics"] = Json::object();
  for (const auto& [name, topic] : topics) out["topics"][name] = json_of(topic.traffic);
  out["slowest"] = Json::array();
  for (const admin::SlowPartition& slow : slowest) {
    out["slowest"].push_back({{"partition", slow.name}, {"slowest_ns", slow.slowest.count()}});
  }
  return out.dump() + "\n";
}

base::Result<Stats> parse_stats(std::string_view text) {
  try {
    return stats_of(Json::parse(text));
  } catch (const nlohmann::json::exception& error) {
    return base::Error{base::ErrorCode::kInvalidRequest, error.what()};
  }
}

}  // namespace stele::app
