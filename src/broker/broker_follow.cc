// How the broker follows the image: partitions come, change and go, and every shard gets the new view.
#include <numeric>

#include "base/complaints.h"
#include "broker/broker.h"

namespace stele::broker {

namespace {

template <class Order>
using PerShard = std::vector<std::vector<Order>>;

}  // namespace

base::Task<void> Broker::catch_up() {
  const base::Offset target = controller_->image()->next_index;
  while (applied_ < target) {
    struct Awaiter : base::Waiter {
      base::IntrusiveList<base::Waiter>* list;
      explicit Awaiter(base::IntrusiveList<base::Waiter>* l) : list(l) {}
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> waiting) {
        handle = waiting;
        list->push_back(*this);
      }
      void await_resume() const noexcept {}
    };
    co_await Awaiter{&catching_up_};
  }
}

base::Task<void> Broker::follow() {
  while (true) {
    if (controller_->failure()) {
      die(controller_->failure()->message);
      co_return;
    }
    ControllerHost::Progress progress = controller_->take_progress();
    if (progress.image->next_index > applied_) {
      co_await apply(std::move(progress));
    } else {
      co_await progress_signal_.wait();
    }
  }
}

base::Task<void> Broker::apply(ControllerHost::Progress progress) {
  for (const metadata::ConfigResource& resource : progress.changes.configs) {
    if (resource.type == metadata::ResourceType::kBroker) refresh_config(*progress.image);
  }
  co_await remove_topics(progress.changes);
  if (dirs_.any_stale()) co_await write_checkpoints(true);  // what is made now may have one of those names
  PerShard<HostOrder> host(control_.shard_count());
  PerShard<UpdateOrder> update(control_.shard_count());
  plan(progress, host, update);
  co_await host_all(std::move(host));
  for (uint32_t i = 0; i < update.size(); ++i) {
    std::erase_if(update[i], [this, i](UpdateOrder& order) {
      if (!opening_.has(order.key)) return false;
      opening_.update_later(base::ShardId{i}, std::move(order));
      return true;
    });
    if (update[i].empty()) continue;
    BrokerShard& peer = control_.peer(base::ShardId{i});
    co_await run_on(control_.shard(), peer.home(),
                    [&peer, orders = std::move(update[i])]() mutable { return update_here(peer, std::move(orders)); });
  }
  std::vector<std::string> gone;
  for (const auto& [id, name] : progress.changes.topics_deleted) gone.push_back(name);
  co_await publish(progress.image, std::move(gone));
}

void Broker::plan(const ControllerHost::Progress& progress, PerShard<HostOrder>& host, PerShard<UpdateOrder>& update) {
  const metadata::Image& image = *progress.image;
  std::set<base::TopicId> whole;
  bool all = false;
  for (const metadata::ConfigResource& resource : progress.changes.configs) {
    all |= resource.type == metadata::ResourceType::kBroker;
    if (resource.type != metadata::ResourceType::kTopic) continue;
    if (const metadata::Topic* topic = image.topic(resource.name)) whole.insert(topic->id);
  }
  if (all) {
    image.for_each_topic([&](const metadata::Topic& topic) { plan_topic(image, topic, nullptr, host, update); });
    return;
  }
  for (const base::TopicId& id : whole) plan_topic(image, *image.topic(id), nullptr, host, update);
  for (const auto& [id, indexes] : progress.changes.partitions) {
    const metadata::Topic* topic = image.topic(id);
    if (topic != nullptr && !whole.contains(id)) plan_topic(image, *topic, &indexes, host, update);
  }
}

void Broker::plan_topic(const metadata::Image& image, const metadata::Topic& topic, const std::set<int32_t>* only,
                        PerShard<HostOrder>& host, PerShard<UpdateOrder>& update) {
  const TopicRules rules = rules_of(*config_, image, topic.name);
  const auto plan_one = [&](int32_t index, const metadata::Partition& partition) {
    if (!partition.has_replica(identity_.id)) return;
    const PartitionKey key{topic.id, base::PartitionIndex{index}};
    const PartitionState state = state_of(partition, identity_.id);
    if (const base::ShardId* owner = shards_.find(key)) {
      update[owner->value()].push_back({key, state, rules});
      return;
    }
    HostOrder order{.key = key, .name = {topic.name, key.partition}, .state = state, .rules = rules};
    dirs_.fill(order, place(partition, key, order.name));
    const base::ShardId shard = next_shard();
    shards_.set(key, shard, edit_);
    ++per_shard_[shard.value()];
    ++per_dir_[order.log_dir];
    host[shard.value()].push_back(std::move(order));
  };
  if (only == nullptr) {
    topic.partitions.for_each([&](int32_t index, const auto& partition) { plan_one(index, *partition); });
    return;
  }
  for (const int32_t index : *only) {
    if (const auto* partition = topic.find(base::PartitionIndex{index})) plan_one(index, *partition);
  }
}

