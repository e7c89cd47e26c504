#include "broker/opening.h"

#include <algorithm>

namespace stele::broker {

namespace {
constexpr base::Duration kTellEvery = std::chrono::seconds{5};
}  // namespace

Opening::Opening(BrokerShard& control, LogDirs& dirs, Opened opened)
    : control_(control),
      dirs_(dirs),
      opened_(std::move(opened)),
      scope_(control.shard().executor(), [&control](std::exception_ptr fault) { control.home().on_fault(fault); }) {}

void Opening::set_parallel(std::vector<size_t> at_once) {
  at_once_ = std::move(at_once);
  queues_.resize(at_once_.size());
  working_.resize(at_once_.size());
  progress_.resize(at_once_.size());
}

void Opening::add(base::ShardId shard, HostOrder order) {
  const size_t dir = order.log_dir;
  reserved_.erase(order.key);
  opening_.insert(order.key);
  ++progress_.at(dir).total;
  // Groups wait for the offsets topic: it does not wait for the records of others.
  const bool internal = order.name.topic.starts_with("__");
  auto& queue = queues_.at(dir);
  queue.insert(internal ? queue.begin() : queue.end(), Item{shard, std::move(order)});
}

void Opening::begin() {
  for (size_t dir = 0; dir < queues_.size(); ++dir) {
    for (size_t free = std::min(queues_[dir].size(), at_once_[dir]); working_[dir] < at_once_[dir] && free > 0;
         --free) {
      ++working_[dir];
      scope_.spawn(work(dir));
    }
  }
  if (!std::exchange(telling_, true)) scope_.spawn(tell());  // of the start alone
}

base::Task<void> Opening::work(size_t log_dir) {
  while (!queues_[log_dir].empty()) {
    Item item = std::move(queues_[log_dir].front());
    queues_[log_dir].pop_front();
    co_await open_one(std::move(item));
  }
  --working_[log_dir];
}

base::Task<void> Opening::open_one(Item item) {
  BrokerShard& peer = control_.peer(item.shard);
  const PartitionKey key = item.order.key;
  const size_t dir = item.order.log_dir;
  item.order.offline = dirs_.offline(dir);
  auto outcome = co_await run_on(control_.shard(), peer.home(), [&peer, order = std::move(item.order)]() mutable {
    return host_one_here(peer, std::move(order));
  });
  if (dirs_.offline(dir)) {
    co_await run_on(control_.shard(), peer.home(), [&peer, dir]() { return take_dir_offline_here(peer, dir); });
  }
  for (auto later = later_.extract(key); !later.empty(); later = later_.extract(key)) {
    co_await run_on(control_.shard(), peer.home(), [&peer, order = std::move(later.mapped().order)]() mutable {
      std::vector<UpdateOrder> one;
      one.push_back(std::move(order));
      return update_here(peer, std::move(one));
    });
  }
  opening_.erase(key);
  ++progress_[dir].done;
  if (outcome.error) ++progress_[dir].failed;
  co_await opened_(std::move(outcome));
  wake();
}

void Opening::wake() {
  while (Waiter* waiter = waiters_.pop_front()) waiter->signal.set();
}

void Opening::release(const PartitionKey& key) {
  reserved_.erase(key);
  wake();
}

void Opening::update_later(base::ShardId shard, UpdateOrder order) {
  STELE_CHECK(has(order.key));
  const PartitionKey key = order.key;
  later_.insert_or_assign(key, Later{shard, std::move(order)});
}

base::Task<void> Opening::wait_for(PartitionKey key) {
  for (auto& queue : queues_) {
    const auto at = std::ranges::find_if(queue, [&key](const Item& item) { return item.order.key == key; });
    if (at == queue.end()) continue;
    Item item = std::move(*at);
    queue.erase(at);
    queue.push_front(std::move(item));
    break;
  }
  while (has(key)) {
    Waiter waiter{control_.shard().executor()};
    waiters_.push_back(waiter);
    co_await waiter.signal.wait();
  }
}

base::Task<void> Opening::wait(base::MonoTime deadline) {
  const auto timer = control_.shard().make_timer();
  while (!done() && control_.shard().clock().now() < deadline) {
    Waiter waiter{control_.shard().executor()};
    waiters_.push_back(waiter);
    timer->arm(deadline, waiter.signal);
    co_await waiter.signal.wait();
    timer->disarm();
  }
}

base::Task<void> Opening::stop() {
  reserved_.clear();  // who reserved may be gone
  for (auto& queue : queues_) {
    for (const Item& item : queue) opening_.erase(item.order.key);
    queue.clear();
  }
  while (!done()) {
    Waiter waiter{control_.shard().executor()};
    waiters_.push_back(waiter);
    co_await waiter.signal.wait();
  }
}

base::Task<void> Opening::tell() {
  const base::MonoTime began = control_.shard().clock().now();
  while (!done()) {
    co_await wait(control_.shard().clock().now() + kTellEvery);
    if (done()) break;
    for (size_t i = 0; i < progress_.size(); ++i) {
      const Progress& progress = progress_[i];
      if (progress.done == progress.total) continue;
      control_.shard().log().info("opening {}: {} of {} partitions are open, {} remain", dirs_.path(i), progress.done,
                                  progress.total, progress.total - progress.done);
    }
  }
  size_t failed = 0;
  size_t total = 0;
  for (const Progress& progress : progress_) {
    failed += progress.failed;
    total += progress.total;
  }
  if (total > 0) {
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(control_.shard().clock().now() - began);
    control_.shard().log().info("opened {} of {} partitions in {} ms", total - failed, total, took.count());
  }
}

}  // namespace stele::broker
