#include "server/handlers/cluster.h"

namespace stele::server::handlers {

TopicLookup find_topic(const Call& call, bool by_id, std::string_view name, const base::TopicId& id) {
  const metadata::Image& image = call.broker().view()->image();
  TopicLookup found;
  found.topic = by_id ? image.topic(id) : image.topic(name);
  if (found.topic == nullptr) {
    found.code = by_id ? base::ErrorCode::kUnknownTopicId : base::ErrorCode::kUnknownTopicOrPartition;
  }
  return found;
}

base::ErrorCode check_partition(const TopicLookup& found, base::PartitionIndex index) {
  if (found.topic == nullptr) return found.code;
  return found.topic->find(index) != nullptr ? base::ErrorCode::kNone : base::ErrorCode::kUnknownTopicOrPartition;
}

const metadata::Endpoint* endpoint_for(const Call& call, const metadata::Broker& broker) {
  return broker.endpoint(call.connection().listener);
}

bool is_online(const metadata::Image& image, const metadata::Partition& partition, base::BrokerId replica) {
  const metadata::Broker* broker = image.broker(replica);
  return broker != nullptr && !broker->fenced && broker->has_online_dir(partition.directory_of(replica));
}

config::ConfigMap overrides_of(const metadata::Image& image, metadata::ResourceType type, std::string_view name) {
  config::ConfigMap overrides;
  const metadata::ConfigMap* set = image.config_of({type, std::string{name}});
  if (set == nullptr) return overrides;
  for (const auto& [key, value] : *set) overrides.emplace(key, value.value);
  return overrides;
}

bool is_internal(std::string_view topic) {
  return topic == "__consumer_offsets" || topic == "__transaction_state" || topic == "__share_group_state";
}

}  // namespace stele::server::handlers
