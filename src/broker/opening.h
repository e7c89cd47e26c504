// Opens the partitions that lie in the log dirs: so many of each dir side by side, internal topics first, while clients
// are served from those that are open. On kControlShard.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "broker/broker_shard.h"
#include "broker/hosting.h"
#include "broker/log_dirs.h"

namespace stele::broker {

class Opening {
 public:
  // How far one log dir is.
  struct Progress {
    size_t total = 0;
    size_t done = 0;  // those that could not be opened included
    size_t failed = 0;
  };
  // Told of each partition once it is open, or could not be opened; it answers KAFKA_STORAGE_ERROR then.
  using Opened = std::function<base::Task<void>(HostOutcome)>;

  Opening(BrokerShard& control, LogDirs& dirs, Opened opened);

  // `at_once`: partitions of one log dir that are opened side by side, for each dir.
  void set_parallel(std::vector<size_t> at_once);
  // Counts as not open from now on; add() follows, or release().
  void reserve(const PartitionKey& key) { reserved_.insert(key); }
  void release(const PartitionKey& key);
  // One at a time for each partition.
  void add(base::ShardId shard, HostOrder order);
  // Starts on what was added.
  void begin();

  bool done() const { return opening_.empty(); }
  // Not open yet.
  bool has(const PartitionKey& key) const { return opening_.contains(key) || reserved_.contains(key); }
  // Done as soon as the partition is open; a later one for the same partition takes its place. Requires has().
  void update_later(base::ShardId shard, UpdateOrder order);
  // Ends once the partition is open; it is taken before the others.
  base::Task<void> wait_for(PartitionKey key);
  // Ends once all are open, or at the deadline.
  base::Task<void> wait(base::MonoTime deadline);
  // Ends once nothing is being opened any more; what has not been begun stays closed.
  base::Task<void> stop();
  // By log dir.
  const std::vector<Progress>& progress() const { return progress_; }

 private:
  struct Item {
    base::ShardId shard;
    HostOrder order;
  };
  struct Later {
    base::ShardId shard;
    UpdateOrder order;
  };
  struct Waiter : base::ListNode {
    explicit Waiter(base::Executor& executor) : signal(executor) {}
    base::Signal signal;
  };
  base::Task<void> work(size_t log_dir);
  base::Task<void> open_one(Item item);
  base::Task<void> tell();
  void wake();

  BrokerShard& control_;
  LogDirs& dirs_;
  Opened opened_;
  std::vector<std::deque<Item>> queues_;  // by log dir
  std::vector<size_t> at_once_;
  std::vector<size_t> working_;
  std::vector<Progress> progress_;
  std::set<PartitionKey> opening_;
  std::set<PartitionKey> reserved_;
  std::map<PartitionKey, Later> later_;
  base::IntrusiveList<Waiter> waiters_;  // woken whenever one is done
  bool telling_ = false;
  base::TaskScope scope_;
};

}  // namespace stele::broker
