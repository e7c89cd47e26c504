// The log dirs of the broker: opening them, what was found there, where partitions go, their checkpoints. On
// kControlShard.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/hosting.h"
#include "broker/space_watch.h"
#include "log/log_dir.h"
#include "metadata/format.h"

namespace stele::broker {

class LogDirs {
 public:
  // What the checkpoints say of a partition.
  struct Checkpointed {
    base::Offset recovery_point{0};
    base::Offset log_start{0};
    base::Offset high_watermark{0};
    bool untouched = false;  // since the dir was opened
  };

  explicit LogDirs(io::Shard& shard) : shard_(shard) {}

  // Opens and locks every path. One whose disk fails is offline from the start, and has() says false of it, unless it
  // is the only one or named in `needed`.
  base::Task<base::Result<void>> open(std::vector<std::string> paths, std::string needed);

  // Formats a blank dir and reads it anew.
  base::Task<base::Result<void>> format(size_t index, metadata::Format format);

  size_t size() const { return dirs_.size(); }
  const std::string& path(size_t index) const { return dirs_.at(index).path; }
  // False of a dir that could not even be opened: nothing is known of it, so that it is always offline.
  bool has(size_t index) const { return dirs_.at(index).dir != nullptr; }
  // To be called before the first write below a dir; one whose disk fails then is offline, has() or not.
  base::Task<base::Result<void>> begin(std::string needed);
  // Requires has().
  log::LogDir& dir(size_t index) { return *dirs_.at(index).dir; }
  const log::LogDir& dir(size_t index) const { return *dirs_.at(index).dir; }
  base::DirectoryId id(size_t index) const;
  std::optional<size_t> index_of(base::DirectoryId id) const;
  bool offline(size_t index) const { return dirs_.at(index).offline; }
  size_t online_count() const;
  // Why the dir went offline; empty while it is not.
  const std::string& failure(size_t index) const { return dirs_.at(index).failure; }
  void take_offline(size_t index, std::string reason);
  // The broker epoch of the last clean stop, where every dir had the mark; -1 otherwise.
  base::BrokerEpoch clean_epoch() const;

  // The dir in which a partition of this topic id was found; nothing where none holds it.
  struct Found {
    size_t log_dir = 0;
    log::FoundPartition partition;
  };
  // Reads what the dirs hold. A directory whose partition.metadata cannot be read waits for settle().
  base::Task<base::Result<void>> look_around(std::string needed);
  const Found* find(const PartitionKey& key) const;
  // Those that `known` does not want are renamed to "-stray"; a half deleted one is removed. One that does not tell
  // whose it is, but has the name of a partition that `named` finds to be of this broker, is found for that: opening it
  // tells what is wrong, and no empty one takes its place. Checkpoints that speak of others than those are written
  // anew.
  base::Task<void> settle(const std::function<bool(const PartitionKey&)>& known,
                          const std::function<std::optional<PartitionKey>(const log::TopicPartition&)>& named);

  // Puts into the partitions what a crash left in the journals; before any of them is opened. A dir where that cannot
  // be done is offline.
  base::Task<base::Result<void>> replay_journals(size_t at_once, std::string needed);

  // What host_here needs to know of a partition in this dir.
  void fill(HostOrder& order, size_t log_dir) const;

  // The partition is open: from now on its standing tells what the checkpoints say of it. Until then, and wherever a
  // standing is missing, they go on saying what they said last.
  void opened(size_t log_dir, const log::TopicPartition& name, const PartitionKey& key);
  // The partition is being let go: a stop before closed() is none that left it clean.
  void letting_go(size_t log_dir, const log::TopicPartition& name);
  // The partition was let go and is to be opened again.
  void closed(size_t log_dir, const log::TopicPartition& name, const PartitionKey& key, Checkpointed checkpointed) {
    dirs_.at(log_dir).lines.insert_or_assign(name, Line{key, checkpointed, false});
  }
  // Where a partition lies that was open once.
  std::optional<size_t> where(const log::TopicPartition& name, const PartitionKey& key) const;
  // The partition was deleted: no later checkpoint speaks of it.
  void forget(size_t log_dir, const log::TopicPartition& name);
  // A checkpoint on disk may speak of a partition that was deleted. Checkpoints go by name: what it says would be
  // believed of a partition that is made under that name, so that none may be made before checkpoint() wrote it anew.
  bool is_stale(size_t log_dir, const log::TopicPartition& name) const {
    return dirs_.at(log_dir).stale.contains(name);
  }
  bool any_stale() const;

  // How much room a dir has, as last seen. look_at_space() asks the file system; true where the level changed.
  const SpaceWatch& space(size_t index) const { return dirs_.at(index).space; }
  void limit_space(int64_t min_free);
  // Directories that were set aside because they belong to no topic of the cluster, earlier starts included.
  size_t strays(size_t index) const { return dirs_.at(index).strays; }
  bool look_at_space(size_t index);
  // A write found no space; true where that changes the level.
  bool ran_out_of_space(size_t index, const std::string& what);
  // Writes the checkpoints of every dir that is online. A dir that cannot be written goes offline; those that did now,
  // whose partitions have to be told.
  base::Task<std::vector<size_t>> checkpoint(const std::vector<Standing>& standings, bool all);
  // Once every log is closed and before the checkpoints tell so: makes all of it durable. A dir where that fails goes
  // offline.
  base::Task<void> sync_closed(std::vector<Standing>& standings);
  // The last act of a clean stop, for each dir whose logs were all closed.
  base::Task<void> mark_clean(const std::vector<Standing>& standings, base::BrokerEpoch epoch);
  base::Task<void> remove_deleted(size_t log_dir, std::string directory);

 private:
  struct Line {
    PartitionKey key;
    Checkpointed said;
    bool open = false;
  };
  struct Dir {
    std::string path;
    std::unique_ptr<log::LogDir> dir;
    bool offline = false;
    std::string failure;
    std::map<log::TopicPartition, Line> lines;  // what the checkpoints say of the cluster's partitions that lie here
    bool unwritten = false;                     // the last whole checkpoint could not be written
    std::set<log::TopicPartition> stale;        // see is_stale()
    SpaceWatch space{0};
    size_t strays = 0;
  };
  base::Task<bool> write_checkpoints(size_t index, bool all);
  static void take_in(Dir& dir, const Standing& standing);

  io::Shard& shard_;
  std::vector<Dir> dirs_;
  std::map<PartitionKey, Found> found_;
  std::vector<Found> unreadable_;
};

}  // namespace stele::broker
