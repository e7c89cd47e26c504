#include "metadata/record_form.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory_resource>

#include "metadata/record.h"
#include "wire/access_control_entry_record.h"
#include "wire/client_quota_record.h"
#include "wire/config_record.h"
#include "wire/delegation_token_record.h"
#include "wire/feature_level_record.h"
#include "wire/producer_ids_record.h"
#include "wire/register_controller_record.h"
#include "wire/remove_access_control_entry_record.h"
#include "wire/remove_delegation_token_record.h"
#include "wire/remove_user_scram_credential_record.h"
#include "wire/user_scram_credential_record.h"
#include "wire/zk_migration_state_record.h"

namespace stele::metadata {
namespace {

using base::ErrorCode;

std::vector<base::BrokerId> brokers_of(const std::pmr::vector<int32_t>& ids) {
  std::vector<base::BrokerId> out;
  out.reserve(ids.size());
  for (const int32_t id : ids) out.emplace_back(id);
  return out;
}

std::pmr::vector<int32_t> numbers_of(const std::vector<base::BrokerId>& ids, std::pmr::memory_resource* arena) {
  std::pmr::vector<int32_t> out{arena};
  out.reserve(ids.size());
  for (const base::BrokerId id : ids) out.push_back(id.value());
  return out;
}

UnknownFields unknown_of(const std::pmr::vector<wire::RawTaggedField>& fields) {
  UnknownFields out;
  for (const auto& field : fields) out.emplace_back(field.tag, std::string{base::as_text(field.data)});
  return out;
}

void put_unknown(const UnknownFields& fields, std::pmr::vector<wire::RawTaggedField>& out) {
  for (const auto& [tag, data] : fields) out.push_back({tag, base::as_bytes(data)});
}

struct Scratch {
  std::array<std::byte, 2048> first;
  std::pmr::monotonic_buffer_resource arena{first.data(), first.size()};
};

}  // namespace

Partition partition_of(const wire::PartitionRecord& record) {
  Partition out;
  out.replicas = brokers_of(record.replicas);
  out.isr = brokers_of(record.isr);
  out.removing = brokers_of(record.removing_replicas);
  out.adding = brokers_of(record.adding_replicas);
  if (record.eligible_leader_replicas) out.elr = brokers_of(*record.eligible_leader_replicas);
  if (record.last_known_elr) out.last_known_elr = brokers_of(*record.last_known_elr);
  out.directories.assign(record.directories.begin(), record.directories.end());
  out.leader = base::BrokerId{record.leader};
  out.recovery = static_cast<LeaderRecovery>(record.leader_recovery_state);
  out.leader_epoch = base::LeaderEpoch{record.leader_epoch};
  out.partition_epoch = record.partition_epoch;
  out.unknown = unknown_of(record.unknown_tagged_fields);
  return out;
}

namespace {

// Replicas that stay keep their directory; new ones have none yet.
std::vector<base::DirectoryId> directories_after(const Partition& old, const std::vector<base::BrokerId>& replicas) {
  std::vector<base::DirectoryId> out;
  for (const base::BrokerId replica : replicas) out.push_back(old.directory_of(replica));
  return out;
}

}  // namespace

Partition merged(const Partition& old, const wire::PartitionChangeRecord& record) {
  constexpr int32_t kNoLeaderChange = -2;
  Partition out = old;
  if (record.replicas) {
    out.replicas = brokers_of(*record.replicas);
    if (!old.directories.empty()) out.directories = directories_after(old, out.replicas);
  }
  if (record.directories) out.directories.assign(record.directories->begin(), record.directories->end());
  if (record.isr) out.isr = brokers_of(*record.isr);
  if (record.removing_replicas) out.removing = brokers_of(*record.removing_replicas);
  if (record.adding_replicas) out.adding = brokers_of(*record.adding_replicas);
  if (record.eligible_leader_replicas) out.elr = brokers_of(*record.eligible_leader_replicas);
  if (record.last_known_elr) out.last_known_elr = brokers_of(*record.last_known_elr);
  if (record.leader_recovery_state >= 0) out.recovery = static_cast<LeaderRecovery>(record.leader_recovery_state);
  if (record.leader != kNoLeaderChange) {
    out.leader = base::BrokerId{record.leader};
    out.leader_epoch = base::LeaderEpoch{out.leader_epoch.value() + 1};
  }
  ++out.partition_epoch;
  return out;
}

base::ByteVector encode_partition(const Partition& partition, const base::TopicId& topic, int32_t index,
                                  MetadataVersion version) {
  Scratch scratch;
  wire::PartitionRecord record{wire::Allocator{&scratch.arena}};
  record.partition_id = index;
  record.topic_id = topic;
  record.replicas = numbers_of(partition.replicas, &scratch.arena);
  record.isr = numbers_of(partition.isr, &scratch.arena);
  record.removing_replicas = numbers_of(partition.removing, &scratch.arena);
  record.adding_replicas = numbers_of(partition.adding, &scratch.arena);
  record.leader = partition.leader.value();
  record.leader_recovery_state = static_cast<int8_t>(partition.recovery);
  record.leader_epoch = partition.leader_epoch.value();
  record.partition_epoch = partition.partition_epoch;
  record.directories.assign(partition.directories.begin(), partition.directories.end());
  if (version.supports_elr()) {
    if (!partition.elr.empty()) record.eligible_leader_replicas = numbers_of(partition.elr, &scratch.arena);
    if (!partition.last_known_elr.empty()) record.last_known_elr = numbers_of(partition.last_known_elr, &scratch.arena);
  }
  put_unknown(partition.unknown, record.unknown_tagged_fields);
  return encode_record(record, version.partition_record_version());
}

Broker broker_of(const wire::RegisterBrokerRecord& record) {
  Broker out;
  out.id = base::BrokerId{record.broker_id};
  out.incarnation = record.incarnation_id;
  out.epoch = base::BrokerEpoch{record.broker_epoch};
  for (const auto& end : record.end_points) {
    out.endpoints.push_back({std::string{end.name}, std::string{end.host}, end.port, end.security_protocol,
                             unknown_of(end.unknown_tagged_fields)});
  }
  for (const auto& feature : record.features) {
    out.features.push_back({std::string{feature.name}, feature.min_supported_version, feature.max_supported_version,
                            unknown_of(feature.unknown_tagged_fields)});
  }
  if (record.rack) out.rack = std::string{*record.rack};
  out.fenced = record.fenced;
  out.in_controlled_shutdown = record.in_controlled_shutdown;
  out.migrating_zk = record.is_migrating_zk_broker;
  out.log_dirs.assign(record.log_dirs.begin(), record.log_dirs.end());
  if (record.cordoned_log_dirs) {
    out.cordoned_log_dirs.emplace(record.cordoned_log_dirs->begin(), record.cordoned_log_dirs->end());
  }
  out.unknown = unknown_of(record.unknown_tagged_fields);
  return out;
}

base::Result<void> change(Broker& broker, const wire::BrokerRegistrationChangeRecord& record) {
  if (record.fenced < -1 || record.fenced > 1) {
    return {ErrorCode::kInvalidRecord, fmt::format("a registration change with fenced {}", record.fenced)};
  }
  if (record.in_controlled_shutdown < 0 || record.in_controlled_shutdown > 1) {
    return {ErrorCode::kInvalidRecord,
            fmt::format("a registration change with inControlledShutdown {}", record.in_controlled_shutdown)};
  }
  if (record.fenced != 0) broker.fenced = record.fenced > 0;
  if (record.in_controlled_shutdown != 0) broker.in_controlled_shutdown = true;
  if (!record.log_dirs.empty()) broker.log_dirs.assign(record.log_dirs.begin(), record.log_dirs.end());
  if (record.cordoned_log_dirs) {
    broker.cordoned_log_dirs.emplace(record.cordoned_log_dirs->begin(), record.cordoned_log_dirs->end());
  }
  return {};
}

base::ByteVector encode_broker(const Broker& broker, MetadataVersion version) {
  Scratch scratch;
  wire::RegisterBrokerRecord record{wire::Allocator{&scratch.arena}};
  record.broker_id = broker.id.value();
  record.is_migrating_zk_broker = broker.migrating_zk;
  record.incarnation_id = broker.incarnation;
  record.broker_epoch = broker.epoch.value();
  for (const Endpoint& endpoint : broker.endpoints) {
    auto& end = record.end_points.emplace_back();
    end.name = endpoint.listener;
    end.host = endpoint.host;
    end.port = endpoint.port;
    end.security_protocol = endpoint.protocol;
    put_unknown(endpoint.unknown, end.unknown_tagged_fields);
  }
  for (const FeatureRange& range : broker.features) {
    auto& feature = record.features.emplace_back();
    feature.name = range.name;
    feature.min_supported_version = range.min;
    feature.max_supported_version = range.max;
    put_unknown(range.unknown, feature.unknown_tagged_fields);
  }
  record.rack.reset();
  if (broker.rack) record.rack = std::string_view{*broker.rack};
  record.fenced = broker.fenced;
  record.in_controlled_shutdown = broker.in_controlled_shutdown;
  record.log_dirs.assign(broker.log_dirs.begin(), broker.log_dirs.end());
  if (broker.cordoned_log_dirs && version.supports_cordoned_dirs()) {
    const auto& dirs = *broker.cordoned_log_dirs;
    record.cordoned_log_dirs = std::pmr::vector<base::Uuid>(dirs.begin(), dirs.end(), &scratch.arena);
  }
  put_unknown(broker.unknown, record.unknown_tagged_fields);
  return encode_record(record, version.register_broker_record_version());
}

namespace {

using Where = KeptChange::Where;
using wire::MetadataRecordType;

template <class R>
base::Result<void> read(int16_t version, base::Bytes message, R& record) {
  wire::Reader in{message};
  return decode(in, version, record);
}

base::Result<void> config_change(int16_t version, base::Bytes message, KeptChange& out) {
  wire::ConfigRecord record;
  STELE_TRY(read(version, message, record));
  out.where = Where::kConfig;
  out.config = ConfigResource{static_cast<ResourceType>(record.resource_type), std::string{record.resource_name}};
  out.key = std::string{record.name};
  out.remove = !record.value.has_value();
  out.value = std::string{record.value.value_or("")};
  return {};
}

base::Result<void> quota_change(int16_t version, base::Bytes message, KeptChange& out) {
  wire::ClientQuotaRecord record;
  STELE_TRY(read(version, message, record));
  // By entity, in the order of its parts, and by the name of the quota.
  std::vector<std::string> parts;
  for (const auto& part : record.entity) {
    parts.push_back(fmt::format("{}\n{}\n{}", part.entity_type, part.entity_name ? 1 : 0,
                                part.entity_name.value_or(std::string_view{})));
  }
  std::sort(parts.begin(), parts.end());
  for (const std::string& part : parts) out.key += part + "\n\n";
  out.key += record.key;
  out.where = Where::kQuota;
  out.remove = record.remove;
  out.security = true;
  return {};
}

base::Result<void> security_change(MetadataRecordType type, int16_t version, base::Bytes message, KeptChange& out) {
  out.security = true;
  if (type == MetadataRecordType::kAccessControlEntry) {
    wire::AccessControlEntryRecord record;
    STELE_TRY(read(version, message, record));
    out.where = Where::kAcl;
    out.id = record.id;
  } else if (type == MetadataRecordType::kRemoveAccessControlEntry) {
    wire::RemoveAccessControlEntryRecord record;
    STELE_TRY(read(version, message, record));
    out.where = Where::kAcl;
    out.id = record.id;
    out.remove = true;
  } else if (type == MetadataRecordType::kUserScramCredential) {
    wire::UserScramCredentialRecord record;
    STELE_TRY(read(version, message, record));
    out.where = Where::kScram;
    out.key = fmt::format("{}\n{}", record.mechanism, record.name);
  } else if (type == MetadataRecordType::kRemoveUserScramCredential) {
    wire::RemoveUserScramCredentialRecord record;
    STELE_TRY(read(version, message, record));
    out.where = Where::kScram;
    out.key = fmt::format("{}\n{}", record.mechanism, record.name);
    out.remove = true;
  } else if (type == MetadataRecordType::kDelegationToken) {
    wire::DelegationTokenRecord record;
    STELE_TRY(read(version, message, record));
    out.where = Where::kToken;
    out.key = std::string{record.token_id};
  } else {
    wire::RemoveDelegationTokenRecord record;
    STELE_TRY(read(version, message, record));
    out.where = Where::kToken;
    out.key = std::string{record.token_id};
    out.remove = true;
  }
  return {};
}

}  // namespace

base::Result<KeptChange> kept_change(const Image&, int16_t type, int16_t version, base::Bytes message,
                                     base::Bytes value) {
  KeptChange out;
  out.raw = std::string{base::as_text(value)};
  const auto kind = static_cast<MetadataRecordType>(type);
  switch (kind) {
    case MetadataRecordType::kConfig: {
      STELE_TRY(config_change(version, message, out));
      return out;
    }
    case MetadataRecordType::kClientQuota: {
      STELE_TRY(quota_change(version, message, out));
      return out;
    }
    case MetadataRecordType::kFeatureLevel: {
      wire::FeatureLevelRecord record;
      STELE_TRY(read(version, message, record));
      out.where = Where::kFeature;
      out.key = std::string{record.name};
      out.number = record.feature_level;
      out.remove = record.feature_level == 0;
      out.features = true;
      return out;
    }
    case MetadataRecordType::kProducerIds: {
      wire::ProducerIdsRecord record;
      STELE_TRY(read(version, message, record));
      out.where = Where::kProducerIds;
      out.number = record.next_producer_id;
      out.producer_ids = true;
      return out;
    }
    case MetadataRecordType::kRegisterController: {
      wire::RegisterControllerRecord record;
      STELE_TRY(read(version, message, record));
      out.where = Where::kController;
      out.number = record.controller_id;
      return out;
    }
    case MetadataRecordType::kZkMigrationState: {
      wire::ZkMigrationStateRecord record;
      STELE_TRY(read(version, message, record));
      out.where = Where::kZkMigration;
      return out;
    }
    case MetadataRecordType::kAccessControlEntry:
    case MetadataRecordType::kRemoveAccessControlEntry:
    case MetadataRecordType::kUserScramCredential:
    case MetadataRecordType::kRemoveUserScramCredential:
    case MetadataRecordType::kDelegationToken:
    case MetadataRecordType::kRemoveDelegationToken: {
      STELE_TRY(security_change(kind, version, message, out));
      return out;
    }
    default:
      return {ErrorCode::kInvalidRecord, fmt::format("{} is unknown to this version of Stele", record_type_name(type))};
  }
}

namespace {

template <class K>
void keep(PersistentMap<K, Kept>& map, const K& key, const KeptChange& change, EditId edit) {
  if (change.remove) {
    map.erase(key, edit);
  } else {
    map.set(key, Kept{change.raw}, edit);
  }
}

void keep_config(Image& image, const KeptChange& change, EditId edit) {
  const ConfigMap* old = image.config_of(*change.config);
  auto map = old == nullptr ? std::make_shared<ConfigMap>() : std::make_shared<ConfigMap>(*old);
  if (change.remove) {
    map->erase(change.key);
  } else {
    map->insert_or_assign(change.key, ConfigValue{change.value, change.raw});
  }
  if (map->empty()) {
    image.configs.erase(*change.config, edit);
  } else {
    image.configs.set(*change.config, std::move(map), edit);
  }
}

}  // namespace

void apply_kept(Image& image, const KeptChange& change, EditId edit) {
  switch (change.where) {
    case Where::kConfig:
      return keep_config(image, change, edit);
    case Where::kQuota:
      return keep(image.client_quotas, change.key, change, edit);
    case Where::kAcl:
      return keep(image.acls, change.id, change, edit);
    case Where::kScram:
      return keep(image.scram_credentials, change.key, change, edit);
    case Where::kToken:
      return keep(image.delegation_tokens, change.key, change, edit);
    case Where::kController:
      return keep(image.controllers, static_cast<int32_t>(change.number), change, edit);
    case Where::kZkMigration:
      image.zk_migration = change.raw;
      return;
    case Where::kProducerIds:
      image.producer_ids = change.raw;
      image.producer_id_next = change.number;
      return;
    case Where::kFeature:
      if (change.remove) {
        image.features.erase(change.key, edit);
      } else {
        image.features.set(change.key, {static_cast<int16_t>(change.number), change.raw}, edit);
      }
      return;
  }
}

}  // namespace stele::metadata
