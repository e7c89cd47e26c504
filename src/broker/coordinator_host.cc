#include "broker/coordinator_host.h"

#include <chrono>
#include <deque>
#include <utility>

#include "broker/partition.h"
#include "coordinator/group/group_coordinator.h"
#include "coordinator/group/group_loader.h"
#include "coordinator/group/partition_of_group.h"
#include "coordinator/runtime/batch.h"
#include "coordinator/runtime/coordinator_runtime.h"
#include "io/remote.h"

namespace stele::broker {
namespace {

using base::ErrorCode;
using coordinator::GroupCommand;
using coordinator::GroupCoordinator;
using coordinator::GroupReply;
using coordinator::GroupReplyBody;

constexpr size_t kLoadBytes = 1 << 20;
// As of a Produce by today's client: what the checks that depend on it may ask.
constexpr int16_t kProduceVersion = 13;

coordinator::Now now_of(io::Shard& shard) { return {shard.clock().now(), shard.clock().wall()}; }

coordinator::GroupOptions options_of(const config::BrokerConfig& config) {
  coordinator::GroupOptions options;
  options.min_session_timeout_ms = static_cast<int32_t>(config.number("group.min.session.timeout.ms"));
  options.max_session_timeout_ms = static_cast<int32_t>(config.number("group.max.session.timeout.ms"));
  options.initial_rebalance_delay_ms = static_cast<int32_t>(config.number("group.initial.rebalance.delay.ms"));
  options.max_size = static_cast<size_t>(config.number("group.max.size"));
  const int64_t coordinators = config.number("offsets.topic.num.partitions");
  options.groups_max = static_cast<size_t>((config.number("stele.groups.max") + coordinators - 1) / coordinators);
  options.members_bytes_max =
      static_cast<size_t>((config.number("stele.group.members.bytes.max") + coordinators - 1) / coordinators);
  options.offsets_max =
      static_cast<size_t>((config.number("stele.group.offsets.max") + coordinators - 1) / coordinators);
  options.offset_metadata_max = static_cast<size_t>(config.number("offset.metadata.max.bytes"));
  options.offsets_retention_ms = config.number("offsets.retention.minutes") * 60'000;
  options.offsets_retention_check_interval_ms = config.number("offsets.retention.check.interval.ms");
  return options;
}

}  // namespace

struct CoordinatorHost::Waiting {
  explicit Waiting(base::Executor& executor) : done(executor) {}
  base::Signal done;
  std::optional<GroupReplyBody> reply;
};

// One coordinator on its partition. Tasks hold it weakly or live in its scope: when it is dropped they end.
class CoordinatorHost::Hosted final : public coordinator::CoordinatorLog, public std::enable_shared_from_this<Hosted> {
 public:
  Hosted(CoordinatorHost& host, std::shared_ptr<Partition> partition)
      : host_(host),
        partition_(std::move(partition)),
        epoch_(partition_->state().leader_epoch),
        runtime_(*this, std::chrono::milliseconds(host.shard_.view()->config().number("offsets.commit.timeout.ms"))),
        scope_(host.shard_.shard().executor(),
               [&home = host.shard_.home()](std::exception_ptr fault) { home.on_fault(fault); }) {}

  coordinator::CoordinatorRuntime<GroupCoordinator>& runtime() { return runtime_; }
  bool is_current(const Partition& partition) const {
    return partition_.get() == &partition && partition.state().leader && partition.state().leader_epoch == epoch_;
  }
  void begin_load() { scope_.spawn(load()); }
  void forget(const std::vector<std::string>& topics) {
    if (runtime_.state() == coordinator::CoordinatorRuntime<GroupCoordinator>::State::kLoading) {
      forget_once_loaded_.insert(forget_once_loaded_.end(), topics.begin(), topics.end());
      return;
    }
    // Nobody waits for the reply.
    host_.deliver(runtime_.submit({0, coordinator::ForgetTopics{topics}}, now_of(host_.shard_.shard())));
    host_.rearm();
  }

  base::Result<base::Offset> append(base::LeaderEpoch, base::Timestamp now,
                                    std::span<const coordinator::LogRecord> records) override {
    auto batch = std::make_unique<InFlight>();
    batch->bytes = coordinator::encode_batch(records, now);
    AppendResult result = partition_->append(batch->bytes, record::AppendOrigin::kCoordinator, kProduceVersion, now,
                                             host_.shard_.decompressor(), batch->rebuilt);
    if (result.code != ErrorCode::kNone) return {result.code, std::move(result.message)};
    // The bytes stay where they are until they count, whatever becomes of this coordinator meanwhile.
    host_.shard_.home().scope.spawn(see_counted(partition_, std::move(batch), result.last_offset, weak_from_this()));
    return result.base_offset;
  }

