// The active controller's decisions: commands in, metadata records and an answer out. A core: it does no I/O and reads
// no clock. A command changes nothing; replay() alone changes the state, and runs when the records are appended, so
// that the next command sees them. The answer is for the client once the records are committed. When an append is
// fenced, fails or its outcome is unknown, the whole controller is thrown away and loaded anew from the log.
//
// Answers live in the arena that the command was given; nothing in them points into the request.
#pragma once

#include <map>
#include <memory>
#include <memory_resource>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/complaints.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/result.h"
#include "base/uuid.h"
#include "config/broker_config.h"
#include "config/topic_config.h"
#include "metadata/delta.h"
#include "metadata/image.h"
#include "metadata/record.h"
#include "wire/alter_configs_request.h"
#include "wire/alter_configs_response.h"
#include "wire/create_partitions_request.h"
#include "wire/create_partitions_response.h"
#include "wire/create_topics_request.h"
#include "wire/create_topics_response.h"
#include "wire/delete_topics_request.h"
#include "wire/delete_topics_response.h"
#include "wire/incremental_alter_configs_request.h"
#include "wire/incremental_alter_configs_response.h"

namespace stele::controller {

using metadata::Records;

// What a command decided. `records` are appended in one batch; without any, the answer needs no commit of its own.
template <class Response>
struct Decision {
  Records records;
  Response response;
};

struct Options {
  base::BrokerId node{0};
  base::Duration session_timeout = std::chrono::seconds{9};  // broker.session.timeout.ms
  base::Complaints* complaints = nullptr;  // told of limits that clients meet; null for none. Not owned
};

// BrokerRegistrationRequest of Kafka.
struct Registration {
  base::BrokerId id{0};
  base::Uuid incarnation;
  std::vector<metadata::Endpoint> endpoints;
  std::vector<metadata::FeatureRange> features;
  std::optional<std::string> rack;
  std::vector<base::DirectoryId> log_dirs;
  // Of the registration before a clean stop, from .kafka_cleanshutdown; -1 after a crash.
  base::BrokerEpoch previous_epoch{-1};
};

// BrokerHeartbeatRequest of Kafka.
struct Heartbeat {
  base::BrokerId id{0};
  base::BrokerEpoch epoch{-1};
  base::Offset metadata_end{0};  // the next index behind what the broker has applied
  bool want_fence = false;
  bool want_shut_down = false;
};
struct HeartbeatAnswer {
  bool caught_up = false;
  bool fenced = true;
  bool should_shut_down = false;
};

struct ProducerIdBlock {
  int64_t first = 0;
  int32_t count = 0;
};
inline constexpr int32_t kProducerIdBlockSize = 1000;

// Whether anybody may make up resources of this kind; the others are bounded by what they belong to.
inline bool is_free(const metadata::ConfigResource& resource) {
  return resource.type == metadata::ResourceType::kGroup || resource.type == metadata::ResourceType::kClientMetrics;
}

class Controller {
 public:
  // Starts from `image`: what the log holds. Nothing is known of the sessions of brokers yet; each gets a full one.
  Controller(Options options, std::shared_ptr<const config::BrokerConfig> config, metadata::ImagePtr image,
             base::MonoTime now);

  const metadata::ImagePtr& image() const { return image_; }

  // Applies a batch that is being appended. What it touched comes back, for those who follow the image.
  base::Result<metadata::Changes> replay(base::Bytes batch);

  // --- the start of a claim: batches to be appended in this order before any command
  // `bootstrap` are the records of bootstrap.checkpoint, used where the log is new; empty takes the newest levels.
  std::vector<Records> activation(const Records& bootstrap, base::Uuid incarnation,
                                  const std::vector<metadata::Endpoint>& endpoints) const;

  // --- brokers
  // The epoch of the registration. DUPLICATE_BROKER_REGISTRATION, INVALID_REGISTRATION, UNSUPPORTED_VERSION.
  base::Result<Decision<base::BrokerEpoch>> register_broker(const Registration& request, base::MonoTime now) const;
  // STALE_BROKER_EPOCH, BROKER_ID_NOT_REGISTERED.
  base::Result<Decision<HeartbeatAnswer>> heartbeat(const Heartbeat& request, base::MonoTime now);
  base::Result<Decision<bool>> set_cordoned_dirs(base::BrokerId id, std::vector<base::DirectoryId> dirs) const;
  // Fences brokers whose session has run out.
  Records expire_sessions(base::MonoTime now) const;
  // The next time at which expire_sessions() could have something to do; nothing without other brokers.
  std::optional<base::MonoTime> next_expiry() const;
  // Moves the id forward by one block.
  base::Result<Decision<ProducerIdBlock>> allocate_producer_ids(base::BrokerId id, base::BrokerEpoch epoch) const;

