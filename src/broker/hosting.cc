#include "broker/hosting.h"

#include <cerrno>

#include "broker/coordinator_host.h"

namespace stele::broker {

namespace {

constexpr base::Duration kFileIdle = std::chrono::seconds{60};

Standing standing_of(const Partition& partition) {
  const log::PartitionLog& log = *partition.log();
  return {.key = partition.key(),
          .name = partition.topic_partition(),
          .log_dir = partition.log_dir(),
          .recovery_point = log.recovery_point(),
          .end = log.assigned_end(),
          .log_start = log.log_start_to_checkpoint(),
          .high_watermark = partition.high_watermark(),
          .size_bytes = log.size_bytes(),
          .failed = log.failure().has_value()};
}

base::Task<base::Result<std::unique_ptr<log::PartitionLog>>> open_log(BrokerShard& at, const HostOrder& order,
                                                                      Partition& partition) {
  if (order.offline) co_return base::Error{base::ErrorCode::kKafkaStorageError, "the log dir is offline"};
  if (order.stale_name) {
    co_return base::Error{base::ErrorCode::kKafkaStorageError,
                          "no space for the checkpoints, which speak of an earlier topic of its name", ENOSPC};
  }
  log::OpenArgs args;
  args.shard = &at.shard();
  args.log_dir = at.directory(order.log_dir);
  args.name = partition.name();
  args.topic_id = order.key.topic;
  args.options = order.rules.log;
  args.recovery_point = order.recovery_point;
  args.log_start_offset = order.log_start;
  args.clean = order.clean;
  args.write_again = args.options.synced;
  args.owner_syncs_new = order.sync_later;
  args.observer = &partition;
  args.journal = at.journal(order.log_dir);
  args.open_files = &at.open_files();
  co_return co_await log::PartitionLog::open(std::move(args));
}

// Takes orders from the front of the list until none is left.
base::Task<void> host_some(BrokerShard& at, std::vector<HostOrder>& orders, size_t& next,
                           std::vector<HostOutcome>& outcomes) {
  while (next < orders.size()) {
    HostOrder order = std::move(orders[next++]);
    outcomes.push_back(co_await host_one_here(at, std::move(order)));
  }
}

// The same of partitions that are to be closed.
base::Task<void> close_some(BrokerShard& at, const std::vector<std::shared_ptr<Partition>>& partitions, size_t& next,
                            std::vector<Standing>& all) {
  while (next < partitions.size()) {
    const auto partition = partitions[next++];
    if (partition->log() == nullptr) continue;
    const auto closed = co_await partition->log()->close_clean(true);
    Standing standing = standing_of(*partition);
    if (!closed.ok()) {
      standing.failed = true;
      at.shard().log().error("{}: not closed cleanly: {}", partition->name(), closed.error().message);
    }
    all.push_back(std::move(standing));
  }
}

}  // namespace

base::Task<HostOutcome> host_one_here(BrokerShard& at, HostOrder order) {
  HostOutcome outcome{order.key, order.name, order.log_dir, std::nullopt, order.recovery_point, order.log_start};
  if (at.find(order.key) != nullptr) co_return outcome;
  auto partition = std::make_shared<Partition>(order.key, order.name, order.state, order.rules.partition);
  partition->set_log_dir(order.log_dir);
  partition->set_on_failed(at.on_log_failed());
  auto log = co_await open_log(at, order, *partition);
  if (log.ok()) {
    outcome.to_sync = (*log)->is_unsynced_new();
    partition->attach(*std::move(log));
  } else {
    partition->set_offline();
    outcome.error = std::move(log).error();
  }
  at.add(std::move(partition));
  const bool offsets = order.name.topic == kOffsetsTopic;
  if (offsets && at.view() != nullptr) at.coordinators().refresh();
  co_return outcome;
}

base::Task<std::vector<HostOutcome>> host_here(BrokerShard& at, std::vector<HostOrder> orders, size_t at_once) {
  std::vector<HostOutcome> outcomes;
  size_t next = 0;
  base::TaskScope workers{at.shard().executor(), [&at](std::exception_ptr fault) { at.home().on_fault(fault); }};
  for (size_t i = 0; i < at_once; ++i) workers.spawn(host_some(at, orders, next, outcomes));
  co_await workers.join();
  co_return outcomes;
}

base::Task<std::optional<LetGo>> let_go_here(BrokerShard& at, PartitionKey key) {
  const auto partition = at.find(key);
  if (partition == nullptr) co_return std::nullopt;
  log::PartitionLog* log = partition->log();
  if (log != nullptr && !log->failure()) co_return std::nullopt;
  at.take(key);
  partition->retire();
  if (log == nullptr) co_return LetGo{partition->log_dir(), {}, {}};
  co_await log->settled();
  co_return LetGo{partition->log_dir(), log->recovery_point(), log->log_start_offset()};
}

base::Task<bool> set_space_here(BrokerShard& at, size_t log_dir, SpaceLevel level) {
  at.set_space(log_dir, level);
  co_return true;
}

base::Task<bool> update_here(BrokerShard& at, std::vector<UpdateOrder> orders) {
  for (UpdateOrder& order : orders) {
    const auto partition = at.find(order.key);
    if (partition == nullptr) continue;
    partition->set_state(order.state);
    partition->set_rules(std::move(order.rules.partition));
    if (partition->log() != nullptr) partition->set_log_options(order.rules.log);
  }
  co_return true;
}

base::Task<bool> set_view_here(BrokerShard& at, std::shared_ptr<const ClusterView> view,
                               std::vector<std::string> gone) {
  at.set_view(std::move(view));
  if (!gone.empty() && at.view()->image().topic(kOffsetsTopic) != nullptr) at.coordinators().forget_topics(gone);
  co_return true;
}

base::Task<Removed> remove_here(BrokerShard& at, PartitionKey key, base::Uuid unique) {
  const auto partition = at.take(key);
  if (partition == nullptr) co_return Removed{};
  partition->retire();
  Removed removed{partition->log_dir(), {}, {}};
  log::PartitionLog* log = partition->log();
  if (log == nullptr) co_return removed;
  auto renamed = co_await log->mark_deleted(unique);
  if (renamed.ok()) {
    removed.directory = *std::move(renamed);
  } else {
    removed.error = std::move(renamed).error();
    co_await log->settled();
  }
  co_return removed;
}

base::Task<bool> drop_journal_here(BrokerShard& at, size_t log_dir, PartitionKey key, log::TopicPartition name) {
  if (const auto journal = at.journal(log_dir)) journal->drop(key.topic, name.to_string());
  co_return true;
}

base::Task<std::vector<Standing>> standings_here(BrokerShard& at) {
  std::vector<Standing> all;
  for (const auto& partition : at.partitions()) {
    if (partition->log() != nullptr) all.push_back(standing_of(*partition));
  }
  co_return all;
}

DirCounts& DirCounts::operator+=(const DirCounts& other) {
  partitions += other.partitions;
  partitions_offline += other.partitions_offline;
  bytes += other.bytes;
  damaged_batches += other.damaged_batches;
  corrupt_refusals += other.corrupt_refusals;
  space_refusals += other.space_refusals;
  return *this;
}

base::Task<std::vector<DirCounts>> counts_here(BrokerShard& at, size_t log_dirs) {
  std::vector<DirCounts> counts(log_dirs);
  for (const auto& partition : at.partitions()) {
    DirCounts& dir = counts.at(partition->log_dir());
    ++dir.partitions;
    const log::PartitionLog* log = partition->log();
    if (partition->offline() || log == nullptr || log->failure()) ++dir.partitions_offline;
    if (log != nullptr) dir.bytes += log->size_bytes();
    if (log != nullptr) dir.damaged_batches += log->damage().places.size();
  }
  for (size_t i = 0; i < log_dirs; ++i) {
    const BrokerShard::Refusals refused = at.refusals(i);
    counts[i].corrupt_refusals = refused.corrupt;
    counts[i].space_refusals = refused.space;
  }
  co_return counts;
}

base::Task<bool> tend_here(BrokerShard& at, bool retention) {
  for (const auto& journal : at.journals()) {
    if (journal) journal->tend();
  }
  for (const auto& partition : at.partitions()) {
    if (partition->log() == nullptr || partition->log()->failure()) continue;
    log::PartitionLog& log = *partition->log();
    const base::Timestamp now = at.shard().clock().wall();
    base::Result<void> done;
    // A disk that is near full waits neither for the next round nor for readers of deleted files: those keep them open.
    const bool hurry = partition->space() != SpaceLevel::kEnough;
    if (retention || hurry) {
      const auto deleted = co_await log.apply_retention(now, partition->high_watermark());
      if (!deleted.ok()) done = deleted.error();
    }
    log.expire_producers(now);
    if (done.ok()) done = co_await log.sweep(hurry ? base::Timestamp{INT64_MAX} : now);
    const bool early = at.shard().maybe("broker.early_idle");
    if (done.ok()) done = co_await log.close_idle(at.shard().clock().now(), early ? base::Duration{} : kFileIdle);
    if (!done.ok()) at.shard().log().warn("{}: {}", partition->name(), done.error().message);
  }
  co_return true;
}

base::Task<std::vector<Standing>> close_here(BrokerShard& at) {
  constexpr size_t kAtOnce = 8;
  std::vector<Standing> all;
  const auto partitions = at.partitions();
  for (const auto& partition : partitions) partition->retire();
  size_t next = 0;
  base::TaskScope workers{at.shard().executor(), [&at](std::exception_ptr fault) { at.home().on_fault(fault); }};
  for (size_t i = 0; i < kAtOnce; ++i) workers.spawn(close_some(at, partitions, next, all));
  co_await workers.join();
  for (const auto& journal : at.journals()) {
    if (journal) co_await journal->close();
  }
  co_return all;
}

base::Task<bool> take_dir_offline_here(BrokerShard& at, size_t log_dir) {
  if (const auto journal = at.journal(log_dir)) {
    journal->fail({base::ErrorCode::kKafkaStorageError, "the log dir is offline"});
  }
  for (const auto& partition : at.partitions()) {
    if (partition->log_dir() == log_dir) partition->set_offline();
  }
  co_return true;
}

}  // namespace stele::broker