 private:
  struct InFlight {
    base::ByteVector bytes;
    base::ByteVector rebuilt;
  };

  static base::Task<void> see_counted(std::shared_ptr<Partition> partition, std::unique_ptr<InFlight> batch,
                                      base::Offset last, std::weak_ptr<Hosted> waiting) {
    const auto counted = co_await partition->log()->wait_counted(last);
    batch.reset();
    auto hosted = waiting.lock();
    if (hosted == nullptr) co_return;
    if (counted.ok()) {
      hosted->host_.deliver(hosted->runtime_.committed(partition->high_watermark()));
    } else {
      hosted->host_.deliver(hosted->runtime_.failed(counted.code()));
    }
    hosted->host_.rearm();
  }

  base::Task<void> load() {
    io::Shard& shard = host_.shard_.shard();
    const base::MonoTime began = shard.clock().now();
    GroupCoordinator& machine =
        runtime_.start_loading(epoch_, std::make_unique<GroupCoordinator>(options_of(host_.shard_.view()->config()),
                                                                          shard.random(), shard.complaints()));
    record::Decompressor decompressor;
    coordinator::GroupLoader loader(machine, decompressor, shard.log());
    const base::Offset end = partition_->log()->assigned_end();
    base::Offset at = partition_->log()->log_start_offset();
    // What an earlier leadership of ours appended may still be on its way.
    const auto counted = at < end ? co_await partition_->log()->wait_counted(end + -1) : base::Result<void>{};
    while (counted.ok() && at < end) {
      auto read = co_await partition_->log()->read(at, kLoadBytes, end, true);
      auto loaded = read.ok() ? loader.load(read->batches) : base::Result<size_t>{read.error()};
      if (!loaded.ok()) {
        // A log that was closed or deleted meanwhile is served no more: nothing is wrong with it.
        const auto level = partition_->state().leader ? base::LogLevel::kError : base::LogLevel::kInfo;
        shard.log().log(level, "{}: the groups can't be loaded, their clients are refused: {}", partition_->name(),
                        loaded.error().message);
        host_.deliver(runtime_.resign());
        co_return;
      }
      if (read->next_offset <= at) break;
      at = read->next_offset;
    }
    if (at < end) {
      shard.log().error("{}: the groups can't be loaded beyond offset {} of {}, their clients are refused",
                        partition_->name(), at.value(), end.value());
      host_.deliver(runtime_.resign());
      co_return;
    }
    loader.finish(partition_->key().partition.value());
    host_.deliver(runtime_.finish_loading(partition_->high_watermark(), now_of(shard)));
    host_.rearm();
    if (!forget_once_loaded_.empty()) forget(std::exchange(forget_once_loaded_, {}));
    if (loader.records() > 0) {
      shard.log().info("{}: loaded {} groups and {} offsets from {} records in {} ms", partition_->name(),
                       machine.group_count(), machine.offsets().count(), loader.records(),
                       std::chrono::duration_cast<std::chrono::milliseconds>(shard.clock().now() - began).count());
    }
  }

