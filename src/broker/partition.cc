#include "broker/partition.h"

#include <algorithm>

namespace stele::broker {

void SlowestAppend::note(base::MonoTime now, base::Duration took) {
  if (now - since_ >= kSpan) {
    before_ = now - since_ < 2 * kSpan ? slowest_ : base::Duration{0};
    slowest_ = base::Duration{0};
    since_ = now;
  }
  slowest_ = std::max(slowest_, took);
}

base::Duration SlowestAppend::of_late(base::MonoTime now) const {
  if (now - since_ >= 2 * kSpan) return base::Duration{0};
  return std::max(slowest_, before_);
}

Partition::Partition(PartitionKey key, log::TopicPartition topic_partition, PartitionState state, PartitionRules rules)
    : key_(key), topic_partition_(std::move(topic_partition)), name_(topic_partition_.to_string()), state_(state) {
  set_rules(std::move(rules));
}

void Partition::attach(std::unique_ptr<log::PartitionLog> log) {
  log_ = std::move(log);
  high_watermark_ = log_->counted_end();
  log_->high_watermark_moved(high_watermark_);
  bytes_seen_ = log_->counted_bytes();
  if (state_.leader) log_->begin_epoch(state_.leader_epoch);
}

void Partition::retire() {
  state_.leader = false;
  wake_all();
}

void Partition::set_offline() {
  offline_ = true;
  wake_all();
}

void Partition::set_state(const PartitionState& state) {
  const bool changed = state.leader != state_.leader || state.leader_epoch != state_.leader_epoch;
  state_ = state;
  if (!changed) return;
  if (state_.leader && log_ != nullptr) log_->begin_epoch(state_.leader_epoch);
  wake_all();
}

void Partition::set_rules(PartitionRules rules) {
  rules_ = std::move(rules);
  rules_.append.partition = name_;
}

void Partition::set_log_options(const log::LogOptions& options) {
  log_->set_options(options);
  on_counted(*log_);
}

base::Offset Partition::last_stable_offset() const {
  const auto unstable = log_->first_unstable_offset();
  return unstable ? std::min(*unstable, high_watermark_) : high_watermark_;
}

AppendResult Partition::append(base::MutableBytes records, record::AppendOrigin origin, int16_t produce_version,
                               base::Timestamp now, record::Decompressor& decompressor, base::ByteVector& rebuilt) {
  AppendResult result;
  const auto reject = [this, &result](base::ErrorCode code, std::string message) {
    ++traffic_.refused;
    result.code = code;
    result.message = std::move(message);
    return result;
  };
  if (offline_ || log_->failure()) return reject(base::ErrorCode::kKafkaStorageError, "the log dir is offline");
  if (!state_.leader) return reject(base::ErrorCode::kNotLeaderOrFollower, {});
  const bool refused =
      origin == record::AppendOrigin::kClient ? space_ != SpaceLevel::kEnough : space_ == SpaceLevel::kReserveUsed;
  if (refused) {
    ++refused_for_space_;
    return reject(base::ErrorCode::kKafkaStorageError, "the log dir has too little free space");
  }
  record::AppendRules rules = rules_.append;
  rules.origin = origin;
  rules.produce_version = produce_version;
  auto validated = record::validate_append(records, rules, now, decompressor);
  if (!validated) {
    result.record_errors = std::move(validated.error().record_errors);
    // Kafka answers without the start of the log where these were thrown (ReplicaManager.appendRecordsToLeader).
    const base::ErrorCode code = validated.error().code;
    if (!validated.error().of_request && code != base::ErrorCode::kMessageTooLarge &&
        code != base::ErrorCode::kCorruptMessage) {
      result.log_start_offset = log_->log_start_offset();
    }
    return reject(validated.error().code, std::move(validated.error().message));
  }
  result.log_start_offset = log_->log_start_offset();
  base::MutableBytes batch = records.first(validated->bytes.size());
  const base::Offset first = log_->assigned_end();
  if (validated->needs_rebuild) {
    auto built = record::rebuild(*validated, rules, now, first, state_.leader_epoch, decompressor);
    if (!built) return reject(built.error().code, std::move(built.error().message));
    rebuilt = std::move(built->bytes);
    batch = rebuilt;
  } else {
    record::stamp(batch, *validated, first, state_.leader_epoch);
  }
  const auto appended = log_->append(
      {.bytes = batch,
       .leader_epoch = state_.leader_epoch,
       .origin = origin == record::AppendOrigin::kClient ? log::Origin::kClient : log::Origin::kCoordinator,
       .now = now});
  if (!appended.ok()) return reject(appended.error().code, appended.error().message);
  if (!appended->duplicate) {
    traffic_.records_in += static_cast<uint64_t>(validated->record_count);
    traffic_.bytes_in += batch.size();
  }
  result.base_offset = appended->base_offset;
  result.last_offset = appended->last_offset;
  // A repeated batch is answered with the time that the first one had (kafka-observed.md, Produce).
  if (appended->duplicate) {
    result.log_append_time = appended->timestamp;
  } else if (validated->timestamp_type == record::TimestampType::kLogAppendTime) {
    result.log_append_time = now;
  }
  return result;
}

base::ErrorCode Partition::check_leader(int32_t current_leader_epoch) const {
  if (offline_ || log_->failure()) return base::ErrorCode::kKafkaStorageError;
  if (!state_.leader) return base::ErrorCode::kNotLeaderOrFollower;
  if (current_leader_epoch == base::kNoLeaderEpoch.value()) return base::ErrorCode::kNone;
  if (current_leader_epoch < state_.leader_epoch.value()) return base::ErrorCode::kFencedLeaderEpoch;
  if (current_leader_epoch > state_.leader_epoch.value()) return base::ErrorCode::kUnknownLeaderEpoch;
  return base::ErrorCode::kNone;
}

void Partition::wake_all() {
  while (PartitionWatch* watch = watches_.pop_front()) watch->signal_->set();
}

void Partition::on_counted(log::PartitionLog& log) {
  // Lower only where `synced` was set a moment ago: what was read before stays read.
  if (log.counted_end() <= high_watermark_) return;
  high_watermark_ = log.counted_end();
  log.high_watermark_moved(high_watermark_);
  const uint64_t bytes = log.counted_bytes();
  const int64_t grown = bytes > bytes_seen_ ? static_cast<int64_t>(bytes - bytes_seen_) : 0;
  bytes_seen_ = bytes;
  watches_.for_each([grown](PartitionWatch& watch) {
    *watch.bytes_wanted_ -= grown;
    if (*watch.bytes_wanted_ > 0) return;
    watch.unlink();
    watch.signal_->set();
  });
}

void Partition::on_failed(log::PartitionLog&, const base::Error& error) {
  wake_all();
  if (on_failed_) on_failed_(*this, error);
}

}  // namespace stele::broker
