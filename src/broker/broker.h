// The broker as a whole, from the control shard's point of view: it opens the log dirs, runs the controller, gives
// partitions to shards, keeps all shards at the same view of the cluster, and stops cleanly.
#pragma once

#include <deque>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "broker/broker_shard.h"
#include "broker/control_plane.h"
#include "broker/controller_host.h"
#include "broker/hosting.h"
#include "broker/log_dirs.h"
#include "broker/opening.h"

namespace stele::broker {

struct BrokerOptions {
  std::shared_ptr<const config::BrokerConfig> config;
  std::vector<metadata::Endpoint> endpoints;             // what clients are told, by listener
  std::vector<metadata::Endpoint> controller_endpoints;  // what the registration of the controller says
};

// How far a start has come, for those who ask over HTTP.
struct StartProgress {
  size_t partitions_total = 0;
  size_t partitions_ready = 0;  // those that could not be opened included
  bool serving = false;         // clients are served, from the partitions that are ready
  bool complete() const { return serving && partitions_ready == partitions_total; }
};

// How a log dir stands, for operators.
struct DirStatus {
  std::string path;
  bool online = true;
  std::string failure;  // why it is not: the write or sync that failed
  SpaceLevel level = SpaceLevel::kEnough;
  io::Space space;
  uint64_t space_limit = 0;
  size_t strays = 0;
  Opening::Progress opening;
  DirCounts counts;
};

class Broker final : public ControlPlane {
 public:
  explicit Broker(BrokerShard& control);

  // Locks and reads the log dirs, formats them at a first start, and reads the metadata log. What this finds wrong is
  // for a person to mend: INVALID_CONFIG, or KAFKA_STORAGE_ERROR where the disk is to blame.
  base::Task<base::Result<void>> open_dirs(std::shared_ptr<const config::BrokerConfig> config);
  // Known from open_dirs() on.
  const BrokerIdentity& identity() const { return identity_; }
  // Becomes the active controller, registers, and takes the leadership of its partitions, which it opens meanwhile.
  // Clients may be served once it returns; partitions that are not open yet answer NOT_LEADER_OR_FOLLOWER, on which
  // clients try again.
  base::Task<base::Result<void>> start(BrokerOptions options);
  // Stops as Kafka's controlled shutdown does and leaves clean log dirs. No request is worked on any more.
  base::Task<void> stop();

  // Told of the configuration whenever it was changed at run time.
  void on_config_changed(std::function<void(const config::BrokerConfig&)> listener) {
    config_listener_ = std::move(listener);
  }

  StartProgress progress() const;
  // Called once every partition is open, or could not be opened: now, where that is so already.
  void when_complete(std::function<void()> listener);
  // By log dir; empty before the log dirs are open.
  base::Task<std::vector<DirStatus>> dir_status();
  // Set once the broker cannot go on: the metadata log or the last log dir failed.
  base::Signal& fatal() { return fatal_; }
  const std::string& fatal_reason() const { return fatal_reason_; }

  base::Task<std::map<std::string, base::Error>> create_missing(std::vector<std::string> topics) override;
  base::Task<base::Result<base::ProducerId>> next_producer_id() override;
  base::Task<void> catch_up() override;
  base::Task<std::vector<Standing>> standings() override;
  ControllerHost& controller() override { return *controller_; }
  LogDirs& log_dirs() override { return dirs_; }

 private:
  base::Task<base::Result<void>> open_metadata_dir();
  base::Task<base::Result<void>> check_dirs();
  base::Result<void> check_meta(const log::LogDir& dir);
  base::Task<base::Result<void>> format_dirs();
  const log::LogDir& metadata_dir();
  const log::LogDir& first_dir();
  base::Task<base::Result<void>> prepare_shards();
  base::Task<base::Result<void>> register_here();
  base::Task<base::Result<void>> host_found();
  base::Task<base::Result<controller::HeartbeatAnswer>> heartbeat();
  base::Task<void> leave();