// Where it lies already, else where the metadata wants it, else the dir with the fewest partitions of those that have
// room.
size_t Broker::place(const metadata::Partition& partition, const PartitionKey& key, const log::TopicPartition& name) {
  if (const LogDirs::Found* found = dirs_.find(key)) return found->log_dir;
  if (const auto wanted = dirs_.index_of(partition.directory_of(identity_.id)); wanted && !dirs_.offline(*wanted)) {
    return *wanted;
  }
  // What is not found, while a dir is offline, lies there.
  for (size_t i = 0; finding_ && i < dirs_.size(); ++i) {
    const auto wanted = dirs_.index_of(partition.directory_of(identity_.id));
    if (dirs_.offline(i) && (!wanted || *wanted == i)) return i;
  }
  size_t best = 0;
  for (size_t i = 0; i < dirs_.size(); ++i) {
    const auto worse = [this, &name](size_t dir) {
      return std::tuple{dirs_.offline(dir), dirs_.is_stale(dir, name), dirs_.space(dir).level(), per_dir_[dir]};
    };
    if (worse(i) < worse(best)) best = i;
  }
  return best;
}

base::ShardId Broker::next_shard() {
  const auto least = std::min_element(per_shard_.begin(), per_shard_.end());
  return base::ShardId{static_cast<uint32_t>(least - per_shard_.begin())};
}

base::Task<void> Broker::host_all(PerShard<HostOrder> orders) {
  constexpr size_t kMadeAtOnce = 8;  // new ones as a rule: all they do is wait for the disk
  std::vector<base::Task<std::vector<HostOutcome>>> running;
  for (uint32_t i = 0; i < orders.size(); ++i) {
    if (orders[i].empty()) continue;
    BrokerShard& peer = control_.peer(base::ShardId{i});
    for (HostOrder& order : orders[i]) order.sync_later = true;
    running.push_back(run_on(control_.shard(), peer.home(), [&peer, mine = std::move(orders[i])]() mutable {
      return host_here(peer, std::move(mine), kMadeAtOnce);
    }));
  }
  std::vector<std::vector<std::string>> made(dirs_.size());
  for (auto& task : running) {
    const auto outcomes = co_await std::move(task);
    for (const HostOutcome& outcome : outcomes) {
      if (outcome.to_sync) made[outcome.log_dir].push_back(outcome.name.to_string());
      co_await hosted(outcome);
    }
  }
  // No client knows of them before the view is published.
  for (size_t i = 0; i < made.size(); ++i) {
    if (made[i].empty() || dirs_.offline(i)) continue;
    const auto synced = co_await dirs_.dir(i).sync_new(std::move(made[i]));
    if (!synced.ok()) co_await dir_failed(i, synced.error().message);
  }
}

base::Task<void> Broker::hosted(HostOutcome outcome) {
  const bool failed_since = failed_opening_.erase(outcome.key) > 0 && !outcome.error;
  if (!outcome.error) {
    dirs_.opened(outcome.log_dir, outcome.name, outcome.key);
    // It failed while this was being opened: what told the partitions of the dir did not reach this one.
    if (dirs_.offline(outcome.log_dir)) co_await dir_is_offline(outcome.log_dir);
  } else if (!dirs_.offline(outcome.log_dir)) {
    control_.shard().log().error("{}/{} cannot be opened: {}", dirs_.path(outcome.log_dir), outcome.name.to_string(),
                                 outcome.error->message);
    if (log::is_no_space(*outcome.error)) {
      starved_.insert_or_assign(outcome.key, Starved{outcome.log_dir, outcome.recovery_point, outcome.log_start});
      if (dirs_.ran_out_of_space(outcome.log_dir, outcome.error->message)) co_await tell_space(outcome.log_dir);
    } else if (outcome.error->code == base::ErrorCode::kKafkaStorageError) {
      co_await dir_failed(outcome.log_dir, outcome.error->message);
    }
  }
  if (complete_listener_ && progress().complete()) std::exchange(complete_listener_, nullptr)();
  if (failed_since) co_await open_again(outcome.key);
}

