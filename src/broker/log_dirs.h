// The log dirs of the broker: opening them, what was found there, where partitions go, their checkpoints. On
// kControlShard.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/hosting.h"
#include "log/log_dir.h"
#include "metadata/format.h"

namespace stele::broker {

class LogDirs {
 public:
  explicit LogDirs(io::Shard& shard) : shard_(shard) {}

  // Opens and locks every path; all or none.
  base::Task<base::Result<void>> open(std::vector<std::string> paths);

  // Formats a blank dir and reads it anew.
  base::Task<base::Result<void>> format(size_t index, metadata::Format format);

  size_t size() const { return dirs_.size(); }
  log::LogDir& dir(size_t index) { return *dirs_.at(index).dir; }
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
  // Reads what the dirs hold; a directory whose partition.metadata cannot be read is left aside with a warning.
  base::Task<base::Result<void>> look_around();
  const Found* find(const PartitionKey& key) const;
  // Those that `known` does not want are renamed to "-stray"; a half deleted one is removed.
  base::Task<void> settle(const std::function<bool(const PartitionKey&)>& known);

  // What host_here needs to know of a partition in this dir.
  void fill(HostOrder& order, size_t log_dir) const;

  // Writes the checkpoints of every dir that is online. A dir that cannot be written goes offline; those that did now,
  // whose partitions have to be told.
  base::Task<std::vector<size_t>> checkpoint(const std::vector<Standing>& standings, bool all);
  // The last act of a clean stop, for each dir whose logs were all closed.
  base::Task<void> mark_clean(const std::vector<Standing>& standings, base::BrokerEpoch epoch);
  base::Task<void> remove_deleted(size_t log_dir, std::string directory);

 private:
  struct Dir {
    std::unique_ptr<log::LogDir> dir;
    bool offline = false;
    std::string failure;
  };
  io::Shard& shard_;
  std::vector<Dir> dirs_;
  std::map<PartitionKey, Found> found_;
  std::vector<Found> unreadable_;
};

}  // namespace stele::broker