  CoordinatorHost& host_;
  std::shared_ptr<Partition> partition_;
  base::LeaderEpoch epoch_;
  coordinator::CoordinatorRuntime<GroupCoordinator> runtime_;
  std::vector<std::string> forget_once_loaded_;
  base::TaskScope scope_;
};

std::optional<PartitionKey> group_partition(const ClusterView& view, std::string_view group_id) {
  const metadata::Topic* topic = view.image().topic(kOffsetsTopic);
  if (topic == nullptr || topic->partitions.size() == 0) return std::nullopt;
  const int32_t index = coordinator::partition_of_group(group_id, static_cast<int32_t>(topic->partitions.size()));
  return PartitionKey{topic->id, base::PartitionIndex{index}};
}

CoordinatorHost::CoordinatorHost(BrokerShard& shard)
    : shard_(shard),
      timer_(shard.shard().make_timer()),
      due_(shard.shard().executor()),
      scope_(shard.shard().executor(), [&home = shard.home()](std::exception_ptr fault) { home.on_fault(fault); }) {
  scope_.spawn(keep_time());
}

CoordinatorHost::~CoordinatorHost() = default;

void CoordinatorHost::refresh() {
  const metadata::Topic* topic = shard_.view() ? shard_.view()->image().topic(kOffsetsTopic) : nullptr;
  std::erase_if(hosted_, [&](auto& entry) {
    const auto partition = shard_.find(entry.first);
    if (partition && partition->log() && entry.second->is_current(*partition)) return false;
    deliver(entry.second->runtime().resign());
    return true;
  });
  if (topic == nullptr) return;
  topic->partitions.for_each([&](int32_t index, const auto&) {
    const PartitionKey key{topic->id, base::PartitionIndex{index}};
    if (hosted_.contains(key)) return;
    auto partition = shard_.find(key);
    if (!partition || !partition->log() || !partition->state().leader) return;
    auto hosted = std::make_shared<Hosted>(*this, std::move(partition));
    hosted_.emplace(key, hosted);
    hosted->begin_load();
  });
}

std::shared_ptr<CoordinatorHost::Waiting> CoordinatorHost::start(Hosted* hosted, GroupCommand command) {
  auto waiting = std::make_shared<Waiting>(shard_.shard().executor());
  command.request = ++last_request_;
  waiting_.emplace(command.request, waiting);
  if (hosted) {
    deliver(hosted->runtime().submit(std::move(command), now_of(shard_.shard())));
  } else {
    deliver(GroupCoordinator::refuse(std::move(command), ErrorCode::kNotCoordinator));
  }
  rearm();
  return waiting;
}

void CoordinatorHost::forget_topics(const std::vector<std::string>& names) {
  for (auto& [key, hosted] : hosted_) hosted->forget(names);
}

base::Task<GroupReplyBody> CoordinatorHost::submit(PartitionKey key, GroupCommand command) {
  auto found = hosted_.find(key);
  const auto partition = shard_.find(key);
  if (found == hosted_.end() || !partition || !found->second->is_current(*partition)) {
    refresh();
    found = hosted_.find(key);
  }
  auto waiting = start(found == hosted_.end() ? nullptr : found->second.get(), std::move(command));
  if (!waiting->reply) co_await waiting->done.wait();
  co_return *std::move(waiting->reply);
}

base::Task<std::vector<GroupReplyBody>> CoordinatorHost::submit_to_all(GroupCommand command) {
  refresh();
  std::vector<std::shared_ptr<Waiting>> all;
  for (auto& [key, hosted] : hosted_) all.push_back(start(hosted.get(), command));
  std::vector<GroupReplyBody> replies;
  for (auto& waiting : all) {
    if (!waiting->reply) co_await waiting->done.wait();
    replies.push_back(*std::move(waiting->reply));
  }
  co_return replies;
}

void CoordinatorHost::deliver(std::vector<GroupReply> replies) {
  for (GroupReply& reply : replies) {
    auto node = waiting_.extract(reply.request);
    if (node.empty()) continue;
    node.mapped()->reply = std::move(reply.body);
    node.mapped()->done.set();
  }
}

void CoordinatorHost::rearm() {
  std::optional<base::MonoTime> next;
  for (auto& [key, hosted] : hosted_) {
    const auto deadline = hosted->runtime().next_deadline();
    if (deadline && (!next || *deadline < *next)) next = deadline;
  }
  // A timer that is set too early only finds nothing to do.
  if (!next || (armed_ && *armed_ <= *next)) return;
  armed_ = next;
  timer_->arm(*next, due_);
}

base::Task<void> CoordinatorHost::keep_time() {
  while (true) {
    co_await due_.wait();
    armed_.reset();
    for (auto& [key, hosted] : hosted_) deliver(hosted->runtime().tick(now_of(shard_.shard())));
    rearm();
  }
}

base::Task<GroupReplyBody> ask_coordinator(BrokerShard& home, std::string group_id, GroupCommand command) {
  const auto key = group_partition(*home.view(), group_id);
  const auto owner = key ? home.owner_of(*key) : std::nullopt;
  if (!owner) co_return coordinator::error_reply(command, ErrorCode::kNotCoordinator);
  if (*owner == home.shard().id()) co_return co_await home.coordinators().submit(*key, std::move(command));
  BrokerShard& peer = home.peer(*owner);
  auto there = [&peer, key = *key, moved = std::move(command)]() mutable {
    return peer.coordinators().submit(key, std::move(moved));
  };
  co_return co_await run_on(home.shard(), peer.home(), std::move(there));
}

base::Task<std::vector<GroupReplyBody>> ask_all_coordinators(BrokerShard& home, GroupCommand command) {
  std::vector<GroupReplyBody> all;
  for (uint32_t i = 0; i < home.shard_count(); ++i) {
    BrokerShard& peer = home.peer(base::ShardId{i});
    auto there = [&peer, command] { return peer.coordinators().submit_to_all(command); };
    auto replies = &peer == &home ? co_await home.coordinators().submit_to_all(command)
                                  : co_await run_on(home.shard(), peer.home(), std::move(there));
    for (auto& reply : replies) all.push_back(std::move(reply));
  }
  co_return all;
}

}  // namespace stele::broker