  // --- topics
  Decision<wire::CreateTopicsResponse> create_topics(const wire::CreateTopicsRequest& request, base::Random& random,
                                                     std::pmr::memory_resource* arena) const;
  Decision<wire::DeleteTopicsResponse> delete_topics(const wire::DeleteTopicsRequest& request,
                                                     std::pmr::memory_resource* arena) const;
  Decision<wire::CreatePartitionsResponse> create_partitions(const wire::CreatePartitionsRequest& request,
                                                             base::Random& random,
                                                             std::pmr::memory_resource* arena) const;

  // --- configs of topics, brokers and groups
  Decision<wire::IncrementalAlterConfigsResponse> incremental_alter_configs(
      const wire::IncrementalAlterConfigsRequest& request, std::pmr::memory_resource* arena) const;
  Decision<wire::AlterConfigsResponse> alter_configs(const wire::AlterConfigsRequest& request,
                                                     std::pmr::memory_resource* arena) const;
  // server.properties under the dynamic values of the image.
  const config::BrokerConfig& config() const { return *effective_; }

 private:
  struct NewPartition;
  struct TopicPlan;
  struct Changed {
    metadata::ConfigResource resource;
    config::ConfigMap values;  // all overrides of the resource afterwards
  };

  base::Result<TopicPlan> plan_topic(const wire::CreateTopicsRequest::CreatableTopic& topic,
                                     base::Random& random) const;
  base::Result<std::vector<NewPartition>> assigned_partitions(
      const wire::CreateTopicsRequest::CreatableTopic& topic) const;
  base::Result<std::vector<NewPartition>> placed_partitions(int32_t first, int32_t count, int16_t replication,
                                                            base::Random& random) const;
  base::Result<config::ConfigMap> creation_configs(const wire::CreateTopicsRequest::CreatableTopic& topic) const;
  base::Result<void> check_name(std::string_view name) const;
  base::Result<void> check_assignment(const std::vector<base::BrokerId>& replicas,
                                      std::optional<size_t> replication) const;
  base::Result<void> check_partition_total(const wire::CreateTopicsRequest& request) const;
  base::Result<void> check_request_total(int64_t partitions) const;
  base::Result<void> check_room_for(int64_t partitions) const;
  // `planned`: resources that this request already configures.
  base::Result<void> check_room_for_configs(const Changed& changed, size_t& planned) const;
  // POLICY_VIOLATION, told.
  base::Error over(base::Limit limit, std::string text) const;
  // `planned`: what this request already creates.
  base::Result<Records> plan_partitions(const wire::CreatePartitionsRequest::CreatePartitionsTopic& topic,
                                        int32_t planned, base::Random& random) const;
  std::vector<base::BrokerId> active_of(const std::vector<base::BrokerId>& brokers) const;
  metadata::Partition new_partition(const NewPartition& from) const;
  base::DirectoryId directory_for(base::BrokerId broker, std::map<base::DirectoryId, int64_t>& added) const;

  // Records that let go of a broker, or take it back.
  void fence(const metadata::Broker& broker, Records& out) const;
  void unfence(const metadata::Broker& broker, Records& out) const;
  void begin_shutdown(const metadata::Broker& broker, Records& out) const;
  void forget_incarnation(const metadata::Broker& broker, bool clean, Records& out) const;
  bool leads_any(base::BrokerId broker) const;
  int32_t min_isr(const metadata::Topic& topic) const;
  bool unclean_election(const metadata::Topic& topic) const;

  base::Result<Changed> altered(const metadata::ConfigResource& resource,
                                const wire::IncrementalAlterConfigsRequest::AlterConfigsResource& request) const;
  base::Result<Changed> replaced(const metadata::ConfigResource& resource,
                                 const wire::AlterConfigsRequest::AlterConfigsResource& request) const;
  base::Result<void> check_resource(const metadata::ConfigResource& resource) const;
  base::Result<void> check_values(const Changed& changed) const;
  base::Result<Records> config_records(const Changed& changed) const;
  config::ConfigMap overrides_of(const metadata::ConfigResource& resource) const;

  void index(const metadata::Changes& changes, const metadata::Image& before);
  void refresh_config();

  Options options_;
  std::shared_ptr<const config::BrokerConfig> static_config_;
  std::shared_ptr<const config::BrokerConfig> effective_;
  metadata::ImagePtr image_;
  // Indexes of what the image holds: names that collide (`.` and `_` are one), replicas in each directory.
  std::map<std::string, std::set<std::string>> colliding_;
  std::map<base::DirectoryId, int64_t> replicas_in_;
  size_t free_resources_ = 0;  // with configs, whose names a client makes up: groups, subscriptions to metrics
  // When each broker was last heard of.
  std::map<base::BrokerId, base::MonoTime> contacts_;
};

}  // namespace stele::controller
