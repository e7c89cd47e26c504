#include "broker/broker.h"

#include "base/complaints.h"
#include "broker/coordinator_host.h"
#include "metadata/format.h"
#include "metadata/local_log.h"
#include "wire/codec.h"
#include "wire/create_topics_request.h"

namespace stele::broker {

namespace {

// So long a start waits for its partitions before it serves without those that are not open: what is open by then costs
// no client a second try.
constexpr base::Duration kPatience = std::chrono::seconds{1};

template <class Order>
using PerShard = std::vector<std::vector<Order>>;

base::Error config_error(std::string text) { return {base::ErrorCode::kInvalidConfig, std::move(text)}; }

base::Task<base::Result<void>> prepare_here(BrokerShard& at, BrokerIdentity identity, std::vector<std::string> paths,
                                            uint64_t journal_bytes) {
  at.set_identity(std::move(identity));
  std::vector<std::shared_ptr<io::Directory>> directories;
  std::vector<std::shared_ptr<log::Journal>> journals;
  for (const std::string& path : paths) {
    if (path.empty()) {
      directories.emplace_back();
      journals.emplace_back();
      continue;
    }
    auto directory = co_await at.shard().open_directory(path, false);
    if (!directory.ok()) co_return std::move(directory).error();
    directories.push_back(*std::move(directory));
    const log::JournalOptions options{.bytes = journal_bytes / at.shard_count()};
    journals.push_back(journal_bytes == 0 ? nullptr
                                          : std::make_shared<log::Journal>(at.shard(), directories.back(), options));
  }
  at.set_directories(std::move(directories));
  at.set_journals(std::move(journals));
  co_return base::Result<void>{};
}

}  // namespace

Broker::Broker(BrokerShard& control)
    : control_(control),
      dirs_(control.shard()),
      opening_(control, dirs_, [this](HostOutcome outcome) { return hosted(std::move(outcome)); }),
      progress_signal_(control.shard().executor()),
      checkpointed_(control.shard().executor()),
      checkpoint_over_(control.shard().executor()),
      fatal_(control.shard().executor()),
      background_(control.shard().executor(), [this](std::exception_ptr fault) {
        control_.home().on_fault(fault);
        die("a task of the broker failed");
      }) {}

void Broker::die(std::string reason) {
  if (fatal_reason_.empty()) fatal_reason_ = std::move(reason);
  fatal_.set();
}

base::Task<base::Result<void>> Broker::open_dirs(std::shared_ptr<const config::BrokerConfig> config) {
  config_ = std::move(config);
  STELE_CO_TRY(co_await dirs_.open(config_->log_dirs(), config_->metadata_log_dir()));
  STELE_CO_TRY(co_await open_metadata_dir());
  STELE_CO_TRY(co_await check_dirs());
  STELE_CO_TRY(co_await dirs_.look_around(config_->metadata_log_dir()));
  const int64_t retention_ms = config_->number("metadata.max.retention.ms");
  metadata::LocalLogOptions options{.node = identity_.id, .directory = *metadata_dir().meta()->directory_id};
  options.segment_bytes = static_cast<uint64_t>(config_->number("metadata.log.segment.bytes"));
  options.segment_ms = config_->number("metadata.log.segment.ms");
  options.retention_bytes = static_cast<uint64_t>(config_->number("metadata.max.retention.bytes"));
  options.retention_ms = retention_ms;
  auto directory = co_await control_.shard().open_directory(metadata_dir().path(), false);
  if (!directory.ok()) co_return std::move(directory).error();
  auto log = co_await metadata::LocalLog::open(control_.shard(), *std::move(directory), options);
  if (!log.ok()) co_return std::move(log).error();
  const SnapshotOptions snapshots{
      .bytes_between = static_cast<uint64_t>(config_->number("metadata.log.max.record.bytes.between.snapshots")),
      .interval_max = std::chrono::milliseconds{config_->number("metadata.log.max.snapshot.interval.ms")}};
  auto host = co_await ControllerHost::load(control_.shard(), *std::move(log), snapshots);
  if (!host.ok()) co_return std::move(host).error();
  controller_ = *std::move(host);
  const auto unenforced = controller_->image()->unenforced();
  if (!unenforced.empty() && !config_->allow_insecure()) {
    std::string list;
    for (const std::string& what : unenforced) list += (list.empty() ? "" : ", ") + what;
    co_return config_error(
        fmt::format("the cluster's metadata holds {}, which Stele does not enforce yet: starting would "
                    "open what they close. stele.allow.insecure=true starts all the same",
                    list));
  }
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> Broker::open_metadata_dir() {
  const std::string path = config_->metadata_log_dir();
  for (size_t i = 0; i < dirs_.size(); ++i) {
    if (config_->log_dirs()[i] == path) metadata_dir_ = i;
  }
  if (metadata_dir_) co_return base::Result<void>{};
  auto made = co_await control_.shard().open_directory(path, true);
  if (!made.ok()) co_return std::move(made).error();
  STELE_CO_TRY_ASSIGN(metadata_apart_, co_await log::LogDir::open(control_.shard(), path));
  co_return base::Result<void>{};
}

const log::LogDir& Broker::first_dir() {
  size_t first = 0;
  while (!dirs_.has(first)) ++first;
  return dirs_.dir(first);
}

const log::LogDir& Broker::metadata_dir() { return metadata_dir_ ? dirs_.dir(*metadata_dir_) : *metadata_apart_; }

base::Result<void> Broker::check_meta(const log::LogDir& dir) {
  const auto& meta = dir.meta();
  if (!meta && dir.is_blank()) {
    return config_error(
        fmt::format("log dir {} is not formatted, while another of log.dirs is in use: format it with `stele format "
                    "--ignore-formatted`, or take it out of log.dirs",
                    dir.path()));
  }
  if (!meta) {
    return config_error(
        fmt::format("log dir {} holds files, but no meta.properties that says whose they are: name an empty directory "
                    "in log.dirs, or put meta.properties back",
                    dir.path()));
  }
  if (meta->node_id.value() != config_->node_id() && config_->from_file()) {
    return config_error(
        fmt::format("log dir {} belongs to node {}, but node.id is {}: set node.id={}, or name the log dirs of node {}",
                    dir.path(), meta->node_id.value(), config_->node_id(), meta->node_id.value(), config_->node_id()));
  }
  const auto& first = first_dir().meta();
  if (first && meta->cluster_id != first->cluster_id) {
    return config_error(
        fmt::format("log dirs {} and {} belong to different clusters, {} and {}: name those of one cluster in log.dirs",
                    first_dir().path(), dir.path(), first->cluster_id, meta->cluster_id));
  }
  return {};
}

// Whose log dirs these are; formats them where all are blank.
base::Task<base::Result<void>> Broker::check_dirs() {
  std::vector<log::LogDir*> all;
  bool partitions = false;
  for (size_t i = 0; i < dirs_.size(); ++i) {
    if (!dirs_.has(i)) continue;
    all.push_back(&dirs_.dir(i));
    partitions |= !dirs_.dir(i).partitions().empty();
  }
  if (metadata_apart_) all.push_back(metadata_apart_.get());
  if (std::all_of(all.begin(), all.end(), [](const log::LogDir* dir) { return dir->is_blank() && !dir->meta(); })) {
    if (dirs_.online_count() < dirs_.size()) {
      co_return base::Error{base::ErrorCode::kKafkaStorageError, "a first start needs all of log.dirs"};
    }
    co_return co_await format_dirs();
  }
  for (log::LogDir* dir : all) {
    STELE_CO_TRY(check_meta(*dir));
    if (dir->meta()->directory_id) continue;
    log::MetaProperties with_id = *dir->meta();
    with_id.directory_id = base::Uuid::make_random(control_.shard().random());
    control_.shard().log().warn(
        "log dir {} has no directory.id and gets {}: partitions that the metadata places under its former id get no "
        "leader until that id is put back",
        dir->path(), with_id.directory_id->to_string());
    STELE_CO_TRY(co_await dir->write_meta(with_id, control_.shard().clock().wall()));
  }
  if (partitions && !metadata_dir().has_metadata_log()) {
    co_return config_error(
        fmt::format("the log dirs hold partitions, but {} no metadata log (__cluster_metadata-0), so that every one of "
                    "them would be taken for a stray: put the metadata log back, or start with empty log dirs",
                    metadata_dir().path()));
  }
  identity_ = {first_dir().meta()->node_id, first_dir().meta()->cluster_id};
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> Broker::format_dirs() {
  identity_ = {base::BrokerId{config_->node_id()}, base::Uuid::make_random(control_.shard().random()).to_string()};
  const auto new_format = [this]() {
    return metadata::Format{.cluster_id = identity_.cluster_id,
                            .node = identity_.id,
                            .directory = base::Uuid::make_random(control_.shard().random()),
                            .version = metadata::kMetadataVersionLatest,
                            .standalone = std::nullopt};
  };
  for (size_t i = 0; i < dirs_.size(); ++i) STELE_CO_TRY(co_await dirs_.format(i, new_format()));
  if (metadata_apart_) {
    STELE_CO_TRY(co_await metadata::format_log_dir(*metadata_apart_->directory(), new_format(),
                                                   control_.shard().clock().wall()));
    metadata_apart_.reset();  // its lock is taken again
    STELE_CO_TRY(co_await open_metadata_dir());
  }
  control_.shard().log().info("formatted {} empty log dir{}: cluster id {}", dirs_.size(), dirs_.size() == 1 ? "" : "s",
                              identity_.cluster_id);
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> Broker::start(BrokerOptions options) {
  options_ = std::move(options);
  // From the first write on, a crash leaves dirs that must be recovered.
  STELE_CO_TRY(co_await dirs_.begin(config_->metadata_log_dir()));
  const auto at_once = static_cast<size_t>(config_->number("num.recovery.threads.per.data.dir"));
  STELE_CO_TRY(co_await dirs_.replay_journals(at_once, config_->metadata_log_dir()));
  const controller::Options core{
      .node = identity_.id,
      .session_timeout = std::chrono::milliseconds{config_->number("broker.session.timeout.ms")},
      .complaints = &control_.shard().complaints()};
  // What formatting chose, for a metadata log that holds nothing yet.
  STELE_CO_TRY_ASSIGN(const metadata::Records bootstrap,
                      co_await metadata::read_bootstrap(*metadata_dir().directory()));
  STELE_CO_TRY(co_await controller_->activate(core, options_.config, bootstrap,
                                              base::Uuid::make_random(control_.shard().random()),
                                              options_.controller_endpoints));
  STELE_CO_TRY(co_await prepare_shards());
  STELE_CO_TRY(co_await register_here());
  STELE_CO_TRY(co_await host_found());
  controller_->follow(&progress_signal_);
  background_.spawn(follow());
  co_await opening_.wait(control_.shard().clock().now() + kPatience);
  if (dirs_.online_count() == 0) co_return base::Error{base::ErrorCode::kKafkaStorageError, "no log dir can be used"};
  STELE_CO_TRY(co_await heartbeat());
  co_await catch_up();
  serving_ = true;
  background_.spawn(keep_alive());
  background_.spawn(keep_checkpoints());
  background_.spawn(keep_tidy());
  background_.spawn(keep_space());
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> Broker::prepare_shards() {
  per_shard_.assign(control_.shard_count(), 0);
  per_dir_.assign(dirs_.size(), 0);
  const BrokerIdentity identity = identity_;
  std::vector<std::string> paths = config_->log_dirs();
  for (size_t i = 0; i < paths.size(); ++i) {
    if (dirs_.offline(i)) paths[i].clear();
  }
  const auto journal_bytes = static_cast<uint64_t>(config_->number("stele.journal.bytes"));
  auto prepared = co_await on_every_shard<base::Result<void>>(
      control_, [identity, paths, journal_bytes](BrokerShard& at, uint32_t) {
        return prepare_here(at, identity, paths, journal_bytes);
      });
  for (auto& result : prepared) {
    if (!result.ok()) co_return std::move(result).error();
  }
  BrokerShard& control = control_;
  for (uint32_t i = 0; i < control_.shard_count(); ++i) {
    BrokerShard& peer = control_.peer(base::ShardId{i});
    // A log fails on its own shard; its dir is taken offline from here.
    peer.set_on_log_failed([this, &peer, &control](const Partition& partition, const base::Error& error) {
      peer.home().scope.spawn([](Broker* broker, BrokerShard* from, BrokerShard* to, PartitionKey key, size_t dir,
                                 base::Error why) -> base::Task<void> {
        co_await run_on(from->shard(), to->home(), [broker, from, key, dir, why]() {
          return broker->log_failed(from->shard().id(), key, dir, why);
        });
      }(this, &peer, &control, partition.key(), partition.log_dir(), error));
    });
  }
  co_return base::Result<void>{};
}

base::Task<bool> Broker::dir_failed(size_t log_dir, std::string reason) {
  if (dirs_.offline(log_dir)) co_return true;
  dirs_.take_offline(log_dir, std::move(reason));
  co_await dir_is_offline(log_dir);
  co_return true;
}

// What follows from a log dir that went offline just now.
base::Task<void> Broker::dir_is_offline(size_t log_dir) {
  // Kafka halts too: without the metadata log nothing can be decided, and a later write there would only fail later.
  if (metadata_dir_ == log_dir) die("the log dir of the metadata log failed");
  if (dirs_.online_count() == 0) die("the last log dir failed");
  co_await on_every_shard<bool>(control_,
                                [log_dir](BrokerShard& at, uint32_t) { return take_dir_offline_here(at, log_dir); });
}

base::Task<base::Result<void>> Broker::register_here() {
  controller::Registration registration{.id = identity_.id,
                                        .incarnation = base::Uuid::make_random(control_.shard().random()),
                                        .endpoints = options_.endpoints,
                                        .features = {},
                                        .rack = std::nullopt,
                                        .log_dirs = {},
                                        .previous_epoch = dirs_.clean_epoch()};
  for (const metadata::SupportedFeature& feature : metadata::supported_features()) {
    registration.features.push_back({std::string{feature.name}, feature.min, feature.max, {}});
  }
  const std::string rack = options_.config->text("broker.rack");
  if (!rack.empty()) registration.rack = rack;
  for (size_t i = 0; i < dirs_.size(); ++i) {
    if (!dirs_.offline(i)) registration.log_dirs.push_back(dirs_.id(i));
  }
  auto decision = controller_->core().register_broker(registration, control_.shard().clock().now());
  if (!decision.ok()) co_return std::move(decision).error();
  auto registered = co_await controller_->commit(*std::move(decision));
  if (!registered.ok()) co_return std::move(registered).error();
  epoch_ = *registered;
  co_return base::Result<void>{};
}

// Takes in every partition that the metadata places here, and sets aside what belongs to no topic.
base::Task<base::Result<void>> Broker::host_found() {
  const metadata::ImagePtr image = controller_->image();
  refresh_config(*image);
  const auto known = [&image, this](const PartitionKey& key) {
    const metadata::Partition* partition = image->partition(key.topic, key.partition);
    return partition != nullptr && partition->has_replica(identity_.id);
  };
  co_await dirs_.settle(known, [&](const log::TopicPartition& name) -> std::optional<PartitionKey> {
    const metadata::Topic* topic = image->topic(name.topic);
    if (topic == nullptr || !known({topic->id, name.partition})) return std::nullopt;
    return PartitionKey{topic->id, name.partition};
  });
  if (metadata_dir_ && dirs_.offline(*metadata_dir_)) {
    co_return base::Error{base::ErrorCode::kKafkaStorageError, dirs_.failure(*metadata_dir_)};
  }
  controller_->take_progress();
  PerShard<HostOrder> host(control_.shard_count());
  PerShard<UpdateOrder> update(control_.shard_count());
  finding_ = true;
  image->for_each_topic([&](const metadata::Topic& topic) { plan_topic(*image, topic, nullptr, host, update); });
  finding_ = false;
  co_await publish(image, {});
  told_space_.assign(dirs_.size(), SpaceLevel::kEnough);
  dirs_.limit_space(config_->number("stele.log.dir.min.free.bytes"));
  for (size_t i = 0; i < dirs_.size(); ++i) {
    if (dirs_.look_at_space(i)) co_await tell_space(i);
  }
  opening_.set_parallel(parallel_opens());
  for (uint32_t i = 0; i < host.size(); ++i) {
    for (HostOrder& order : host[i]) opening_.add(base::ShardId{i}, std::move(order));
  }
  opening_.begin();
  co_return base::Result<void>{};
}

// What num.recovery.threads.per.data.dir bounds is the recovery after a crash; a dir that was stopped cleanly has
// little to read, so that every shard may open as many.
std::vector<size_t> Broker::parallel_opens() const {
  const auto threads = static_cast<size_t>(config_->number("num.recovery.threads.per.data.dir"));
  std::vector<size_t> at_once;
  for (size_t i = 0; i < dirs_.size(); ++i) {
    const bool clean = dirs_.has(i) && dirs_.dir(i).clean_shutdown();
    at_once.push_back(clean ? threads * control_.shard_count() : threads);
  }
  return at_once;
}

StartProgress Broker::progress() const {
  StartProgress progress{.serving = serving_};
  for (const Opening::Progress& dir : opening_.progress()) {
    progress.partitions_total += dir.total;
    progress.partitions_ready += dir.done;
  }
  return progress;
}

void Broker::when_complete(std::function<void()> listener) {
  complete_listener_ = std::move(listener);
  if (progress().complete()) std::exchange(complete_listener_, nullptr)();
}

base::Task<base::Result<controller::HeartbeatAnswer>> Broker::heartbeat() {
  const controller::Heartbeat beat{.id = identity_.id,
                                   .epoch = epoch_,
                                   .metadata_end = controller_->image()->next_index,
                                   .want_fence = false,
                                   .want_shut_down = stopping_};
  auto decision = controller_->core().heartbeat(beat, control_.shard().clock().now());
  if (!decision.ok()) co_return std::move(decision).error();
  co_return co_await controller_->commit(*std::move(decision));
}

// Asks to be let go until the controller has moved every leader away and fenced this broker.
base::Task<void> Broker::leave() {
  constexpr int kBeats = 3;  // one moves the leaders, the next fences
  for (int i = 0; i < kBeats; ++i) {
    const auto told = co_await heartbeat();
    if (!told.ok()) {
      control_.shard().log().warn("the controller did not hear of the stop: {}", told.error().message);
      co_return;
    }
    if (told->should_shut_down) co_return;
  }
  control_.shard().log().warn("the controller did not let this broker go");
}

base::Task<void> Broker::stop() {
  stopping_ = true;
  serving_ = false;
  complete_listener_ = nullptr;
  // What is under way to the disk goes on when the task that waits for it is cancelled: a rename of these checkpoints
  // would take the draft of the last ones away.
  while (checkpointing_) co_await checkpoint_over_.wait();
  background_.cancel();
  co_await opening_.stop();
  if (controller_ != nullptr) controller_->stop_waiting_for_space();
  if (controller_ != nullptr && !controller_->failure()) co_await leave();
  auto closed = co_await on_every_shard<std::vector<Standing>>(
      control_, [](BrokerShard& at, uint32_t) { return close_here(at); });
  std::vector<Standing> all;
  for (auto& part : closed) std::move(part.begin(), part.end(), std::back_inserter(all));
  co_await dirs_.sync_closed(all);
  static_cast<void>(co_await dirs_.checkpoint(all, true));
  controller_.reset();
  co_await dirs_.mark_clean(all, epoch_);
}

base::Task<std::map<std::string, base::Error>> Broker::create_missing(std::vector<std::string> topics) {
  std::pmr::monotonic_buffer_resource arena;
  auto request = wire::make_message<wire::CreateTopicsRequest>(&arena);
  request.timeout_ms = static_cast<int32_t>(config_->number("request.timeout.ms"));
  std::string segment_bytes = std::to_string(config_->number("offsets.topic.segment.bytes"));
  for (const std::string& name : topics) {
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = -1;
    topic.replication_factor = -1;
    if (name != kOffsetsTopic) continue;
    topic.num_partitions = static_cast<int32_t>(config_->number("offsets.topic.num.partitions"));
    topic.replication_factor = static_cast<int16_t>(config_->number("offsets.topic.replication.factor"));
    for (const auto& [key, value] : {std::pair<std::string_view, std::string_view>{"compression.type", "producer"},
                                     {"cleanup.policy", "compact"},
                                     {"segment.bytes", segment_bytes}}) {
      auto& config = topic.configs.emplace_back();
      config.name = key;
      config.value = value;
    }
  }
  std::map<std::string, base::Error> failed;
  const auto created =
      co_await controller_->commit(controller_->core().create_topics(request, control_.shard().random(), &arena));
  if (!created.ok()) {
    for (const std::string& name : topics) failed.emplace(name, created.error());
    co_return failed;
  }
  for (const auto& topic : created->topics) {
    const auto code = static_cast<base::ErrorCode>(topic.error_code);
    if (code == base::ErrorCode::kNone || code == base::ErrorCode::kTopicAlreadyExists) continue;
    failed.emplace(std::string{topic.name}, base::Error{code, std::string{topic.error_message.value_or("")}});
    control_.shard().complaints().warn("topic {} cannot be created: {}", topic.name, topic.error_message.value_or(""));
  }
  co_await catch_up();
  co_return failed;
}

base::Task<base::Result<base::ProducerId>> Broker::next_producer_id() {
  while (producer_ids_.count == 0) {
    auto decision = controller_->core().allocate_producer_ids(identity_.id, epoch_);
    if (!decision.ok()) co_return std::move(decision).error();
    auto block = co_await controller_->commit(*std::move(decision));
    if (!block.ok()) co_return std::move(block).error();
    // Another caller may have brought a block meanwhile; ids of one of the two are then never used.
    producer_ids_ = *block;
  }
  --producer_ids_.count;
  co_return base::ProducerId{producer_ids_.first++};
}

}  // namespace stele::broker