  // Following the image.
  base::Task<void> follow();
  base::Task<void> apply(ControllerHost::Progress progress);
  base::Task<void> remove_topics(const metadata::Changes& changes);
  base::Task<void> remove_partition(PartitionKey key, base::ShardId shard, log::TopicPartition name,
                                    base::Duration delay);
  base::Task<std::string> rename_deleted(Removed removed, PartitionKey key, log::TopicPartition name,
                                         base::Uuid unique);
  base::Task<void> remove(size_t log_dir, std::string directory, base::Duration delay);
  base::Task<void> remove_later(size_t log_dir, std::string directory, base::Duration delay);
  void plan(const ControllerHost::Progress& progress, std::vector<std::vector<HostOrder>>& host,
            std::vector<std::vector<UpdateOrder>>& update);
  void plan_topic(const metadata::Image& image, const metadata::Topic& topic, const std::set<int32_t>* only,
                  std::vector<std::vector<HostOrder>>& host, std::vector<std::vector<UpdateOrder>>& update);
  base::Task<void> hosted(HostOutcome outcome);
  std::vector<size_t> parallel_opens() const;
  base::Task<void> host_all(std::vector<std::vector<HostOrder>> orders);
  base::Task<void> publish(metadata::ImagePtr image, std::vector<std::string> gone);
  size_t place(const metadata::Partition& partition, const PartitionKey& key, const log::TopicPartition& name);
  base::ShardId next_shard();
  void refresh_config(const metadata::Image& image);

  // What time brings.
  base::Task<void> keep_alive();
  base::Task<void> keep_checkpoints();
  base::Task<void> write_checkpoints(bool all);
  base::Task<void> keep_tidy();

  base::Task<bool> dir_failed(size_t log_dir, std::string reason);
  base::Task<void> dir_is_offline(size_t log_dir);
  base::Task<bool> log_failed(base::ShardId shard, PartitionKey key, size_t log_dir, base::Error error);

  // Log dirs that run out of space.
  base::Task<void> keep_space();
  base::Task<void> tell_space(size_t log_dir);
  base::Task<void> open_again(PartitionKey key);
  base::Task<void> open_starved(size_t log_dir);
  void die(std::string reason);

  BrokerShard& control_;
  BrokerOptions options_;
  BrokerIdentity identity_;
  LogDirs dirs_;
  std::unique_ptr<ControllerHost> controller_;
  std::optional<size_t> metadata_dir_;           // the log dir that holds the metadata log
  std::unique_ptr<log::LogDir> metadata_apart_;  // or its dir, where metadata.log.dir is none of log.dirs
  base::BrokerEpoch epoch_{-1};
  std::shared_ptr<const config::BrokerConfig> config_;  // with what was set at run time
  std::function<void(const config::BrokerConfig&)> config_listener_;
  Opening opening_;
  ShardMap shards_;
  std::vector<size_t> per_shard_;  // partitions hosted on each
  int64_t removals_waiting_ = 0;   // deleted partitions whose files wait for file.delete.delay.ms
  std::vector<size_t> per_dir_;    // and in each log dir
  uint64_t view_epoch_ = 0;
  uint64_t edit_ = 1;
  base::Offset applied_;
  base::IntrusiveList<base::Waiter> catching_up_;
  base::Signal progress_signal_;
  controller::ProducerIdBlock producer_ids_;
  // Partitions that could not be opened for want of space, with what the checkpoints say of them.
  struct Starved {
    size_t log_dir = 0;
    base::Offset recovery_point;
    base::Offset log_start;
  };
  std::map<PartitionKey, Starved> starved_;
  std::set<PartitionKey> failed_opening_;  // they met a full disk after they were opened, before hosted() heard of that
  std::vector<SpaceLevel> told_space_;     // what the shards know, by log dir
  bool serving_ = false;
  bool checkpointing_ = false;
  base::Signal checkpointed_;     // set when no longer so
  base::Signal checkpoint_over_;  // the same, for stop()
  bool finding_ = false;          // plan_topic() is about what earlier starts placed
  std::function<void()> complete_listener_;
  base::Signal fatal_;
  std::string fatal_reason_;
  bool stopping_ = false;
  base::TaskScope background_;
};

}  // namespace stele::broker
