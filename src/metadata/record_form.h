// Between the records of the log and the parts of an image, both ways.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "metadata/image.h"
#include "wire/broker_registration_change_record.h"
#include "wire/partition_change_record.h"
#include "wire/partition_record.h"
#include "wire/register_broker_record.h"

namespace stele::metadata {

Partition partition_of(const wire::PartitionRecord& record);
// PartitionRegistration.merge of Kafka: what the record names replaces, the partition epoch grows, and the leader epoch
// too where a leader is named, even the same one.
Partition merged(const Partition& old, const wire::PartitionChangeRecord& record);
// The coded record of a partition, in the form of that metadata.version.
base::ByteVector encode_partition(const Partition& partition, const base::TopicId& topic, int32_t index,
                                  MetadataVersion version);

Broker broker_of(const wire::RegisterBrokerRecord& record);
base::Result<void> change(Broker& broker, const wire::BrokerRegistrationChangeRecord& record);
base::ByteVector encode_broker(const Broker& broker, MetadataVersion version);

// A record that is kept as it is, or takes a kept one away.
struct KeptChange {
  enum class Where : uint8_t {
    kConfig,
    kFeature,
    kQuota,
    kProducerIds,
    kAcl,
    kScram,
    kToken,
    kController,
    kZkMigration,
  };
  Where where = Where::kConfig;
  bool remove = false;
  std::string key;
  base::Uuid id;
  int64_t number = 0;  // feature level, next producer id, controller id
  std::string value;   // of a config
  RawRecord raw;
  std::optional<ConfigResource> config;
  bool features = false;
  bool producer_ids = false;
  bool security = false;
};
base::Result<KeptChange> kept_change(const Image& image, int16_t type, int16_t version, base::Bytes message,
                                     base::Bytes value);
void apply_kept(Image& image, const KeptChange& change, EditId edit);

}  // namespace stele::metadata
