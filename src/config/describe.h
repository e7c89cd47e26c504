// What DescribeConfigs tells of a topic, a broker or a group: every config with its value, where the value comes from,
// and what would stand there without it. Built from the table; held against the answers of a running Kafka in
// describe_test.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/broker_config.h"

namespace stele::config {

// The numbers of DescribeConfigsResponse.ConfigSource.
enum class ConfigSource : int8_t {
  kUnknown = 0,
  kDynamicTopic = 1,
  kDynamicBroker = 2,
  kDynamicDefaultBroker = 3,
  kStaticBroker = 4,
  kDefault = 5,
  kDynamicBrokerLogger = 6,
  kClientMetrics = 7,
  kDynamicGroup = 8,
};

struct DescribedSynonym {
  std::string name;
  std::optional<std::string> value;  // absent for a sensitive config
  ConfigSource source = ConfigSource::kDefault;
  bool operator==(const DescribedSynonym&) const = default;
};

struct DescribedConfig {
  std::string name;
  std::optional<std::string> value;  // absent where there is none, and for a sensitive config
  ConfigSource source = ConfigSource::kDefault;
  bool read_only = false;
  bool sensitive = false;
  ValueType type = ValueType::kUnknown;
  std::vector<DescribedSynonym> synonyms;  // the strongest first; the first is the value's own source
  std::string_view documentation;          // static text; empty for an unknown option
};

// All configs, sorted by name; the caller leaves out what the client did not ask for.
std::vector<DescribedConfig> describe_topic(const BrokerConfig& broker, const ConfigMap& overrides);
std::vector<DescribedConfig> describe_group(const BrokerConfig& broker, const ConfigMap& overrides);
std::vector<DescribedConfig> describe_broker(const BrokerConfig& broker);
// The resource with the empty name: only what was set for all brokers while they run.
std::vector<DescribedConfig> describe_all_brokers(const BrokerConfig& broker);

}  // namespace stele::config
