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

inline PartitionState state_of(const metadata::Partition& partition, base::BrokerId here) {
  return {.leader_epoch = partition.leader_epoch,
          .partition_epoch = partition.partition_epoch,
          .leader = partition.leader == here};
}

struct HostOrder {
  PartitionKey key;
  log::TopicPartition name;
  size_t log_dir = 0;
  PartitionState state;
  TopicRules rules;
  base::Offset recovery_point{0};
  base::Offset log_start{0};
  bool clean = false;
  bool offline = false;     // its log dir is: nothing is opened
  bool stale_name = false;  // LogDirs::is_stale(): it is not opened, as on a full disk
  bool sync_later = false;  // where it is made anew, the one who orders it syncs it
};

struct HostOutcome {
  PartitionKey key;
  log::TopicPartition name;
  size_t log_dir = 0;
  std::optional<base::Error> error;
  // As ordered.
  base::Offset recovery_point{0};
  base::Offset log_start{0};
  bool to_sync = false;  // see HostOrder::sync_later
};
// Opens the log (recovering it where it was not closed cleanly) and takes the partition in; where that fails, as one
// that is offline.
base::Task<HostOutcome> host_one_here(BrokerShard& at, HostOrder order);
// Opens the logs (recovering those that were not closed cleanly), `at_once` of them side by side, and takes the
// partitions in.
base::Task<std::vector<HostOutcome>> host_here(BrokerShard& at, std::vector<HostOrder> orders, size_t at_once);

// Lets a partition go whose log failed, or was never opened, so that it can be opened again; nothing of the failed log
// touches the files any more when this returns. Answers what the checkpoints should say of it; nothing where no such
// partition is here.
struct LetGo {
  size_t log_dir = 0;
  base::Offset recovery_point;
  base::Offset log_start;
};
base::Task<std::optional<LetGo>> let_go_here(BrokerShard& at, PartitionKey key);

base::Task<bool> set_space_here(BrokerShard& at, size_t log_dir, SpaceLevel level);

struct UpdateOrder {
  PartitionKey key;
  PartitionState state;
  TopicRules rules;
};
// Gives partitions their new state and rules; those that are not there are passed over.
base::Task<bool> update_here(BrokerShard& at, std::vector<UpdateOrder> orders);

// Lets a deleted partition go: its directory is renamed out of the way. Where the log cannot do that, it does nothing
// any more, and its directory is for LogDir::mark_deleted(), then what it left in the journal for drop_journal_here().
struct Removed {
  std::optional<size_t> log_dir;  // nothing where no such partition is here
  std::string directory;          // the new name; empty where nothing was renamed
  std::optional<base::Error> error;
};
base::Task<Removed> remove_here(BrokerShard& at, PartitionKey key, base::Uuid unique);
base::Task<bool> drop_journal_here(BrokerShard& at, size_t log_dir, PartitionKey key, log::TopicPartition name);

// `gone`: the names of topics that this view has no longer, or has anew.
base::Task<bool> set_view_here(BrokerShard& at, std::shared_ptr<const ClusterView> view, std::vector<std::string> gone);

// What one shard has in one log dir, and what it counted there since its start.
struct DirCounts {
  size_t partitions = 0;
  size_t partitions_offline = 0;
  uint64_t bytes = 0;             // of batches
  size_t damaged_batches = 0;     // that were met and stand in their place
  uint64_t corrupt_refusals = 0;  // reads and lookups answered CORRUPT_MESSAGE
  uint64_t space_refusals = 0;    // appends refused for want of space

  DirCounts& operator+=(const DirCounts& other);
};
// By log dir.
base::Task<std::vector<DirCounts>> counts_here(BrokerShard& at, size_t log_dirs);

// What the checkpoints of a log dir say of one partition.
struct Standing {
  PartitionKey key;
  log::TopicPartition name;
  size_t log_dir = 0;
  base::Offset recovery_point;
  base::Offset end;
  std::optional<base::Offset> log_start;
  base::Offset high_watermark;
  uint64_t size_bytes = 0;
  bool failed = false;
};
base::Task<std::vector<Standing>> standings_here(BrokerShard& at);

// Retention, delayed removal of files (at once where the disk is near full), forgetting of producers, closing of idle
// files: what time brings.
base::Task<bool> tend_here(BrokerShard& at, bool retention);

// Closes every log as a clean stop does, but for the syncs. Answers how each stands then; a log dir with one that
// failed is not clean.
base::Task<std::vector<Standing>> close_here(BrokerShard& at);

// The partitions of a log dir that failed answer KAFKA_STORAGE_ERROR from now on.
base::Task<bool> take_dir_offline_here(BrokerShard& at, size_t log_dir);

// Runs `start(shard)`, which returns a Task, on every shard at once and waits for all.
template <class R, class Start>
base::Task<std::vector<R>> on_every_shard(BrokerShard& control, Start start) {
  std::vector<base::Task<R>> running;
  for (uint32_t i = 0; i < control.shard_count(); ++i) {
    BrokerShard& peer = control.peer(base::ShardId{i});
    running.push_back(run_on(control.shard(), peer.home(), [&peer, start, i]() { return start(peer, i); }));
  }
  std::vector<R> results;
  for (auto& task : running) {
    R result = co_await std::move(task);
    results.push_back(std::move(result));
  }
  co_return results;
}

}  // namespace stele::broker