base::Task<void> Broker::remove_topics(const metadata::Changes& changes) {
  for (const auto& [id, name] : changes.topics_deleted) {
    std::vector<std::pair<PartitionKey, base::ShardId>> gone;
    shards_.for_each_from({id, base::PartitionIndex{0}}, [&, topic = id](const PartitionKey& key, base::ShardId shard) {
      if (key.topic != topic) return false;
      gone.emplace_back(key, shard);
      return true;
    });
    const TopicRules rules = rules_of(*config_, *controller_->image(), name);
    const base::Duration delay = std::chrono::milliseconds{rules.log.file_delete_delay_ms};
    for (const auto& [key, shard] : gone) co_await remove_partition(key, shard, {name, key.partition}, delay);
  }
}

base::Task<void> Broker::remove_partition(PartitionKey key, base::ShardId shard, log::TopicPartition name,
                                          base::Duration delay) {
  co_await opening_.wait_for(key);
  shards_.erase(key, edit_);
  --per_shard_[shard.value()];
  const auto starved = starved_.extract(key);
  failed_opening_.erase(key);
  BrokerShard& peer = control_.peer(shard);
  const base::Uuid unique = base::Uuid::make_random(control_.shard().random());
  Removed removed =
      co_await run_on(control_.shard(), peer.home(), [&peer, key, unique]() { return remove_here(peer, key, unique); });
  if (!removed.log_dir) removed.log_dir = starved.empty() ? dirs_.where(name, key) : starved.mapped().log_dir;
  if (!removed.log_dir) co_return;
  const size_t dir = *removed.log_dir;
  --per_dir_[dir];
  if (removed.directory.empty()) {
    removed.directory = co_await rename_deleted(removed, key, name, unique);
    co_await run_on(control_.shard(), peer.home(),
                    [&peer, dir, key, name]() { return drop_journal_here(peer, dir, key, name); });
  }
  dirs_.forget(dir, name);
  if (!removed.directory.empty()) co_await remove(dir, std::move(removed.directory), delay);
}

// Of a partition whose log could not do that: it failed, was let go, or was never opened. Empty where nothing was.
base::Task<std::string> Broker::rename_deleted(Removed removed, PartitionKey key, log::TopicPartition name,
                                               base::Uuid unique) {
  const size_t dir = *removed.log_dir;
  if (removed.error && !log::is_no_space(*removed.error)) co_await dir_failed(dir, removed.error->message);
  if (dirs_.offline(dir)) co_return std::string{};
  auto renamed = co_await dirs_.dir(dir).mark_deleted(name, key.topic, unique);
  if (renamed.ok()) co_return *std::move(renamed);
  control_.shard().log().error("{}: not removed: {}", name.to_string(), renamed.error().message);
  const bool of_disk = renamed.code() == base::ErrorCode::kKafkaStorageError && !log::is_no_space(renamed.error());
  if (of_disk) co_await dir_failed(dir, renamed.error().message);
  co_return std::string{};
}

// After the delay that readers are given; at once where those that wait for it, together with those that are there,
// would be more partitions than may be: topics that are made and deleted without end take no more room than others.
base::Task<void> Broker::remove(size_t log_dir, std::string directory, base::Duration delay) {
  const auto present = std::accumulate(per_shard_.begin(), per_shard_.end(), int64_t{0});
  if (present + removals_waiting_ >= config_->number("stele.partitions.max")) {
    control_.shard().complaints().reached(base::Limit::kPartitions,
                                          "{} is removed without delay: {} deleted partitions wait beside {} present",
                                          directory, removals_waiting_, present);
    co_await dirs_.remove_deleted(log_dir, directory);
    co_return;
  }
  ++removals_waiting_;
  background_.spawn(remove_later(log_dir, std::move(directory), delay));
}

base::Task<void> Broker::remove_later(size_t log_dir, std::string directory, base::Duration delay) {
  co_await io::sleep_until(control_.shard(), control_.shard().clock().now() + delay);
  co_await dirs_.remove_deleted(log_dir, directory);
  --removals_waiting_;
}

