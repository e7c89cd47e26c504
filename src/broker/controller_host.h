// The controller of this process: its core, the metadata log it writes, and what has been committed of it. On
// kControlShard.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "base/executor.h"
#include "base/result.h"
#include "base/task.h"
#include "controller/controller.h"
#include "io/shard.h"
#include "metadata/delta.h"
#include "metadata/metadata_log.h"
#include "metadata/snapshot.h"

namespace stele::broker {

struct SnapshotOptions {
  uint64_t bytes_between = 20 << 20;                    // metadata.log.max.record.bytes.between.snapshots
  base::Duration interval_max = std::chrono::hours{1};  // metadata.log.max.snapshot.interval.ms; zero: never by time
};

class ControllerHost {
 public:
  // Reads the newest snapshot and all entries behind it; writes nothing.
  static base::Task<base::Result<std::unique_ptr<ControllerHost>>> load(io::Shard& shard,
                                                                        std::unique_ptr<metadata::MetadataLog> log,
                                                                        SnapshotOptions options);

  // What the log held when it was loaded, and later what is committed. Never null.
  const metadata::ImagePtr& image() const { return committed_; }

  // Claims the log and writes what a controller writes first. Commands may be given from then on.
  base::Task<base::Result<void>> activate(controller::Options options,
                                          std::shared_ptr<const config::BrokerConfig> config,
                                          const metadata::Records& bootstrap, base::Uuid incarnation,
                                          const std::vector<metadata::Endpoint>& endpoints);

  // Decides by it; what was decided goes to commit() without waiting in between.
  controller::Controller& core() { return *core_; }
  // Appends the records and answers once they are committed. NOT_CONTROLLER after a failure: the host is over then.
  template <class Response>
  base::Task<base::Result<Response>> commit(controller::Decision<Response> decision) {
    auto done = co_await append(decision.records);
    if (!done.ok()) co_return std::move(done).error();
    co_return std::move(decision.response);
  }
  base::Task<base::Result<void>> append(const metadata::Records& records);

  // Everything that was committed since the last call. One follower; its signal is set when there is something to take.
  struct Progress {
    metadata::ImagePtr image;
    metadata::Changes changes;
  };
  void follow(base::Signal* signal) { follower_ = signal; }
  Progress take_progress();
  const std::optional<base::Error>& failure() const { return failure_; }

  // Commits wait for room on a full disk, but for those from here on.
  void stop_waiting_for_space() { log_->set_waits_for_space(false); }

  // To be called now and then: writes a snapshot where one is due.
  void tend();

 private:
  ControllerHost(io::Shard& shard, std::unique_ptr<metadata::MetadataLog> log, SnapshotOptions options);
  base::Task<base::Result<void>> read_all();
  base::Task<void> write_snapshot(metadata::ImagePtr image);
  // Publishes every batch that the log has committed, in their order, whatever the order in which their waits end.
  void publish();
  base::Error fail(std::string reason);

  io::Shard& shard_;
  std::unique_ptr<metadata::MetadataLog> log_;
  SnapshotOptions options_;
  std::unique_ptr<controller::Controller> core_;
  metadata::ImagePtr committed_;
  struct Appended {
    metadata::ImagePtr image;
    metadata::Changes changes;
  };
  std::deque<Appended> appended_;  // not committed yet
  metadata::Changes changes_;      // since the follower last took them
  base::Signal* follower_ = nullptr;
  base::LeaderEpoch epoch_;
  std::optional<base::Error> failure_;
  uint64_t bytes_since_snapshot_ = 0;
  base::MonoTime last_snapshot_;
  bool writing_snapshot_ = false;
  base::TaskScope scope_;
};

}  // namespace stele::broker
