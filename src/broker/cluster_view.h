// What every shard knows of the cluster at one moment: the metadata image, which shard of this broker
// owns which partition, and the broker's configuration.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "broker/partition_key.h"
#include "config/broker_config.h"
#include "metadata/image.h"
#include "metadata/persistent_map.h"

namespace stele::broker {

using ShardMap = metadata::PersistentMap<PartitionKey, base::ShardId>;

// Immutable, replaced whole; shares structure with its predecessor.
class ClusterView {
 public:
  ClusterView(uint64_t epoch, metadata::ImagePtr image, ShardMap shards,
              std::shared_ptr<const config::BrokerConfig> config)
      : epoch_(epoch), image_(std::move(image)), shards_(std::move(shards)), config_(std::move(config)) {}

  // Higher for each later view.
  uint64_t epoch() const { return epoch_; }
  const metadata::Image& image() const { return *image_; }
  const metadata::ImagePtr& image_ptr() const { return image_; }
  const ShardMap& shards() const { return shards_; }
  // What is in force now, changes made at run time included.
  const config::BrokerConfig& config() const { return *config_; }
  const std::shared_ptr<const config::BrokerConfig>& config_ptr() const { return config_; }
  std::optional<base::ShardId> owner_of(const PartitionKey& key) const {
    const base::ShardId* shard = shards_.find(key);
    return shard != nullptr ? std::optional{*shard} : std::nullopt;
  }

 private:
  uint64_t epoch_;
  metadata::ImagePtr image_;
  ShardMap shards_;
  std::shared_ptr<const config::BrokerConfig> config_;
};

}  // namespace stele::broker
