// One partition that this broker hosts: its log, its high watermark, and who waits for it to grow.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/executor.h"
#include "base/ids.h"
#include "base/intrusive_list.h"
#include "base/result.h"
#include "broker/partition_key.h"
#include "broker/space_watch.h"
#include "log/file_names.h"
#include "log/partition_log.h"
#include "record/decompressor.h"
#include "record/validator.h"

namespace stele::broker {

// The part of a topic's configuration that bears on appends and on acknowledgements.
struct PartitionRules {
  record::AppendRules append;  // `partition` is set by the partition itself
  bool delete_records = true;  // not where the topic is compacted only
};

// Where a partition stands in the cluster, as the metadata says.
struct PartitionState {
  base::LeaderEpoch leader_epoch;
  int32_t partition_epoch = 0;
  bool leader = false;  // this broker leads it
};

struct AppendResult {
  base::ErrorCode code = base::ErrorCode::kNone;
  std::string message;
  std::vector<record::RecordError> record_errors;
  base::Offset base_offset = base::kNoOffset;
  base::Offset last_offset = base::kNoOffset;
  base::Timestamp log_append_time = base::kNoTimestamp;
  base::Offset log_start_offset = base::kNoOffset;
};

// Since the partition was opened.
struct PartitionTraffic {
  uint64_t records_in = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t refused = 0;  // batches of clients that were not appended
};

// The longest that a batch took of late until it counted.
class SlowestAppend {
 public:
  static constexpr base::Duration kSpan = std::chrono::seconds{10};
  void note(base::MonoTime now, base::Duration took);
  // Of the last one to two spans.
  base::Duration of_late(base::MonoTime now) const;

 private:
  base::MonoTime since_;
  base::Duration slowest_{0};
  base::Duration before_{0};
};

class Partition;

// Waits in a partition until so many further bytes can be read there, or its state changes. One signal may serve many.
class PartitionWatch : public base::ListNode {
 public:
  PartitionWatch(base::Signal& signal, int64_t& bytes_wanted) : signal_(&signal), bytes_wanted_(&bytes_wanted) {}

 private:
  friend class Partition;
  base::Signal* signal_;
  int64_t* bytes_wanted_;  // shared by the watches of one fetch
};

// Owned by one shard through shared_ptr: whoever waits for its log holds it, so that it outlives a deletion.
class Partition final : public log::LogObserver {
 public:
  // Hears that the log failed.
  using OnFailed = std::function<void(const Partition&, const base::Error&)>;

  Partition(PartitionKey key, log::TopicPartition topic_partition, PartitionState state, PartitionRules rules);

  // The log was opened with this object as its observer.
  void attach(std::unique_ptr<log::PartitionLog> log);
  // Null where it could not be opened: the partition is offline then.
  log::PartitionLog* log() const { return log_.get(); }
  // No longer served: appends and reads are answered NOT_LEADER_OR_FOLLOWER, and all who wait are woken.
  void retire();
  // Its log dir failed: KAFKA_STORAGE_ERROR from now on.
  void set_offline();
  // How much room its log dir has: appends are refused where there is too little.
  void set_space(SpaceLevel level) { space_ = level; }
  SpaceLevel space() const { return space_; }
  bool offline() const { return offline_; }
  // Appends that were refused for want of space.
  uint64_t refused_for_space() const { return refused_for_space_; }

  const PartitionTraffic& traffic() const { return traffic_; }
  void count_read(size_t bytes) { traffic_.bytes_out += bytes; }
  SlowestAppend& slowest_append() { return slowest_append_; }
  const SlowestAppend& slowest_append() const { return slowest_append_; }

  const PartitionKey& key() const { return key_; }
  const std::string& name() const { return name_; }  // "topic-0"
  const log::TopicPartition& topic_partition() const { return topic_partition_; }
  size_t log_dir() const { return log_dir_; }  // index into the broker's log dirs
  void set_log_dir(size_t index) { log_dir_ = index; }
  const PartitionState& state() const { return state_; }
  void set_state(const PartitionState& state);
  void set_rules(PartitionRules rules);
  // Of the log; what counts in it may be another end than before.
  void set_log_options(const log::LogOptions& options);

  // Smallest end over the in-sync replicas; with one replica, what counts in its log (PartitionLog::counted_end).
  base::Offset high_watermark() const { return high_watermark_; }
  base::Offset last_stable_offset() const;
  bool may_delete_records() const { return rules_.delete_records; }

  // Validates the records of one Produce request and queues their write; never suspends. `records` stay in place until
  // the log's wait_counted(last_offset) answers; where the batch had to be made anew its bytes are in `rebuilt`,
  // likewise.
  AppendResult append(base::MutableBytes records, record::AppendOrigin origin, int16_t produce_version,
                      base::Timestamp now, record::Decompressor& decompressor, base::ByteVector& rebuilt);

  // NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH or UNKNOWN_LEADER_EPOCH (KIP-320) where the caller must look again.
  base::ErrorCode check_leader(int32_t current_leader_epoch) const;

  void watch(PartitionWatch& watch) { watches_.push_back(watch); }
  // Wakes all who wait: the log went, or the leader changed.
  void wake_all();

  void on_counted(log::PartitionLog& log) override;
  void on_failed(log::PartitionLog& log, const base::Error& error) override;
  void set_on_failed(OnFailed on_failed) { on_failed_ = std::move(on_failed); }

 private:
  PartitionKey key_;
  log::TopicPartition topic_partition_;
  std::string name_;
  PartitionState state_;
  bool offline_ = false;
  SpaceLevel space_ = SpaceLevel::kEnough;
  uint64_t refused_for_space_ = 0;
  PartitionTraffic traffic_;
  SlowestAppend slowest_append_;
  PartitionRules rules_;
  size_t log_dir_ = 0;
  std::unique_ptr<log::PartitionLog> log_;
  base::Offset high_watermark_;
  uint64_t bytes_seen_ = 0;
  base::IntrusiveList<PartitionWatch> watches_;
  OnFailed on_failed_;
};

}  // namespace stele::broker
