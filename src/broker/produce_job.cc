#include "broker/produce_job.h"

#include <algorithm>

#include "base/complaints.h"

namespace stele::broker {

struct ProduceJob::ToHome final : io::Mail {
  std::shared_ptr<ProduceJob> job;
  explicit ToHome(std::shared_ptr<ProduceJob> j) : job(std::move(j)) {}
  void deliver() override {
    std::unique_ptr<ToHome> self{this};
    job->part_done();
  }
};

struct ProduceJob::RebuiltToHome final : io::Mail {
  std::shared_ptr<ProduceJob> job;
  size_t bytes;
  RebuiltToHome(std::shared_ptr<ProduceJob> j, size_t count) : job(std::move(j)), bytes(count) {}
  void deliver() override {
    std::unique_ptr<RebuiltToHome> self{this};
    job->rebuilt(bytes);
  }
};

struct ProduceJob::ToOwner final : io::Mail {
  std::shared_ptr<ProduceJob> job;
  BrokerShard& owner;
  BrokerShard& home;
  ToOwner(std::shared_ptr<ProduceJob> j, BrokerShard& to, BrokerShard& from)
      : job(std::move(j)), owner(to), home(from) {}
  void deliver() override {
    std::unique_ptr<ToOwner> self{this};
    owner.home().scope.spawn(run(std::move(job), owner, home));
  }
};

std::shared_ptr<ProduceJob> ProduceJob::start(BrokerShard& home, std::vector<ProduceItem> items, ProduceParams params,
                                              std::unique_ptr<HeldBytes> held) {
  auto job = std::make_shared<ProduceJob>(home, std::move(items), params, std::move(held));
  for (ProduceItem& item : job->items) {
    if (item.result.code != base::ErrorCode::kNone) continue;
    item.owner = home.owner_of(item.key);
    if (!item.owner) item.result.code = base::ErrorCode::kNotLeaderOrFollower;
  }
  const auto owns = [&job](base::ShardId shard) {
    return std::ranges::any_of(job->items, [shard](const ProduceItem& item) { return item.owner == shard; });
  };
  for (uint32_t shard = 0; shard < home.shard_count(); ++shard) job->pending_ += owns(base::ShardId{shard}) ? 1 : 0;
  if (job->pending_ == 0) {
    job->held_.reset();
    job->done.set();
    return job;
  }
  for (uint32_t shard = 0; shard < home.shard_count(); ++shard) {
    const base::ShardId id{shard};
    if (!owns(id)) continue;
    if (id == home.shard().id()) {
      home.home().scope.spawn(run(job, home, home));
    } else {
      home.shard().send(id, std::make_unique<ToOwner>(job, home.peer(id), home));
    }
  }
  return job;
}

base::Task<void> ProduceJob::run(std::shared_ptr<ProduceJob> job, BrokerShard& at, BrokerShard& home) {
  const base::ShardId here = at.shard().id();
  const base::Timestamp now = at.shard().clock().wall();
  const base::MonoTime begun = at.shard().clock().now();
  std::vector<std::shared_ptr<Partition>> partitions;
  size_t rebuilt = 0;
  for (ProduceItem& item : job->items) {
    if (item.owner != here) continue;
    auto partition = at.find(item.key);
    if (partition == nullptr) {
      item.result.code = base::ErrorCode::kNotLeaderOrFollower;
    } else {
      item.result = partition->append(item.records, job->params_.origin, job->params_.version, now, at.decompressor(),
                                      item.rebuilt);
      const auto limit = at.decompressor().take_limit();
      if (item.result.code != base::ErrorCode::kNone && limit) {
        at.shard().complaints().reached(*limit, "a batch for {} is refused: {}", partition->name(),
                                        item.result.message);
      }
      rebuilt += item.rebuilt.size();
    }
    partitions.push_back(std::move(partition));
  }
  if (rebuilt > 0) tell_rebuilt(job, at, home, rebuilt);
  size_t next = 0;
  for (ProduceItem& item : job->items) {
    if (item.owner != here) continue;
    const std::shared_ptr<Partition>& partition = partitions[next++];
    if (item.result.code != base::ErrorCode::kNone) continue;
    auto counted = co_await partition->log()->wait_counted(item.result.last_offset);
    const base::MonoTime ended = at.shard().clock().now();
    partition->slowest_append().note(ended, ended - begun);
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

void ProduceJob::tell_rebuilt(const std::shared_ptr<ProduceJob>& job, BrokerShard& at, BrokerShard& home,
                              size_t bytes) {
  if (&at == &home) {
    job->rebuilt(bytes);
  } else {
    at.shard().send(home.shard().id(), std::make_unique<RebuiltToHome>(job, bytes));
  }
}

void ProduceJob::rebuilt(size_t bytes) {
  STELE_CHECK(pending_ > 0 && held_ != nullptr, "a part that is over tells of batches that it made");
  rebuilt_ = true;
  held_->held_beside(bytes);
}

void ProduceJob::part_done() {
  STELE_CHECK(pending_ > 0);
  if (--pending_ > 0) return;
  if (rebuilt_) {
    for (ProduceItem& item : items) item.rebuilt = {};
  }
  held_.reset();
  done.set();
}

}  // namespace stele::broker
