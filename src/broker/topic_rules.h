// A topic's effective configuration, as the parts of a hosted partition want it.
#pragma once

#include "broker/partition.h"
#include "config/broker_config.h"
#include "config/topic_config.h"
#include "log/options.h"
#include "metadata/image.h"

namespace stele::broker {

// Everything that one partition is told, taken from the topic's overrides over the broker's configuration.
struct TopicRules {
  PartitionRules partition;
  log::LogOptions log;
};

TopicRules rules_of(const config::BrokerConfig& broker, const metadata::Image& image, const std::string& topic);

}  // namespace stele::broker
