// What one shard has of the broker: its partitions, its view of the cluster, and the way to the other shards.
#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker/cluster_view.h"
#include "broker/partition.h"
#include "io/remote.h"
#include "io/shard.h"
#include "log/journal.h"
#include "record/decompressor.h"

namespace stele::broker {

class ControlPlane;
class CoordinatorHost;

// Who this broker is. Does not change while it runs.
struct BrokerIdentity {
  base::BrokerId id;
  std::string cluster_id;
};

// The shard of the controller, the log dirs' owner and the acceptor.
inline constexpr base::ShardId kControlShard{0};

// Used on its own shard only, save for home(), which other shards send to.
class BrokerShard {
 public:
  explicit BrokerShard(io::Shard& shard, record::DecompressionLimits unfolding = {},
                       size_t open_files_max = std::numeric_limits<size_t>::max());
  ~BrokerShard();

  io::Shard& shard() const { return home_.shard; }
  io::ShardHome& home() { return home_; }
  void set_identity(BrokerIdentity identity) { identity_ = std::move(identity); }
  const BrokerIdentity& identity() const { return identity_; }
  // All shards of this broker, by id; set once before anything runs.
  void set_peers(std::vector<BrokerShard*> peers) { peers_ = std::move(peers); }
  BrokerShard& peer(base::ShardId id) const { return *peers_.at(id.value()); }
  size_t shard_count() const { return peers_.size(); }
  // The control plane lives on kControlShard: calls to it are made there (see on_control).
  void set_control(ControlPlane* control) { control_ = control; }
  ControlPlane& control() const {
    STELE_CHECK(shard().id() == kControlShard && control_ != nullptr);
    return *control_;
  }

  // Never null once the broker serves.
  const std::shared_ptr<const ClusterView>& view() const { return view_; }
  void set_view(std::shared_ptr<const ClusterView> view);

  // The group coordinators of this shard; made when first asked for.
  CoordinatorHost& coordinators();
  // The shard that owns a partition; nothing where this broker does not host it.
  std::optional<base::ShardId> owner_of(const PartitionKey& key) const { return view_->owner_of(key); }
  // Null where this shard does not have it.
  std::shared_ptr<Partition> find(const PartitionKey& key) const;
  void add(std::shared_ptr<Partition> partition);
  std::shared_ptr<Partition> take(const PartitionKey& key);
  // In the order of their keys.
  std::vector<std::shared_ptr<Partition>> partitions() const;
  size_t partition_count() const { return partitions_.size(); }

  record::Decompressor& decompressor() { return decompressor_; }
  log::OpenFiles& open_files() { return open_files_; }
  // This shard's handles of the log dirs, in the order of log.dirs.
  void set_directories(std::vector<std::shared_ptr<io::Directory>> directories) {
    directories_ = std::move(directories);
    space_.assign(directories_.size(), SpaceLevel::kEnough);
    gone_refused_.assign(directories_.size(), Refusals{});
  }
  const std::shared_ptr<io::Directory>& directory(size_t log_dir) const { return directories_.at(log_dir); }
  // What is known of the room in a log dir; its partitions, later ones too, are told.
  void set_space(size_t log_dir, SpaceLevel level);
  // What was refused in a log dir since the start, by partitions that went meanwhile too.
  struct Refusals {
    uint64_t corrupt = 0;
    uint64_t space = 0;
  };
  Refusals refusals(size_t log_dir) const;
  // This shard's journal in each log dir; null where it has none.
  void set_journals(std::vector<std::shared_ptr<log::Journal>> journals) { journals_ = std::move(journals); }
  const std::vector<std::shared_ptr<log::Journal>>& journals() const { return journals_; }
  std::shared_ptr<log::Journal> journal(size_t log_dir) const {
    return log_dir < journals_.size() ? journals_[log_dir] : nullptr;
  }
  // Told on this shard of a log that failed.
  void set_on_log_failed(Partition::OnFailed on_failed) { on_log_failed_ = std::move(on_failed); }
  const Partition::OnFailed& on_log_failed() const { return on_log_failed_; }

 private:
  log::OpenFiles open_files_;  // outlives every log, also those that tasks of home_ still hold
  io::ShardHome home_;
  BrokerIdentity identity_;
  ControlPlane* control_ = nullptr;
  std::vector<BrokerShard*> peers_;
  std::shared_ptr<const ClusterView> view_;
  std::unordered_map<PartitionKey, std::shared_ptr<Partition>> partitions_;
  record::Decompressor decompressor_;
  std::unique_ptr<CoordinatorHost> coordinators_;
  std::vector<std::shared_ptr<io::Directory>> directories_;
  std::vector<SpaceLevel> space_;       // by log dir
  std::vector<Refusals> gone_refused_;  // by log dir: of partitions that were let go
  std::vector<std::shared_ptr<log::Journal>> journals_;
  Partition::OnFailed on_log_failed_;
};

namespace detail {

template <class Item, class Params>
using WorkHere = base::Task<std::vector<Item>> (*)(BrokerShard& at, std::vector<Item> items, Params params);

}  // namespace detail

// Does `work` for each item on the shard that owns item.key, all shards at once, and puts the items back in their
// places. Items of partitions that are not hosted here keep what they are. The work goes on where the task is
// destroyed.
template <class Item, class Params>
base::Task<void> on_owners(BrokerShard& home, std::vector<Item>& items, Params params,
                           detail::WorkHere<Item, Params> work) {
  std::vector<std::vector<size_t>> places(home.shard_count());
  for (size_t i = 0; i < items.size(); ++i) {
    if (const auto owner = home.owner_of(items[i].key)) places[owner->value()].push_back(i);
  }
  std::vector<std::pair<size_t, base::Task<std::vector<Item>>>> remote;
  const size_t here = home.shard().id().value();
  for (size_t shard = 0; shard < places.size(); ++shard) {
    if (shard == here || places[shard].empty()) continue;
    std::vector<Item> part;
    for (size_t i : places[shard]) part.push_back(std::move(items[i]));
    BrokerShard& peer = home.peer(base::ShardId{static_cast<uint32_t>(shard)});
    remote.emplace_back(shard,
                        run_on(home.shard(), peer.home(), [&peer, work, params, part = std::move(part)]() mutable {
                          return work(peer, std::move(part), params);
                        }));
  }
  const auto put_back = [&items, &places](size_t shard, std::vector<Item> part) {
    for (size_t i = 0; i < part.size(); ++i) items[places[shard][i]] = std::move(part[i]);
  };
  if (!places[here].empty()) {
    std::vector<Item> part;
    for (size_t i : places[here]) part.push_back(std::move(items[i]));
    auto done = co_await work(home, std::move(part), params);
    put_back(here, std::move(done));
  }
  for (auto& [shard, task] : remote) {
    auto done = co_await std::move(task);
    put_back(shard, std::move(done));
  }
}

}  // namespace stele::broker
