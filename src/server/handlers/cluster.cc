#include "server/handlers/cluster.h"

#include "broker/control_plane.h"
#include "io/remote.h"
#include "server/held_work.h"

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

base::Task<std::map<std::string, base::Error>> create_on_control(const Call& call, std::vector<std::string> topics) {
  constexpr size_t kBytesPerTopic = 2048;  // in the request, the records and the image, until that is committed
  const size_t bytes = topics.size() * kBytesPerTopic;
  broker::BrokerShard& control = call.broker().peer(broker::kControlShard);
  auto there = [&control, names = std::move(topics)]() { return control.control().create_missing(names); };
  co_return co_await hold_to_the_end(call.broker(), call.budget(), bytes,
                                     io::run_on(call.broker().shard(), control.home(), std::move(there)));
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
