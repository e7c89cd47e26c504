// What the records of the metadata log, applied in order, give: the state of the cluster that every broker holds.
// An Image is immutable once it is published, may be read from any shard, and shares structure with its predecessor.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "metadata/features.h"
#include "metadata/persistent_map.h"

namespace stele::metadata {

// A record as it stands in the log: frame, type, version, message. What a snapshot writes back unchanged.
using RawRecord = std::string;

// Tagged fields that a newer Kafka wrote and this version does not know, to be written back.
using UnknownFields = std::vector<std::pair<uint32_t, std::string>>;

// ConfigResource.Type of Kafka, as records and requests carry it.
enum class ResourceType : int8_t {
  kUnknown = 0,
  kTopic = 2,
  kBroker = 4,
  kBrokerLogger = 8,
  kClientMetrics = 16,
  kGroup = 32,
};

struct ConfigResource {
  ResourceType type = ResourceType::kUnknown;
  std::string name;  // of the topic; the broker's id, or "" for the default of all brokers
  friend auto operator<=>(const ConfigResource&, const ConfigResource&) = default;
};

enum class LeaderRecovery : int8_t { kRecovered = 0, kRecovering = 1 };

struct Partition {
  std::vector<base::BrokerId> replicas;  // in the order of preference
  std::vector<base::BrokerId> isr;
  std::vector<base::BrokerId> removing;
  std::vector<base::BrokerId> adding;
  std::vector<base::BrokerId> elr;             // eligible leader replicas (KIP-966)
  std::vector<base::BrokerId> last_known_elr;  // the last leader, kept while there is none
  std::vector<base::DirectoryId> directories;  // one for each replica, or empty in records older than 3.7
  base::BrokerId leader = base::kNoBroker;
  LeaderRecovery recovery = LeaderRecovery::kRecovered;
  base::LeaderEpoch leader_epoch = base::kNoLeaderEpoch;
  int32_t partition_epoch = -1;
  UnknownFields unknown;

  friend bool operator==(const Partition&, const Partition&) = default;
  bool has_replica(base::BrokerId broker) const;
  bool in_isr(base::BrokerId broker) const;
  // The directory that holds the replica of this broker; kUnassignedDirectory where none is named.
  base::DirectoryId directory_of(base::BrokerId broker) const;
};

using PartitionMap = PersistentMap<int32_t, std::shared_ptr<const Partition>>;

struct Topic {
  std::string name;
  base::TopicId id;
  PartitionMap partitions;
  RawRecord raw;

  const Partition* find(base::PartitionIndex index) const;
};

// SecurityProtocol of Kafka.
enum class SecurityProtocol : int16_t { kPlaintext = 0, kSsl = 1, kSaslPlaintext = 2, kSaslSsl = 3 };

struct Endpoint {
  std::string listener;
  std::string host;
  uint16_t port = 0;
  int16_t protocol = 0;
  UnknownFields unknown;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct FeatureRange {
  std::string name;
  int16_t min = 0;
  int16_t max = 0;
  UnknownFields unknown;
  friend bool operator==(const FeatureRange&, const FeatureRange&) = default;
};

struct Broker {
  base::BrokerId id;
  base::Uuid incarnation;
  base::BrokerEpoch epoch{-1};
  std::vector<Endpoint> endpoints;
  std::vector<FeatureRange> features;
  std::optional<std::string> rack;
  bool fenced = true;
  bool in_controlled_shutdown = false;
  bool migrating_zk = false;
  std::vector<base::DirectoryId> log_dirs;
  std::optional<std::vector<base::DirectoryId>> cordoned_log_dirs;
  UnknownFields unknown;

