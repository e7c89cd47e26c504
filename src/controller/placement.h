// Which brokers hold the replicas of new partitions: striped over brokers and racks, those that are up first
// (StripedReplicaPlacer of Kafka).
#pragma once

#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "base/result.h"
#include "metadata/image.h"

namespace stele::controller {

struct Placement {
  int32_t first = 0;  // index of the first new partition
  int32_t count = 0;
  int16_t replication = 1;
};

// One list of replicas for each partition, the preferred leader first. INVALID_REPLICATION_FACTOR with Kafka's sentence
// where there are not enough brokers.
base::Result<std::vector<std::vector<base::BrokerId>>> place(const metadata::Image& image, const Placement& wanted,
                                                             base::Random& random);

}  // namespace stele::controller
