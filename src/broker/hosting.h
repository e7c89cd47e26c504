// What the control shard asks of the shards that own partitions: to take one in, to let it go, to tell how it stands.
// Each function runs on the shard it is given.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "broker/broker_shard.h"
#include "broker/topic_rules.h"
#include "log/file_names.h"

namespace stele::broker {

struct HostOrder {
  PartitionKey key;
  log::TopicPartition name;
  size_t log_dir = 0;
  PartitionState state;
  TopicRules rules;
  base::Offset recovery_point{0};
  base::Offset log_start{0};
  bool clean = false;
};

struct HostOutcome {
  PartitionKey key;
  size_t log_dir = 0;
  std::optional<base::Error> error;
};
// Opens the logs (recovering those that were not closed cleanly), `at_once` of them side by side, and takes the
// partitions in.
base::Task<std::vector<HostOutcome>> host_here(BrokerShard& at, std::vector<HostOrder> orders, size_t at_once);

struct UpdateOrder {
  PartitionKey key;
  PartitionState state;
  TopicRules rules;
};
// Gives partitions their new state and rules; those that are not there are passed over.
base::Task<bool> update_here(BrokerShard& at, std::vector<UpdateOrder> orders);

// Lets a deleted partition go: its directory is renamed out of the way. Answers the new name, and the log dir.
struct Removed {
  size_t log_dir = 0;
  std::string directory;
};
base::Task<base::Result<Removed>> remove_here(BrokerShard& at, PartitionKey key, base::Uuid unique);

// `gone`: the names of topics that this view has no longer, or has anew.
base::Task<bool> set_view_here(BrokerShard& at, std::shared_ptr<const ClusterView> view, std::vector<std::string> gone);

// What the checkpoints of a log dir say of one partition.
struct Standing {
  PartitionKey key;
  log::TopicPartition name;
  size_t log_dir = 0;
  base::Offset recovery_point;
  std::optional<base::Offset> log_start;
  base::Offset high_watermark;
  uint64_t size_bytes = 0;
  bool failed = false;
};
base::Task<std::vector<Standing>> standings_here(BrokerShard& at);

// Retention, delayed removal of files, forgetting of producers, closing of idle files: what time brings.
base::Task<bool> tend_here(BrokerShard& at, bool retention);

// Closes every log as a clean stop does. Answers how each stands then; a log dir with one that failed is not clean.
base::Task<std::vector<Standing>> close_here(BrokerShard& at);

// The partitions of a log dir that failed answer KAFKA_STORAGE_ERROR from now on.
base::Task<bool> take_dir_offline_here(BrokerShard& at, size_t log_dir);

}  // namespace stele::broker