  friend bool operator==(const Broker&, const Broker&) = default;
  // May lead and be in an ISR.
  bool is_active() const { return !fenced && !in_controlled_shutdown; }
  const Endpoint* endpoint(std::string_view listener) const;
  // Whether a replica whose record names this directory can be online here (DirectoryId.isOnline of Kafka).
  bool has_online_dir(base::DirectoryId dir) const;
};

// A record that is kept and given back, with what it is found by.
struct Kept {
  RawRecord raw;
};

struct ConfigValue {
  std::string value;
  RawRecord raw;
};
// Shared and replaced whole: one resource has few entries.
using ConfigMap = std::map<std::string, ConfigValue>;

struct ControlState {
  int16_t kraft_version = 0;
  RawRecord voters;  // the message of the last KRaftVoters record; empty before there is one
};

class Image {
 public:
  // --- where it stands
  // The first index of the log that is not in it, and the leader epoch and time of the last entry that is.
  base::Offset next_index{0};
  base::LeaderEpoch epoch{0};
  base::Timestamp timestamp{0};

  // --- topics
  const Topic* topic(const base::TopicId& id) const;
  const Topic* topic(std::string_view name) const;
  const Partition* partition(std::string_view topic_name, base::PartitionIndex index) const;
  const Partition* partition(const base::TopicId& id, base::PartitionIndex index) const;
  size_t topic_count() const { return topics.size(); }
  size_t partition_count() const { return partitions_total; }
  // In the order of names. f(const Topic&); returns false to stop, or nothing.
  template <class F>
  void for_each_topic(F&& f) const {
    topic_ids.for_each([&](const std::string&, const base::TopicId& id) { return f(**topics.find(id)); });
  }
  // The same from the first name that is not below `from`, for answers in pages.
  template <class F>
  void for_each_topic_from(const std::string& from, F&& f) const {
    topic_ids.for_each_from(from, [&](const std::string&, const base::TopicId& id) { return f(**topics.find(id)); });
  }

  // --- brokers
  const Broker* broker(base::BrokerId id) const;
  bool is_active(base::BrokerId id) const;

  // --- configs
  // Null where the resource has none.
  const ConfigMap* config_of(const ConfigResource& resource) const;
  // The value that is set on the resource itself; nothing where none is.
  std::optional<std::string_view> config(ResourceType type, std::string_view name, std::string_view key) const;

  // --- features
  // 0 where it is not finalized.
  int16_t feature(std::string_view name) const;
  MetadataVersion metadata_version() const { return MetadataVersion{feature(kMetadataVersionFeature)}; }
  bool elr_enabled() const { return feature(kElrFeature) >= 1; }

  // The first id that no block has taken yet.
  int64_t next_producer_id() const { return producer_id_next; }

  // What this version keeps but does not enforce: "2 ACLs", "1 SCRAM credential" and so on. Empty where there is
  // nothing of the kind.
  std::vector<std::string> unenforced() const;

  // --- the state itself, in the order in which a snapshot writes it. Changed by Delta alone.
  PersistentMap<std::string, std::pair<int16_t, RawRecord>> features;
  PersistentMap<int32_t, std::shared_ptr<const Broker>> brokers;
  PersistentMap<int32_t, Kept> controllers;
  PersistentMap<base::TopicId, std::shared_ptr<const Topic>> topics;
  PersistentMap<std::string, base::TopicId> topic_ids;
  PersistentMap<ConfigResource, std::shared_ptr<const ConfigMap>> configs;
  PersistentMap<std::string, Kept> client_quotas;  // by entity and key, as coded in the record
  int64_t producer_id_next = 0;
  RawRecord producer_ids;
  PersistentMap<base::Uuid, Kept> acls;
  PersistentMap<std::string, Kept> scram_credentials;  // by mechanism and user
  PersistentMap<std::string, Kept> delegation_tokens;  // by token id
  RawRecord zk_migration;
  ControlState control;
  size_t partitions_total = 0;
  // Between BeginTransaction and EndTransaction: the state before it, which an abort brings back.
  std::shared_ptr<const Image> before_transaction;
  std::string transaction_name;
  base::Offset transaction_begin = base::kNoOffset;
  // Names the builder whose nodes may be changed in place; see PersistentMap.
  EditId generation = 1;
};

using ImagePtr = std::shared_ptr<const Image>;

}  // namespace stele::metadata

template <>
struct std::hash<stele::metadata::ConfigResource> {
  size_t operator()(const stele::metadata::ConfigResource& r) const noexcept {
    return std::hash<std::string>{}(r.name) * 31 + static_cast<size_t>(r.type);
  }
};
