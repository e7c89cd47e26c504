#include "broker/fetch_job.h"

#include <algorithm>
#include <list>

namespace stele::broker {

namespace {

// Where the reader's last batch does not belong to this log, or nothing (KIP-595; Partition.readRecords of Kafka).
base::Result<std::optional<log::EpochEnd>> find_divergence(const Partition& partition, const FetchItem& item) {
  if (item.last_fetched_epoch < 0) return std::optional<log::EpochEnd>{};
  const auto end = partition.log()->end_offset_for_epoch(base::LeaderEpoch{item.last_fetched_epoch});
  if (item.last_fetched_epoch > partition.state().leader_epoch.value() || !end) {
    return base::Error{base::ErrorCode::kOffsetOutOfRange, "the epoch of the last fetched batch is not known here"};
  }
  if (end->epoch.value() < item.last_fetched_epoch || end->end < item.offset) return std::optional{*end};
  return std::optional<log::EpochEnd>{};
}

base::Task<void> fetch_one(BrokerShard& at, FetchItem& item, FetchParams params, int64_t bytes_left,
                           bool at_least_one) {
  // What an earlier look at this item found, when a fetch that waited looks again, is no answer any more.
  item.drop_records();
  const auto partition = at.find(item.key);
  item.code =
      partition == nullptr ? base::ErrorCode::kNotLeaderOrFollower : partition->check_leader(item.current_leader_epoch);
  if (item.code != base::ErrorCode::kNone) co_return;
  log::PartitionLog& log = *partition->log();
  item.high_watermark = partition->high_watermark();
  item.last_stable_offset = partition->last_stable_offset();
  item.log_start_offset = log.log_start_offset();
  if (params.read_committed) item.aborted.emplace();
  const auto diverging = find_divergence(*partition, item);
  const bool out_of_range = item.offset < item.log_start_offset || item.offset > log.assigned_end();
  if (!diverging.ok() || (out_of_range && !*diverging)) {
    item.code = base::ErrorCode::kOffsetOutOfRange;
    item.high_watermark = item.last_stable_offset = item.log_start_offset = base::kNoOffset;
    item.aborted.reset();
    co_return;
  }
  item.diverging = *diverging;
  const base::Offset limit = params.read_committed ? item.last_stable_offset : item.high_watermark;
  item.older_segment = item.offset < limit && item.offset < log.active_base();
  const int64_t bytes = std::min<int64_t>(item.bytes_max, bytes_left);
  if (item.diverging || item.offset >= limit || (bytes <= 0 && !at_least_one)) co_return;
  auto read = co_await log.read(item.offset, static_cast<size_t>(std::max<int64_t>(bytes, 0)), limit, at_least_one,
                                params.may_send);
  if (!read.ok()) {
    item.code = read.error().code;
    co_return;
  }
  if (at.shard().maybe("fetch.late_answer")) co_await base::yield(at.shard().executor());
  item.records = read->batches;
  item.buffer = std::move(read->buffer);
  item.range = std::move(read->range);
  partition->count_read(item.bytes());
  if (!params.read_committed) co_return;
  auto aborted = co_await log.aborted_transactions(item.offset, read->next_offset);
  if (aborted.ok()) {
    item.aborted = *std::move(aborted);
  } else {
    item.code = aborted.error().code;
    item.drop_records();
  }
}

// Lives in the frame of the fetch that waits. Shards that watch for it look now and then whether it is still there:
// nothing can be sent to them when the frame of a closed connection goes.
struct Asking {};
constexpr base::Duration kLookAfterAsking = std::chrono::milliseconds{500};

// One fetch's watch on one shard. Made by the fetch, touched by that shard alone.
struct ShardWatch {
  base::Signal* waiting = nullptr;  // while it runs
  bool over = false;                // the fetch was answered
};

class WaitingOn {
 public:
  WaitingOn(ShardWatch& watch, base::Signal& signal) : watch_(watch) { watch.waiting = &signal; }
  ~WaitingOn() { watch_.waiting = nullptr; }
  WaitingOn(const WaitingOn&) = delete;
  WaitingOn& operator=(const WaitingOn&) = delete;

