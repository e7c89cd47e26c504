// The group coordinators of one shard: one for each partition of __consumer_offsets that the shard owns and leads.
// Feeds them commands, the log's progress and time, and brings each reply to the request that waits for it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/executor.h"
#include "base/task.h"
#include "broker/broker_shard.h"
#include "broker/partition_key.h"
#include "coordinator/group/commands.h"
#include "io/shard.h"

namespace stele::broker {

inline constexpr std::string_view kOffsetsTopic = "__consumer_offsets";

// The partition that coordinates a group; nothing while the topic does not exist.
std::optional<PartitionKey> group_partition(const ClusterView& view, std::string_view group_id);

// Used on its shard only.
class CoordinatorHost {
 public:
  explicit CoordinatorHost(BrokerShard& shard);
  ~CoordinatorHost();
  CoordinatorHost(const CoordinatorHost&) = delete;
  CoordinatorHost& operator=(const CoordinatorHost&) = delete;

  // Compares what runs with what the shard hosts and leads: loads what is new, drops what is gone or has another leader
  // epoch. Called after each change of the view or of a partition; calling it too often does no harm.
  void refresh();

  // Topics that are gone from the view: what groups committed for them goes too. What still loads forgets them once it
  // has loaded. Nothing is repeated after a crash: what is left then carries the id of the deleted topic, is answered
  // to no one, and expires.
  void forget_topics(const std::vector<std::string>& names);

  // Ends with the coordinator's reply. The request itself goes on where the task is destroyed.
  base::Task<coordinator::GroupReplyBody> submit(PartitionKey key, coordinator::GroupCommand command);
  // One reply for each coordinator of this shard.
  base::Task<std::vector<coordinator::GroupReplyBody>> submit_to_all(coordinator::GroupCommand command);

 private:
  class Hosted;
  struct Waiting;

  std::shared_ptr<Waiting> start(Hosted* hosted, coordinator::GroupCommand command);
  void deliver(std::vector<coordinator::GroupReply> replies);
  void rearm();
  base::Task<void> keep_time();

  BrokerShard& shard_;
  uint64_t last_request_ = 0;
  std::unordered_map<coordinator::RequestId, std::shared_ptr<Waiting>> waiting_;
  std::map<PartitionKey, std::shared_ptr<Hosted>> hosted_;
  std::unique_ptr<io::Timer> timer_;
  std::optional<base::MonoTime> armed_;
  base::Signal due_;
  base::TaskScope scope_;
};

// Asks the coordinator of a group, on whichever shard it lives. NOT_COORDINATOR where it is not on this broker.
base::Task<coordinator::GroupReplyBody> ask_coordinator(BrokerShard& home, std::string group_id,
                                                        coordinator::GroupCommand command);
// Asks all coordinators of this broker.
base::Task<std::vector<coordinator::GroupReplyBody>> ask_all_coordinators(BrokerShard& home,
                                                                          coordinator::GroupCommand command);

}  // namespace stele::broker
