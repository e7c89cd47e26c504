#include "app/top_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "app/common_options.h"

namespace stele::app {

namespace {

constexpr double kNanosecondsInMillisecond = 1e6;

struct ShardRow {
  double busy = 0;                        // share of the time
  double turns = 0, calls = 0, mail = 0;  // a second
  const ShardStats* now = nullptr;
};

struct ApiRow {
  std::string name;
  double requests = 0, bytes_in = 0, bytes_out = 0;  // a second
  double p50 = 0, p99 = 0, p999 = 0;                 // milliseconds
};

struct TopicRow {
  std::string name;
  double records_in = 0, bytes_in = 0, bytes_out = 0, refused = 0;  // a second
};

struct Top {
  double seconds = 0;
  std::vector<ShardRow> shards;
  std::vector<ApiRow> apis;
  std::vector<TopicRow> topics;
  double hit_share = 1;  // of reads from files
  uint64_t file_reads = 0;
};

Top compare(const Stats& earlier, const Stats& later, const TopOptions& options) {
  Top top;
  top.seconds = std::max(std::chrono::duration<double>(later.head.at - earlier.head.at).count(), 1e-9);
  const auto rate = [&top](uint64_t now, uint64_t before) { return static_cast<double>(now - before) / top.seconds; };
  uint64_t missed = 0;
  for (size_t i = 0; i < later.shards.size(); ++i) {
    const io::LoopCounts& now = later.shards[i].loop;
    const io::LoopCounts& before = earlier.shards[i].loop;
    top.shards.push_back({.busy = std::chrono::duration<double>(now.busy - before.busy).count() / top.seconds,
                          .turns = rate(now.turns, before.turns),
                          .calls = rate(now.system_calls(), before.system_calls()),
                          .mail = rate(now.mail, before.mail),
                          .now = &later.shards[i]});
    top.file_reads += now.file_reads - before.file_reads;
    missed += now.file_reads_missed - before.file_reads_missed;
  }
  if (top.file_reads > 0) top.hit_share = 1 - static_cast<double>(missed) / static_cast<double>(top.file_reads);
  for (const auto& [name, api] : later.apis) {
    const auto at = earlier.apis.find(name);
    const ApiStats before = at == earlier.apis.end() ? ApiStats{} : at->second;
    const base::Histogram latency = api.latency.since(before.latency);
    if (latency.count() == 0) continue;
    const auto milliseconds = [&latency](double rank) {
      return static_cast<double>(latency.quantile(rank)) / kNanosecondsInMillisecond;
    };
    top.apis.push_back({.name = name,
                        .requests = rate(api.latency.count(), before.latency.count()),
                        .bytes_in = rate(api.request_bytes, before.request_bytes),
                        .bytes_out = rate(api.response_bytes, before.response_bytes),
                        .p50 = milliseconds(0.5),
                        .p99 = milliseconds(0.99),
                        .p999 = milliseconds(0.999)});
  }
  std::ranges::sort(top.apis, std::ranges::greater{},
                    [](const ApiRow& row) { return std::pair{row.requests, row.name}; });
  for (const auto& [name, topic] : later.topics) {
    const auto at = earlier.topics.find(name);
    // One that was deleted and made again counts from its new beginning.
    const bool same = at != earlier.topics.end() && at->second.bytes_in <= topic.bytes_in &&
                      at->second.bytes_out <= topic.bytes_out && at->second.refused <= topic.refused;
    const broker::PartitionTraffic before = same ? at->second : broker::PartitionTraffic{};
    const TopicRow row{name, rate(topic.records_in, before.records_in), rate(topic.bytes_in, before.bytes_in),
                       rate(topic.bytes_out, before.bytes_out), rate(topic.refused, before.refused)};
    if (row.bytes_in + row.bytes_out + row.refused > 0) top.topics.push_back(row);
  }
  std::ranges::sort(top.topics, std::ranges::greater{},
                    [](const TopicRow& row) { return std::pair{row.bytes_in + row.bytes_out, row.name}; });
  if (top.topics.size() > options.rows) top.topics.resize(options.rows);
  return top;
}

std::string per_second(double bytes) { return human_bytes(bytes) + "/s"; }
std::string count_text(double value) { return human_count(static_cast<uint64_t>(value + 0.5)); }

std::vector<admin::SlowPartition> slowest_of(const Stats& stats, const TopOptions& options) {
  std::vector<admin::SlowPartition> out = stats.slowest;
  if (out.size() > options.rows) out.resize(options.rows);
  return out;
}

double milliseconds(base::Duration duration) {
  return static_cast<double>(duration.count()) / kNanosecondsInMillisecond;
}

}  // namespace

bool comparable(const Stats& earlier, const Stats& later) {
  if (earlier.head.cluster != later.head.cluster || earlier.head.node != later.head.node) return false;
  if (earlier.shards.size() != later.shards.size() || later.head.at < earlier.head.at) return false;
  for (size_t i = 0; i < later.shards.size(); ++i) {
    if (later.shards[i].loop.turns < earlier.shards[i].loop.turns) return false;
  }
  return true;
}

std::string top_text(const Stats& earlier, const Stats& later, const TopOptions& options) {
  const Top top = compare(earlier, later, options);
  std::string out = fmt::format("node {} of cluster {}, Stele {}: the last {:.1f} s\n", later.head.node,
                                later.head.cluster, later.head.version, top.seconds);
  out += fmt::format("\n{:>5} {:>6} {:>10} {:>10} {:>9} {:>12} {:>16} {:>14} {:>10}\n", "shard", "busy", "turns/s",
                     "calls/s", "mail/s", "connections", "waiting produce", "waiting fetch", "memory");
  for (size_t i = 0; i < top.shards.size(); ++i) {
    const ShardRow& row = top.shards[i];
    out += fmt::format("{:>5} {:>5.1f}% {:>10} {:>10} {:>9} {:>12} {:>16} {:>14} {:>9.1f}%\n", i, row.busy * 100,
                       count_text(row.turns), count_text(row.calls), count_text(row.mail), row.now->connections,
                       row.now->produce_waiters, row.now->fetch_waiters,
                       row.now->budget_limit == 0 ? 0.0
                                                  : 100 * static_cast<double>(row.now->budget_used) /
                                                        static_cast<double>(row.now->budget_limit));
  }
  if (top.file_reads > 0) {
    out += fmt::format("\nreads of files: {} a second, {:.1f}% from the page cache\n",
                       count_text(static_cast<double>(top.file_reads) / top.seconds), top.hit_share * 100);
  }
  out += fmt::format("\n{:<28} {:>11} {:>13} {:>13} {:>10} {:>10} {:>10}\n", "API", "requests/s", "in", "out", "p50 ms",
                     "p99 ms", "p99.9 ms");
  for (const ApiRow& row : top.apis) {
    out +=
        fmt::format("{:<28} {:>11} {:>13} {:>13} {:>10.3f} {:>10.3f} {:>10.3f}\n", row.name, count_text(row.requests),
                    per_second(row.bytes_in), per_second(row.bytes_out), row.p50, row.p99, row.p999);
  }
  if (top.apis.empty()) out += "no requests\n";
  if (!top.topics.empty()) {
    out += fmt::format("\n{:<40} {:>12} {:>13} {:>13} {:>10}\n", "topic", "records/s", "in", "out", "refused/s");
  }
  for (const TopicRow& row : top.topics) {
    out += fmt::format("{:<40} {:>12} {:>13} {:>13} {:>10}\n", row.name, count_text(row.records_in),
                       per_second(row.bytes_in), per_second(row.bytes_out), count_text(row.refused));
  }
  const auto slowest = slowest_of(later, options);
  if (!slowest.empty()) out += fmt::format("\n{:<40} {:>18}\n", "slowest partitions", "longest append ms");
  for (const admin::SlowPartition& slow : slowest) {
    out += fmt::format("{:<40} {:>18.1f}\n", slow.name, milliseconds(slow.slowest));
  }
  return out;
}

std::string top_json(const Stats& earlier, const Stats& later, const TopOptions& options) {
  const Top top = compare(earlier, later, options);
  nlohmann::ordered_json out;
  out["kind"] = "top";
  out["node"] = later.head.node;
  out["cluster"] = later.head.cluster;
  out["seconds"] = top.seconds;
  out["shards"] = nlohmann::ordered_json::array();
  for (const ShardRow& row : top.shards) {
    out["shards"].push_back({{"busy", row.busy},
                             {"turns_per_second", row.turns},
                             {"system_calls_per_second", row.calls},
                             {"mail_per_second", row.mail},
                             {"connections", row.now->connections},
                             {"produce_waiters", row.now->produce_waiters},
                             {"fetch_waiters", row.now->fetch_waiters},
                             {"budget_used", row.now->budget_used},
                             {"budget_limit", row.now->budget_limit}});
  }
  out["file_reads_per_second"] = static_cast<double>(top.file_reads) / top.seconds;
  out["page_cache_share"] = top.hit_share;
  out["apis"] = nlohmann::ordered_json::array();
  for (const ApiRow& row : top.apis) {
    out["apis"].push_back({{"api", row.name},
                           {"requests_per_second", row.requests},
                           {"bytes_in_per_second", row.bytes_in},
                           {"bytes_out_per_second", row.bytes_out},
                           {"p50_ms", row.p50},
                           {"p99_ms", row.p99},
                           {"p999_ms", row.p999}});
  }
  out["topics"] = nlohmann::ordered_json::array();
  for (const TopicRow& row : top.topics) {
    out["topics"].push_back({{"topic", row.name},
                             {"records_in_per_second", row.records_in},
                             {"bytes_in_per_second", row.bytes_in},
                             {"bytes_out_per_second", row.bytes_out},
                             {"refused_per_second", row.refused}});
  }
  out["slowest"] = nlohmann::ordered_json::array();
  for (const admin::SlowPartition& slow : slowest_of(later, options)) {
    out["slowest"].push_back({{"partition", slow.name}, {"longest_append_ms", milliseconds(slow.slowest)}});
  }
  return out.dump();
}

}  // namespace stele::app