 private:
  ShardWatch& watch_;
};

// One fetch's watches on one shard, and the timer that ends them.
base::Task<bool> watch_here(BrokerShard& at, std::vector<WatchItem> items, int64_t bytes_wanted,
                            base::MonoTime deadline, std::weak_ptr<Asking> asking, std::shared_ptr<ShardWatch> own) {
  base::Signal signal{at.shard().executor()};
  const WaitingOn waiting{*own, signal};
  std::list<PartitionWatch> watches;
  std::vector<std::shared_ptr<Partition>> held;
  for (const WatchItem& item : items) {
    auto partition = at.find(item.key);
    if (partition == nullptr || partition->high_watermark() != item.seen || !partition->state().leader) co_return true;
    partition->watch(watches.emplace_back(signal, bytes_wanted));
    held.push_back(std::move(partition));
  }
  const auto timer = at.shard().make_timer();
  while (true) {
    const base::MonoTime look = at.shard().clock().now() + kLookAfterAsking;
    timer->arm(std::min(deadline, look), signal);
    co_await signal.wait();
    const bool only_a_look = at.shard().clock().now() >= look && look < deadline && bytes_wanted > 0;
    if (!only_a_look || own->over || asking.expired()) co_return true;
    for (const auto& watch : watches) {
      if (!watch.linked()) co_return true;  // its partition changed just now
    }
  }
}

base::Task<bool> end_watch(std::shared_ptr<ShardWatch> watch) {
  watch->over = true;
  if (watch->waiting != nullptr) watch->waiting->set();
  co_return true;
}

struct AnyShard {
  explicit AnyShard(base::Executor& executor) : grown(executor) {}
  base::Signal grown;
};

base::Task<void> watch_for(std::shared_ptr<AnyShard> any, base::Task<bool> watch) {
  co_await std::move(watch);
  any->grown.set();
}

}  // namespace

base::Task<std::vector<FetchItem>> fetch_here(BrokerShard& at, std::vector<FetchItem> items, FetchParams params) {
  int64_t bytes_left = params.bytes_max;
  bool at_least_one = true;
  for (FetchItem& item : items) {
    co_await fetch_one(at, item, params, bytes_left, at_least_one);
    bytes_left -= static_cast<int64_t>(item.bytes());
    if (item.bytes() > 0) at_least_one = false;
  }
  co_return items;
}

base::Task<void> wait_for_growth(BrokerShard& home, std::vector<WatchItem> items, int64_t bytes_wanted,
                                 base::MonoTime deadline) {
  if (home.shard().maybe("fetch.early_wake")) {
    co_await base::yield(home.shard().executor());
    co_return;
  }
  std::vector<std::vector<WatchItem>> by_shard(home.shard_count());
  size_t shards = 0;
  for (const WatchItem& item : items) {
    const auto owner = home.owner_of(item.key);
    if (!owner) continue;
    auto& mine = by_shard[owner->value()];
    if (mine.empty()) ++shards;
    mine.push_back(item);
  }
  const uint32_t here = home.shard().id().value();
  if (shards == 0) {
    co_await io::sleep_until(home.shard(), deadline);
    co_return;
  }
  const auto asking = std::make_shared<Asking>();
  if (shards == 1 && !by_shard[here].empty()) {
    co_await watch_here(home, std::move(by_shard[here]), bytes_wanted, deadline, asking,
                        std::make_shared<ShardWatch>());
    co_return;
  }
  auto any = std::make_shared<AnyShard>(home.shard().executor());
  std::vector<std::pair<BrokerShard*, std::shared_ptr<ShardWatch>>> watches;
  for (uint32_t shard = 0; shard < by_shard.size(); ++shard) {
    if (by_shard[shard].empty()) continue;
    BrokerShard& peer = home.peer(base::ShardId{shard});
    const auto own = watches.emplace_back(&peer, std::make_shared<ShardWatch>()).second;
    const std::weak_ptr<Asking> who = asking;
    auto watch = run_on(home.shard(), peer.home(),
                        [&peer, mine = std::move(by_shard[shard]), bytes_wanted, deadline, who, own]() mutable {
                          return watch_here(peer, std::move(mine), bytes_wanted, deadline, who, own);
                        });
    home.home().scope.spawn(watch_for(any, std::move(watch)));
  }
  co_await any->grown.wait();
  for (const auto& [peer, watch] : watches) {
    const auto told = run_on(home.shard(), peer->home(), [watch]() { return end_watch(watch); });
  }
}

}  // namespace stele::broker