base::Task<void> Broker::publish(metadata::ImagePtr image, std::vector<std::string> gone) {
  const base::Offset next = image->next_index;
  ++edit_;  // the nodes of the published map are shared from here on
  auto view = std::make_shared<const ClusterView>(++view_epoch_, std::move(image), shards_, config_);
  for (uint32_t i = 0; i < control_.shard_count(); ++i) {
    BrokerShard& peer = control_.peer(base::ShardId{i});
    co_await run_on(control_.shard(), peer.home(), [&peer, view, gone]() { return set_view_here(peer, view, gone); });
  }
  applied_ = next;
  while (base::Waiter* waiter = catching_up_.pop_front()) control_.shard().executor().post(*waiter);
}

void Broker::refresh_config(const metadata::Image& image) {
  const auto values = [&image](const std::string& name) {
    config::ConfigMap map;
    if (const auto* set = image.config_of({metadata::ResourceType::kBroker, name})) {
      for (const auto& [key, value] : *set) map.emplace(key, value.value);
    }
    return map;
  };
  config_ = std::make_shared<const config::BrokerConfig>(
      options_.config->with_dynamic(values(""), values(std::to_string(identity_.id.value()))));
  if (config_listener_) config_listener_(*config_);
}

base::Task<void> Broker::keep_alive() {
  const base::Duration interval = std::chrono::milliseconds{config_->number("broker.heartbeat.interval.ms")};
  while (true) {
    co_await io::sleep_until(control_.shard(), control_.shard().clock().now() + interval);
    const auto alive = co_await heartbeat();
    if (!alive.ok()) control_.shard().log().warn("heartbeat: {}", alive.error().message);
    controller_->tend();
  }
}

base::Task<void> Broker::keep_checkpoints() {
  const base::Duration often =
      std::chrono::milliseconds{config_->number("replica.high.watermark.checkpoint.interval.ms")};
  // Both in one go, when the first of the two is due.
  const base::Duration seldom =
      std::chrono::milliseconds{std::min(config_->number("log.flush.offset.checkpoint.interval.ms"),
                                         config_->number("log.flush.start.offset.checkpoint.interval.ms"))};
  base::MonoTime last_all = control_.shard().clock().now();
  while (true) {
    co_await io::sleep_until(control_.shard(), control_.shard().clock().now() + often);
    const bool all = control_.shard().clock().now() - last_all >= seldom;
    if (all) last_all = control_.shard().clock().now();
    co_await write_checkpoints(all);
  }
}

// One at a time, each with what stands when it begins.
base::Task<void> Broker::write_checkpoints(bool all) {
  while (checkpointing_) co_await checkpointed_.wait();
  if (stopping_) co_return;
  checkpointing_ = true;
  const auto now = co_await standings();
  for (const size_t failed : co_await dirs_.checkpoint(now, all)) co_await dir_is_offline(failed);
  checkpointing_ = false;
  checkpointed_.set();
  checkpoint_over_.set();
}

base::Task<std::vector<Standing>> Broker::standings() {
  std::vector<Standing> all;
  for (uint32_t i = 0; i < control_.shard_count(); ++i) {
    BrokerShard& peer = control_.peer(base::ShardId{i});
    auto part = co_await run_on(control_.shard(), peer.home(), [&peer]() { return standings_here(peer); });
    std::move(part.begin(), part.end(), std::back_inserter(all));
  }
  co_return all;
}

base::Task<void> Broker::keep_tidy() {
  constexpr base::Duration kSweepEvery = std::chrono::seconds{10};
  base::MonoTime next_retention =
      control_.shard().clock().now() + std::chrono::milliseconds{config_->number("log.initial.task.delay.ms")};
  while (true) {
    const base::Duration check = std::chrono::milliseconds{config_->number("log.retention.check.interval.ms")};
    const base::MonoTime sweep = control_.shard().clock().now() + kSweepEvery;
    co_await io::sleep_until(control_.shard(), std::min(sweep, next_retention));
    const bool retention = control_.shard().clock().now() >= next_retention;
    if (retention) next_retention = control_.shard().clock().now() + check;
    for (uint32_t i = 0; i < control_.shard_count(); ++i) {
      BrokerShard& peer = control_.peer(base::ShardId{i});
      co_await run_on(control_.shard(), peer.home(), [&peer, retention]() { return tend_here(peer, retention); });
    }
  }
}

}  // namespace stele::broker
