#include "broker/broker_shard.h"

#include <algorithm>

#include "broker/coordinator_host.h"

namespace stele::broker {

BrokerShard::BrokerShard(io::Shard& shard, record::DecompressionLimits unfolding)
    : home_(shard), decompressor_(unfolding) {}

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
  const bool added = partitions_.emplace(key, std::move(partition)).second;
  STELE_CHECK(added, "a partition is hosted twice");
}

std::shared_ptr<Partition> BrokerShard::take(const PartitionKey& key) {
  const auto at = partitions_.find(key);
  if (at == partitions_.end()) return nullptr;
  auto partition = std::move(at->second);
  partitions_.erase(at);
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
