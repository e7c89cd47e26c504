#include "broker/broker_shard.h"

#include <algorithm>

#include "broker/coordinator_host.h"

namespace stele::broker {

BrokerShard::BrokerShard(io::Shard& shard, record::DecompressionLimits unfolding, size_t open_files_max)
    : open_files_(open_files_max, &shard.complaints()), home_(shard), decompressor_(unfolding) {}

BrokerShard::~BrokerShard() = default;

CoordinatorHost& BrokerShard::coordinators() {
  if (!coordinators_) coordinators_ = std::make_unique<CoordinatorHost>(*this);
  return *coordinators_;
}

void BrokerShard::set_view(std::shared_ptr<const ClusterView> view) {
  STELE_CHECK(view_ == nullptr || view->epoch() > view_->epoch());
  view_ = std::move(view);
  // The first view comes before any partition is served.
  if (coordinators_ || view_->image().topic(kOffsetsTopic) != nullptr) coordinators().refresh();
}

std::shared_ptr<Partition> BrokerShard::find(const PartitionKey& key) const {
  const auto at = partitions_.find(key);
  return at == partitions_.end() ? nullptr : at->second;
}

void BrokerShard::add(std::shared_ptr<Partition> partition) {
  const PartitionKey key = partition->key();
  if (partition->log_dir() < space_.size()) partition->set_space(space_[partition->log_dir()]);
  const bool added = partitions_.emplace(key, std::move(partition)).second;
  STELE_CHECK(added, "a partition is hosted twice");
}

BrokerShard::Refusals BrokerShard::refusals(size_t log_dir) const {
  Refusals all = gone_refused_.at(log_dir);
  for (const auto& partition : partitions()) {
    if (partition->log_dir() != log_dir) continue;
    all.space += partition->refused_for_space();
    if (partition->log() != nullptr) all.corrupt += partition->log()->damage().refusals;
  }
  return all;
}

void BrokerShard::set_space(size_t log_dir, SpaceLevel level) {
  space_.at(log_dir) = level;
  for (const auto& partition : partitions()) {
    if (partition->log_dir() == log_dir) partition->set_space(level);
  }
}

std::shared_ptr<Partition> BrokerShard::take(const PartitionKey& key) {
  const auto at = partitions_.find(key);
  if (at == partitions_.end()) return nullptr;
  auto partition = std::move(at->second);
  partitions_.erase(at);
  if (partition->log_dir() < gone_refused_.size()) {
    Refusals& gone = gone_refused_[partition->log_dir()];
    gone.space += partition->refused_for_space();
    if (partition->log() != nullptr) gone.corrupt += partition->log()->damage().refusals;
  }
  return partition;
}

std::vector<std::shared_ptr<Partition>> BrokerShard::partitions() const {
  std::vector<std::shared_ptr<Partition>> all;
  all.reserve(partitions_.size());
  for (const auto& [key, partition] : partitions_) all.push_back(partition);
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a->key() < b->key(); });
  return all;
}

}  // namespace stele::broker
