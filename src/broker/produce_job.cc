#include "broker/produce_job.h"

namespace stele::broker {

struct ProduceJob::ToHome final : io::Mail {
  std::shared_ptr<ProduceJob> job;
  explicit ToHome(std::shared_ptr<ProduceJob> j) : job(std::move(j)) {}
  void deliver() override {
    std::unique_ptr<ToHome> self{this};
    job->part_done();
  }
};

struct ProduceJob::ToOwner final : io::Mail {
  std::shared_ptr<ProduceJob> job;
  BrokerShard& owner;
  BrokerShard& home;
  Indices mine;
  ToOwner(std::shared_ptr<ProduceJob> j, BrokerShard& to, BrokerShard& from, Indices indices)
      : job(std::move(j)), owner(to), home(from), mine(std::move(indices)) {}
  void deliver() override {
    std::unique_ptr<ToOwner> self{this};
    owner.home().scope.spawn(run(std::move(job), owner, home, std::move(mine)));
  }
};

std::shared_ptr<ProduceJob> ProduceJob::start(BrokerShard& home, std::vector<ProduceItem> items, ProduceParams params,
                                              std::unique_ptr<HeldBytes> held) {
  auto job = std::make_shared<ProduceJob>(home, std::move(items), params, std::move(held));
  std::vector<Indices> by_shard(home.shard_count());
  for (size_t i = 0; i < job->items.size(); ++i) {
    ProduceItem& item = job->items[i];
    if (item.result.code != base::ErrorCode::kNone) continue;
    const auto owner = home.owner_of(item.key);
    if (owner) {
      by_shard[owner->value()].push_back(i);
    } else {
      item.result.code = base::ErrorCode::kNotLeaderOrFollower;
    }
  }
  for (const Indices& mine : by_shard) job->pending_ += mine.empty() ? 0 : 1;
  if (job->pending_ == 0) {
    job->held_.reset();
    job->done.set();
  }
  for (uint32_t shard = 0; shard < by_shard.size(); ++shard) {
    if (by_shard[shard].empty()) continue;
    const base::ShardId id{shard};
    if (id == home.shard().id()) {
      home.home().scope.spawn(run(job, home, home, std::move(by_shard[shard])));
    } else {
      home.shard().send(id, std::make_unique<ToOwner>(job, home.peer(id), home, std::move(by_shard[shard])));
    }
  }
  return job;
}

base::Task<void> ProduceJob::run(std::shared_ptr<ProduceJob> job, BrokerShard& at, BrokerShard& home, Indices mine) {
  const base::Timestamp now = at.shard().clock().wall();
  const base::MonoTime begun = at.shard().clock().now();
  std::vector<std::shared_ptr<Partition>> partitions;
  for (size_t i : mine) {
    ProduceItem& item = job->items[i];
    auto partition = at.find(item.key);
    if (partition == nullptr) {
      item.result.code = base::ErrorCode::kNotLeaderOrFollower;
    } else {
      item.result = partition->append(item.records, job->params_.origin, job->params_.version, now, at.decompressor(),
                                      item.rebuilt);
    }
    partitions.push_back(std::move(partition));
  }
  for (size_t i = 0; i < mine.size(); ++i) {
    ProduceItem& item = job->items[mine[i]];
    if (item.result.code != base::ErrorCode::kNone) continue;
    auto counted = co_await partitions[i]->log()->wait_counted(item.result.last_offset);
    const base::MonoTime ended = at.shard().clock().now();
    partitions[i]->slowest_append().note(ended, ended - begun);
    if (!counted.ok()) {
      item.result.code = counted.error().code;
      item.result.message = counted.error().message;
    }
  }
  if (at.shard().maybe("produce.late_answer")) co_await base::yield(at.shard().executor());
  partitions.clear();
  if (&at == &home) {
    job->part_done();
  } else {
    at.shard().send(home.shard().id(), std::make_unique<ToHome>(std::move(job)));
  }
}

void ProduceJob::part_done() {
  STELE_CHECK(pending_ > 0);
  if (--pending_ > 0) return;
  held_.reset();
  done.set();
}

}  // namespace stele::broker
