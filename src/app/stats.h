// What GET /stats says of a broker, as JSON: all counts since its start, for programs that look twice and tell the
// difference, such as `stele top`. Within one release of Stele only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "admin/shard_report.h"
#include "base/clock.h"
#include "base/histogram.h"
#include "base/result.h"

namespace stele::app {

struct StatsHead {
  std::string version;
  int32_t node = 0;
  std::string cluster;
  base::MonoTime at;
};

std::string stats_text(const StatsHead& head, const std::vector<admin::ShardReport>& shards);

// The same, read back.
struct ShardStats {
  io::LoopCounts loop;
  uint64_t connections = 0;
  uint64_t produce_waiters = 0;
  uint64_t fetch_waiters = 0;
  uint64_t budget_used = 0;
  uint64_t budget_limit = 0;
};
struct ApiStats {
  uint64_t request_bytes = 0;
  uint64_t response_bytes = 0;
  base::Histogram latency;
};
struct Stats {
  StatsHead head;
  std::vector<ShardStats> shards;
  std::map<std::string, ApiStats> apis;
  std::map<std::string, broker::PartitionTraffic> topics;
  std::vector<admin::SlowPartition> slowest;
};

base::Result<Stats> parse_stats(std::string_view text);

}  // namespace stele::app
