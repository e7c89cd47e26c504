// What becomes of one partition when brokers come and go: its ISR, its eligible leaders, its leader. The rules of
// PartitionChangeBuilder of Kafka 4.3 (KIP-966 with balanced recovery).
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "metadata/image.h"

namespace stele::controller {

struct PartitionChange {
  const metadata::Partition& partition;
  base::TopicId topic;
  int32_t index = 0;
  metadata::MetadataVersion version;
  bool elr_enabled = false;
  int32_t min_isr = 1;
  bool unclean_election = false;
  // Whether this replica's broker is up and has the directory.
  std::function<bool(base::BrokerId)> may_lead;
  std::vector<base::BrokerId> target_isr;
  // Replicas whose process died: they may have lost what they had written.
  std::vector<base::BrokerId> unclean_replicas;

  // The coded record; nothing where nothing changes.
  std::optional<base::ByteVector> build() const;
};

}  // namespace stele::controller
