#include "broker/controller_host.h"

#include "record/batch.h"

namespace stele::broker {

namespace {
constexpr size_t kReadBytes = 1 << 20;
}

ControllerHost::ControllerHost(io::Shard& shard, std::unique_ptr<metadata::MetadataLog> log, SnapshotOptions options)
    : shard_(shard),
      log_(std::move(log)),
      options_(options),
      last_snapshot_(shard.clock().now()),
      scope_(shard.executor(), [this](std::exception_ptr) { fail("a task of the controller failed"); }) {}

base::Task<base::Result<std::unique_ptr<ControllerHost>>> ControllerHost::load(
    io::Shard& shard, std::unique_ptr<metadata::MetadataLog> log, SnapshotOptions options) {
  std::unique_ptr<ControllerHost> host{new ControllerHost{shard, std::move(log), options}};
  auto read = co_await host->read_all();
  if (!read.ok()) co_return std::move(read).error();
  co_return host;
}

base::Task<base::Result<void>> ControllerHost::read_all() {
  metadata::ImagePtr image = std::make_shared<metadata::Image>();
  const auto snapshots = log_->snapshots();
  if (!snapshots.empty()) {
    const metadata::SnapshotId id = snapshots.back();
    auto content = co_await log_->get_snapshot(id);
    if (!content.ok()) co_return std::move(content).error();
    auto read = metadata::read_snapshot(*content);
    if (!read.ok()) co_return std::move(read).error();
    auto positioned = std::make_shared<metadata::Image>(**read);
    positioned->next_index = id.end;
    positioned->epoch = id.epoch;
    image = std::move(positioned);
  }
  metadata::Delta delta{image};
  for (base::Offset at = image->next_index; at < log_->end();) {
    auto entries = co_await log_->read(at, kReadBytes);
    if (!entries.ok()) co_return std::move(entries).error();
    record::BatchReader batches{entries->batches};
    while (true) {
      auto batch = batches.next();
      if (!batch.ok()) co_return std::move(batch).error();
      if (!*batch) break;
      auto applied = delta.apply_batch((*batch)->bytes());
      if (!applied.ok()) co_return std::move(applied).error();
    }
    bytes_since_snapshot_ += entries->batches.size();
    if (entries->next_index <= at) break;
    at = entries->next_index;
  }
  committed_ = std::move(delta).finish();
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> ControllerHost::activate(controller::Options options,
                                                        std::shared_ptr<const config::BrokerConfig> config,
                                                        const metadata::Records& bootstrap, base::Uuid incarnation,
                                                        const std::vector<metadata::Endpoint>& endpoints) {
  auto claim = co_await log_->claim();
  if (!claim.ok()) co_return std::move(claim).error();
  epoch_ = claim->epoch;
  // The claim's own entry is part of the state too.
  auto read = co_await read_all();
  if (!read.ok()) co_return std::move(read).error();
  core_ = std::make_unique<controller::Controller>(options, std::move(config), committed_, shard_.clock().now());
  for (const metadata::Records& records : core_->activation(bootstrap, incarnation, endpoints)) {
    auto done = co_await append(records);
    if (!done.ok()) co_return std::move(done).error();
  }
  log_->set_waits_for_space(true);
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> ControllerHost::append(const metadata::Records& records) {
  if (failure_) co_return *failure_;
  if (records.empty()) co_return base::Result<void>{};
  const base::Offset index = core_->image()->next_index;
  base::ByteVector batch = metadata::record_batch(index, epoch_, records, shard_.clock().wall());
  const size_t size = batch.size();
  auto changes = core_->replay(batch);
  STELE_CHECK(changes.ok(), "the controller wrote what it cannot read: {}",
              changes.ok() ? "" : changes.error().message);
  appended_.push_back({core_->image(), *std::move(changes)});
  const metadata::AppendOutcome outcome = co_await log_->append(epoch_, index, std::move(batch));
  if (outcome != metadata::AppendOutcome::kCommitted) {
    co_return fail("the metadata log did not take a write; its state on disk is unknown");
  }
  bytes_since_snapshot_ += size;
  if (shard_.maybe("controller.late_publish")) co_await base::yield(shard_.executor());
  publish();
  tend();
  co_return base::Result<void>{};
}

void ControllerHost::publish() {
  while (!appended_.empty() && appended_.front().image->next_index <= log_->end()) {
    committed_ = std::move(appended_.front().image);
    changes_.add(appended_.front().changes);
    appended_.pop_front();
  }
  if (follower_ != nullptr) follower_->set();
}

ControllerHost::Progress ControllerHost::take_progress() { return {committed_, std::exchange(changes_, {})}; }

base::Error ControllerHost::fail(std::string reason) {
  if (!failure_) {
    shard_.log().error("controller: {}", reason);
    failure_ = base::Error{base::ErrorCode::kNotController, std::move(reason)};
    if (follower_ != nullptr) follower_->set();
  }
  return *failure_;
}

void ControllerHost::tend() {
  if (failure_ || writing_snapshot_ || core_ == nullptr || bytes_since_snapshot_ == 0) return;
  const bool early = shard_.maybe("controller.early_snapshot");
  const bool by_time =
      options_.interval_max > base::Duration{0} && shard_.clock().now() - last_snapshot_ >= options_.interval_max;
  if (!early && !by_time && bytes_since_snapshot_ < options_.bytes_between) return;
  writing_snapshot_ = true;
  bytes_since_snapshot_ = 0;
  last_snapshot_ = shard_.clock().now();
  scope_.spawn(write_snapshot(committed_));
}

base::Task<void> ControllerHost::write_snapshot(metadata::ImagePtr image) {
  const base::Timestamp now = shard_.clock().wall();
  auto written = co_await log_->put_snapshot({image->next_index, image->epoch}, metadata::write_snapshot(*image, now));
  if (written.ok()) written = co_await log_->trim(now);
  writing_snapshot_ = false;
  if (!written.ok()) shard_.log().error("controller: no snapshot of the metadata: {}", written.error().message);
}

}  // namespace stele::broker
