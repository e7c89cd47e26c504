// Names a partition for good: a topic that is made again under its old name has another id.
#pragma once

#include <cstddef>
#include <functional>

#include "base/ids.h"
#include "base/uuid.h"

namespace stele::broker {

struct PartitionKey {
  base::TopicId topic;
  base::PartitionIndex partition;
  friend auto operator<=>(const PartitionKey&, const PartitionKey&) = default;
};

}  // namespace stele::broker

template <>
struct std::hash<stele::broker::PartitionKey> {
  size_t operator()(const stele::broker::PartitionKey& key) const noexcept {
    return std::hash<stele::base::TopicId>{}(key.topic) * 31 + static_cast<size_t>(key.partition.value());
  }
};
