// What several handlers ask of the cluster's image.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error_code.h"
#include "base/result.h"
#include "broker/broker_shard.h"
#include "config/broker_config.h"
#include "metadata/image.h"
#include "server/call.h"

namespace stele::server::handlers {

struct TopicLookup {
  const metadata::Topic* topic = nullptr;
  base::ErrorCode code = base::ErrorCode::kNone;  // why there is none
};

// By id (UNKNOWN_TOPIC_ID) or by name (UNKNOWN_TOPIC_OR_PARTITION). The topic lives as long as the shard's present
// view.
TopicLookup find_topic(const Call& call, bool by_id, std::string_view name, const base::TopicId& id);
base::ErrorCode check_partition(const TopicLookup& found, base::PartitionIndex index);

// Where clients of this call's listener reach a broker; null where it has no such listener.
const metadata::Endpoint* endpoint_for(const Call& call, const metadata::Broker& broker);

// The brokers that a client may be sent to, for answers that carry them (KIP-951).
template <class Endpoints>
void add_node_endpoints(const Call& call, Endpoints& out) {
  call.broker().view()->image().brokers.for_each(
      [&](int32_t id, const std::shared_ptr<const metadata::Broker>& broker) {
        const metadata::Endpoint* endpoint = endpoint_for(call, *broker);
        if (broker->fenced || endpoint == nullptr) return;
        auto& entry = out.emplace_back();
        entry.node_id = id;
        entry.host = endpoint->host;
        entry.port = endpoint->port;
        if (broker->rack) entry.rack = *broker->rack;
      });
}

// Has the control shard create those of the topics that do not exist, and tells why where that fails. It goes on where
// the connection ends, and stays charged to the call's budget.
base::Task<std::map<std::string, base::Error>> create_on_control(const Call& call, std::vector<std::string> topics);

// Whether the replica on that broker can be reached: the broker is not fenced and the log dir is not lost.
bool is_online(const metadata::Image& image, const metadata::Partition& partition, base::BrokerId replica);

// What is set on a resource itself.
config::ConfigMap overrides_of(const metadata::Image& image, metadata::ResourceType type, std::string_view name);

// Topics of the broker itself, which clients do not write to (org.apache.kafka.common.internals.Topic).
bool is_internal(std::string_view topic);

// What a client that is not held back by an authorizer may do, one bit for each AclOperation.
inline constexpr int32_t kTopicOperations = 0b110111111000;  // read write create delete alter describe (de)configs
inline constexpr int32_t kClusterOperations = 0b1111110100000;
inline constexpr int32_t kGroupOperations = 0b110101001000;

}  // namespace stele::server::handlers
