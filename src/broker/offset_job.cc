#include "broker/offset_job.h"

namespace stele::broker {

namespace {

using base::ErrorCode;

struct NoParams {};

// Runs `work` for the wanted items only, each on its owner's shard.
template <class Item, class Params>
base::Task<void> for_wanted(BrokerShard& home, std::vector<Item>& items, Params params,
                            detail::WorkHere<Item, Params> work) {
  std::vector<Item> wanted;
  for (const Item& item : items) {
    if (item.wanted) wanted.push_back(item);
  }
  co_await on_owners(home, wanted, params, work);
  size_t next = 0;
  for (Item& item : items) {
    if (item.wanted) item = std::move(wanted[next++]);
  }
}

// The latest offset for a reader, with the epoch that it belongs to.
log::TimestampOffset latest(const Partition& partition, OffsetParams params) {
  base::Offset offset = partition.log()->assigned_end();
  if (params.for_client) offset = params.read_committed ? partition.last_stable_offset() : partition.high_watermark();
  return {base::kNoTimestamp, offset, partition.state().leader_epoch};
}

log::TimestampOffset earliest(const Partition& partition) {
  const base::Offset start = partition.log()->log_start_offset();
  return {base::kNoTimestamp, start, partition.log()->epochs().epoch_at(start).value_or(base::kNoLeaderEpoch)};
}

base::Task<base::Result<log::TimestampOffset>> look_up(const Partition& partition, int64_t timestamp,
                                                       OffsetParams params) {
  log::PartitionLog& log = *partition.log();
  if (timestamp == kLatest) co_return latest(partition, params);
  if (timestamp == kEarliest || timestamp == kEarliestLocal) co_return earliest(partition);
  if (timestamp < 0 && timestamp != kMaxTimestamp) co_return log::TimestampOffset{};
  const base::Offset limit = latest(partition, params).offset;
  base::Result<std::optional<log::TimestampOffset>> found{std::optional<log::TimestampOffset>{}};
  if (timestamp == kMaxTimestamp) {
    found = co_await log.offset_of_max_timestamp();
  } else {
    found = co_await log.offset_for_timestamp(base::Timestamp{timestamp}, limit);
  }
  if (!found.ok()) co_return found.error();
  if (!*found || (*found)->offset >= limit) co_return log::TimestampOffset{};
  co_return **found;
}

base::Task<std::vector<OffsetItem>> look_up_here(BrokerShard& at, std::vector<OffsetItem> items, OffsetParams params) {
  for (OffsetItem& item : items) {
    const auto partition = at.find(item.key);
    if (partition == nullptr) continue;
    item.code = partition->check_leader(item.current_leader_epoch);
    if (item.code != ErrorCode::kNone) continue;
    auto found = co_await look_up(*partition, item.timestamp, params);
    item.code = found.code();
    if (found.ok()) item.found = *found;
  }
  co_return items;
}

base::Task<std::vector<EpochItem>> look_up_epochs_here(BrokerShard& at, std::vector<EpochItem> items, NoParams) {
  for (EpochItem& item : items) {
    const auto partition = at.find(item.key);
    if (partition == nullptr) continue;
    item.code = partition->check_leader(item.current_leader_epoch);
    if (item.code != ErrorCode::kNone) continue;
    if (item.leader_epoch == partition->state().leader_epoch.value()) {
      item.found_epoch = item.leader_epoch;
      item.end_offset = partition->log()->assigned_end();
      continue;
    }
    const auto end = partition->log()->end_offset_for_epoch(base::LeaderEpoch{item.leader_epoch});
    if (!end) continue;
    item.found_epoch = end->epoch.value();
    item.end_offset = end->end;
  }
  co_return items;
}

base::Task<std::vector<DeleteItem>> delete_here(BrokerShard& at, std::vector<DeleteItem> items, NoParams) {
  for (DeleteItem& item : items) {
    const auto partition = at.find(item.key);
    if (partition == nullptr) continue;
    item.code = partition->check_leader(-1);
    if (item.code != ErrorCode::kNone) continue;
    if (!partition->may_delete_records()) {
      item.code = ErrorCode::kPolicyViolation;
      continue;
    }
    const base::Offset high_watermark = partition->high_watermark();
    const base::Offset before = item.before_offset == -1 ? high_watermark : base::Offset{item.before_offset};
    if (before > high_watermark || before < base::Offset{0}) {
      item.code = ErrorCode::kOffsetOutOfRange;
      continue;
    }
    const auto done = co_await partition->log()->advance_log_start(before);
    item.code = done.code();
    if (done.ok()) item.low_watermark = partition->log()->log_start_offset();
  }
  co_return items;
}

}  // namespace

base::Task<void> look_up_offsets(BrokerShard& home, std::vector<OffsetItem>& items, OffsetParams params) {
  co_await for_wanted(home, items, params, &look_up_here);
}

base::Task<void> look_up_epochs(BrokerShard& home, std::vector<EpochItem>& items) {
  co_await for_wanted(home, items, NoParams{}, &look_up_epochs_here);
}

base::Task<void> delete_records(BrokerShard& home, std::vector<DeleteItem>& items) {
  co_await for_wanted(home, items, NoParams{}, &delete_here);
}

}  // namespace stele::broker
