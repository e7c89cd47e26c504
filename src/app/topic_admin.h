// What `stele topic` asks of a cluster, in values that own their texts.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/admin_client.h"
#include "app/common_options.h"
#include "base/result.h"
#include "base/uuid.h"

namespace stele::app {

struct TopicOutcome {
  std::string name;
  std::optional<base::Error> error{};
  base::TopicId id{};
  int32_t partitions = -1;  // -1: not told
  int32_t replication_factor = -1;
};

struct NewTopic {
  int32_t partitions = -1;  // -1: the brokers' default
  int16_t replication_factor = -1;
  std::vector<KeyValue> configs;
  bool validate_only = false;
};

struct TopicConfig {
  std::string name;
  std::optional<std::string> value;  // nothing where it is sensitive
  std::string source;                // "topic", "broker", ...
};

struct TopicPartition {
  int32_t index = -1;
  int32_t leader = -1;
  int32_t leader_epoch = -1;
  std::vector<int32_t> replicas;
  std::vector<int32_t> isr;
  std::vector<int32_t> offline;
  // KIP-966; nothing where the broker does not tell them.
  std::optional<std::vector<int32_t>> eligible{};    // replicas that may lead though they are not in sync
  std::optional<std::vector<int32_t>> last_known{};  // in sync last, before nobody was any more
};

struct Topic {
  std::string name;
  std::optional<base::Error> error;
  base::TopicId id;
  bool internal = false;
  std::vector<TopicPartition> partitions{};  // by index
  std::vector<TopicConfig> configs{};        // those that are not default; empty before read_configs()
};

base::Result<std::vector<TopicOutcome>> create_topics(AdminClient& client, const std::vector<std::string>& names,
                                                      const NewTopic& wanted);
base::Result<std::vector<TopicOutcome>> delete_topics(AdminClient& client, const std::vector<std::string>& names);
// By name; all topics where no names are given. With `may_create` the brokers may make a topic that is not there.
base::Result<std::vector<Topic>> read_topics(AdminClient& client, const std::optional<std::vector<std::string>>& names,
                                             bool may_create = false);
// Fills in the configs of topics that have no error.
base::Result<void> read_configs(AdminClient& client, std::vector<Topic>& topics);
// Fills in eligible and last_known of topics that have no error, where the broker can tell.
base::Result<void> read_eligible(AdminClient& client, std::vector<Topic>& topics);
base::Result<void> alter_configs(AdminClient& client, const std::string& topic, const std::vector<KeyValue>& set,
                                 const std::vector<std::string>& removed, bool validate_only);
base::Result<void> add_partitions(AdminClient& client, const std::string& topic, int32_t count, bool validate_only);

}  // namespace stele::app
