// What the broker does about log dirs that run out of space, and with partitions that met it.
#include "broker/broker.h"

namespace stele::broker {

base::Task<void> Broker::keep_space() {
  const base::Duration interval = std::chrono::milliseconds{config_->number("stele.log.dir.check.interval.ms")};
  while (true) {
    co_await io::sleep_until(control_.shard(), control_.shard().clock().now() + interval);
    for (size_t i = 0; i < dirs_.size(); ++i) {
      dirs_.look_at_space(i);
      if (dirs_.space(i).level() != told_space_.at(i)) co_await tell_space(i);
      if (dirs_.space(i).level() == SpaceLevel::kEnough) co_await open_starved(i);
    }
  }
}

base::Task<void> Broker::tell_space(size_t log_dir) {
  const SpaceLevel level = told_space_.at(log_dir) = dirs_.space(log_dir).level();
  co_await on_every_shard<bool>(
      control_, [log_dir, level](BrokerShard& at, uint32_t) { return set_space_here(at, log_dir, level); });
}

// Apache Kafka takes the whole dir offline where an append finds the disk full. Here nothing was lost but records that
// were not acknowledged, and their bytes are cut off again: the log is opened anew, so that it is read and deleted
// from, which is what makes room; records are refused until there is some.
base::Task<bool> Broker::log_failed(base::ShardId, PartitionKey key, size_t log_dir, base::Error error) {
  if (!log::is_no_space(error)) co_return co_await dir_failed(log_dir, std::move(error.message));
  if (stopping_ || dirs_.offline(log_dir)) co_return true;
  if (dirs_.ran_out_of_space(log_dir, error.message)) co_await tell_space(log_dir);
  if (opening_.has(key)) {
    failed_opening_.insert(key);  // hosted() sees to it
  } else {
    co_await open_again(key);
  }
  co_return true;
}

// stop() goes on while this waits for a disk: it takes the controller away, and closes what is here.
base::Task<void> Broker::open_again(PartitionKey key) {
  const base::ShardId* owner = shards_.find(key);
  if (stopping_ || owner == nullptr || opening_.has(key)) co_return;
  const base::ShardId shard = *owner;
  const metadata::ImagePtr before = controller_->image();
  const metadata::Topic* known = before->topic(key.topic);
  const log::TopicPartition name{known == nullptr ? "" : known->name, key.partition};
  opening_.reserve(key);
  if (const auto dir = dirs_.where(name, key)) dirs_.letting_go(*dir, name);
  BrokerShard& peer = control_.peer(shard);
  const auto let_go = co_await run_on(control_.shard(), peer.home(), [&peer, key]() { return let_go_here(peer, key); });
  HostOrder order;
  order.key = key;
  order.name = name;
  if (let_go && known != nullptr) {
    order.log_dir = let_go->log_dir;
    order.recovery_point = let_go->recovery_point;
    order.log_start = let_go->log_start;
    if (const auto starved = starved_.extract(key); !starved.empty()) {
      order.recovery_point = starved.mapped().recovery_point;
      order.log_start = starved.mapped().log_start;
    }
    dirs_.closed(order.log_dir, name, key, {order.recovery_point, order.log_start, order.log_start});
  }
  if (dirs_.any_stale()) co_await write_checkpoints(true);
  if (stopping_) co_return;
  const metadata::ImagePtr image = controller_->image();
  const metadata::Topic* topic = image->topic(key.topic);
  const metadata::Partition* partition = image->partition(key.topic, key.partition);
  if (!let_go || partition == nullptr || topic == nullptr) {
    opening_.release(key);
    co_return;
  }
  order.state = state_of(*partition, identity_.id);
  order.rules = rules_of(*config_, *image, topic->name);
  order.stale_name = dirs_.is_stale(order.log_dir, name);
  opening_.add(shard, std::move(order));
  opening_.begin();
}

base::Task<void> Broker::open_starved(size_t log_dir) {
  std::vector<PartitionKey> keys;
  for (const auto& [key, starved] : starved_) {
    if (starved.log_dir == log_dir) keys.push_back(key);
  }
  for (const PartitionKey& key : keys) co_await open_again(key);
}

base::Task<std::vector<DirStatus>> Broker::dir_status() {
  std::vector<DirStatus> all(opening_.progress().size());
  if (all.empty()) co_return all;  // the shards know of no dirs yet
  const size_t dirs = all.size();
  const auto counted = co_await on_every_shard<std::vector<DirCounts>>(
      control_, [dirs](BrokerShard& at, uint32_t) { return counts_here(at, dirs); });
  for (size_t i = 0; i < dirs; ++i) {
    DirStatus& status = all[i];
    status.path = dirs_.path(i);
    status.online = !dirs_.offline(i);
    status.failure = dirs_.failure(i);
    status.level = dirs_.space(i).level();
    status.space = dirs_.space(i).space();
    status.space_limit = dirs_.space(i).limit();
    status.strays = dirs_.strays(i);
    status.opening = opening_.progress()[i];
    for (const auto& shard : counted) status.counts += shard[i];
  }
  co_return all;
}

}  // namespace stele::broker
