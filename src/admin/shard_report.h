// What a shard has done and has to do, for /metrics and `stele top`.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/limit.h"
#include "broker/broker_shard.h"
#include "io/shard.h"
#include "server/router.h"
#include "server/shard_server.h"

namespace stele::admin {

// Of all partitions of a topic on a shard, since they were opened.
struct TopicReport {
  broker::PartitionTraffic traffic;
  uint64_t partitions = 0;
  uint64_t partitions_offline = 0;
  uint64_t bytes = 0;  // of batches in the log

  TopicReport& operator+=(const TopicReport& other);
};

struct SlowPartition {
  std::string name;  // "topic-0"
  base::Duration slowest{0};
};

struct BudgetReport {
  uint64_t used = 0;
  uint64_t limit = 0;
  uint64_t refusals = 0;
};

struct ShardReport {
  static constexpr size_t kSlowest = 10;

  io::LoopCounts loop;
  server::Traffic traffic;
  uint64_t connections = 0;
  uint64_t produce_waiters = 0;  // produce requests that wait until their batches count
  uint64_t fetch_waiters = 0;    // fetch requests that wait for records
  uint64_t complaints = 0;       // about clients, those left out of the log included
  base::LimitCounts limits;
  std::array<BudgetReport, server::kRequestClasses> budgets;
  std::map<std::string, TopicReport> topics;
  std::vector<SlowPartition> slowest;  // appends of late, the slowest first; at most kSlowest
};

// Of this shard; to be called on it.
ShardReport report_shard(const server::ShardServer& server, const server::Router& router,
                         const broker::BrokerShard& broker);

// Keeps the slowest of both.
void add_slowest(std::vector<SlowPartition>& all, const std::vector<SlowPartition>& more);

}  // namespace stele::admin
