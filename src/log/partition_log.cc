#include "log/partition_log.h"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <utility>

#include "log/recovery.h"

namespace stele::log {

using base::ErrorCode;

namespace {

constexpr size_t kPartsMax = 512;  // below the kernel's IOV_MAX
constexpr size_t kPartsKept = 32;
constexpr size_t kCursors = 8;
// From so many bytes on that wait, one sync of the segment costs less than writing them twice (docs/decisions/0003).
constexpr uint64_t kSegmentWorth = 48 << 10;

std::string describe(std::exception_ptr fault) {
  try {
    std::rethrow_exception(fault);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "unknown exception";
  }
}

// What the kernel made of earlier writes is unknown: a full disk is then no reason to go on.
base::Error for_good(base::Error error) {
  error.os_error = 0;
  return error;
}

}  // namespace

bool is_no_space(const base::Error& error) { return error.os_error == ENOSPC || error.os_error == EDQUOT; }

struct PartitionLog::EndWaiter : base::ListNode {
  EndWaiter(base::Executor& executor, base::Offset last_offset, End of_end)
      : last(last_offset), end(of_end), signal(executor) {}
  base::Offset last;
  End end;
  base::Signal signal;
};

PartitionLog::PartitionLog(OpenArgs args)
    : place_{args.shard, std::move(args.log_dir), std::move(args.name), args.open_files},
      shard_(*args.shard),
      topic_id_(args.topic_id),
      options_(args.options),
      observer_(args.observer),
      log_start_(args.log_start_offset),
      journal_(std::move(args.journal)),
      cursors_(kCursors),
      last_use_(args.shard->clock().now()),
      tasks_(args.shard->executor(), [this](std::exception_ptr fault) {
        fail({ErrorCode::kKafkaStorageError, fmt::format("{}: {}", place_.name, describe(fault))});
      }) {}

PartitionLog::~PartitionLog() = default;

base::Task<base::Result<std::unique_ptr<PartitionLog>>> PartitionLog::open(OpenArgs args) {
  const bool synced = args.options.synced;
  Recovery recovery(std::unique_ptr<PartitionLog>(new PartitionLog(args)), args);
  STELE_CO_TRY_ASSIGN(std::unique_ptr<PartitionLog> log, co_await recovery.run());
  // What was found counts from now on.
  const bool left = log->journal_ && log->journal_->is_left(log->topic_id_, log->place_.name);
  if (synced || left) STELE_CO_TRY(co_await log->flush());
  if (left) {
    // Of this log before it was let go; all that stands is in the segments now.
    log->share_ = log->journal_->join(*log, log->topic_id_, log->place_.name);
    STELE_CO_TRY(co_await log->share_->forget());
  }
  co_return std::move(log);
}

void PartitionLog::set_options(const LogOptions& options) {
  options_ = options;
  if (options_.synced && synced_end_ < written_end_) request_flush();
}

base::Offset PartitionLog::active_base() const { return active().base(); }

uint64_t PartitionLog::size_bytes() const {
  uint64_t bytes = 0;
  for (const SegmentPtr& segment : segments_) bytes += segment->size();
  return bytes;
}

// The name of the first segment tells it too, once that name is on stable storage.
std::optional<base::Offset> PartitionLog::log_start_to_checkpoint() const {
  if (log_start_ > segments_.front()->base() || (names_unsynced() && log_start_ > base::Offset{0})) return log_start_;
  return std::nullopt;
}

std::optional<base::Offset> PartitionLog::first_unstable_offset() const {
  const auto first = producers_.first_unstable_offset();
  return first ? std::optional{std::max(*first, log_start_)} : std::nullopt;
}

base::Result<void> PartitionLog::usable() const {
  if (failure_) return *failure_;
  if (closed_) return {ErrorCode::kKafkaStorageError, fmt::format("{} is closed", place_.name)};
  return {};
}

void PartitionLog::begin_epoch(base::LeaderEpoch epoch) {
  if (usable().ok() && epochs_.assign(epoch, assigned_end_)) note_epoch(assigned_end_);
}

void PartitionLog::note_epoch(base::Offset start) {
  epochs_unsaved_ = std::min(epochs_unsaved_.value_or(start), start);
  epochs_new_ = std::min(epochs_new_.value_or(start), start);
}

// On a full disk they stay unsaved, and the recovery point where it is: what only deletes goes on.
base::Task<base::Result<void>> PartitionLog::save_epochs() {
  if (!epochs_unsaved_) co_return base::Result<void>{};
  auto written = co_await write_epochs();
  if (written.ok() || !is_no_space(written.error())) co_return written;
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> PartitionLog::write_file(std::string file, base::ByteVector content, bool synced) {
  co_return co_await place_.log_dir->replace(place_.path(file), std::move(content), synced);
}

void PartitionLog::enqueue(Step step) {
  queue_.push_back(std::move(step));
  if (working_) return;
  working_ = true;
  tasks_.spawn(work_off());
}

base::Task<base::Result<void>> PartitionLog::run_ordered(Work work) {
  STELE_CO_TRY(usable());
  co_return co_await submit(std::move(work));
}

base::Task<base::Result<void>> PartitionLog::submit(Work work) {
  if (failure_) co_return *failure_;
  auto ticket = std::make_shared<Ticket>(shard_.executor());
  Step step;
  step.work = std::move(work);
  step.ticket = ticket;
  enqueue(std::move(step));
  co_await ticket->done.wait();
  co_return *std::move(ticket->result);
}

// Runs while the queue holds anything. The first turn is given away, so that all appends of a turn go in one write.
base::Task<void> PartitionLog::work_off() {
  co_await base::yield(shard_.executor());
  while (!queue_.empty() && !failure_) {
    if (shard_.maybe("log.late_step")) co_await base::yield(shard_.executor());
    if (failure_) break;
    if (!queue_.front().work) {
      auto written = co_await write_gathered();
      if (!written.ok()) fail(std::move(written).error());
      continue;
    }
    Step step = std::move(queue_.front());
    queue_.pop_front();
    base::Result<void> done = co_await step.work();
    const bool broken = done.code() == ErrorCode::kKafkaStorageError;
    if (broken && !failure_) fail(done.error());
    if (step.ticket) {
      step.ticket->result = std::move(done);
      step.ticket->done.set();
    }
  }
  working_ = false;
}

// The first steps of the queue were written: their batches were checked when they were taken.
void PartitionLog::note_checked(Segment& segment, size_t steps, uint64_t misses) {
  const base::MonoTime now = shard_.clock().now();
  base::Offset first = written_end_;
  for (size_t i = 0; i < steps; ++i) {
    const Step& step = queue_[i];
    segment.checked().add({step.position, step.position + step.bytes.size(), first, step.end, now}, misses,
                          oldest_believed());
    first = step.end;
  }
}

base::Task<base::Result<void>> PartitionLog::write_gathered() {
  const SegmentPtr segment = queue_.front().segment;
  const uint64_t position = queue_.front().position;
  const base::Offset first = written_end_;
  std::vector<iovec>& parts = parts_;
  parts.clear();
  uint64_t bytes = 0;
  base::Offset end;
  for (const Step& step : queue_) {
    if (step.work || step.segment != segment || parts.size() == kPartsMax) break;
    if (!parts.empty() && shard_.maybe("log.small_write")) break;
    parts.push_back({const_cast<std::byte*>(step.bytes.data()), step.bytes.size()});  // NOLINT: iovec is for reads too
    bytes += step.bytes.size();
    end = step.end;
  }
  std::shared_ptr<io::File> file = segment->open_log_file();
  if (file == nullptr) {
    STELE_CO_TRY_ASSIGN(file, co_await segment->log_file());
  }
  STELE_CHECK(position == segment->written(), "{} after {}", position, segment->written());
  const auto shared = options_.recheck_ms > 0 ? file->share() : nullptr;
  const uint64_t misses = shared == nullptr ? 0 : shared->misses();
  auto written = co_await file->write(position, parts);
  if (failure_) co_return *failure_;  // a sync failed meanwhile: the queue is gone
  if (!written.ok()) {
    // What the write left behind is no batch that anyone was told of.
    shard_.mark("log.write_undone");
    auto cut = co_await file->truncate(position);
    // A loss of power must not bring it back behind, or instead of, what is written here next.
    if (cut.ok()) cut = co_await file->sync();
    if (!cut.ok()) {
      shard_.log().error("{}: the failed write could not be undone: {}", place_.name, cut.error().message);
      co_return for_good(std::move(written).error());
    }
    co_return std::move(written).error();
  }
  if (shared != nullptr && truncating_ == 0) note_checked(*segment, parts.size(), misses);
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(parts.size()));
  segment->set_written(position + bytes);
  written_end_ = end;
  written_bytes_ += bytes;
  // The bytes may go once the waiters are awake.
  if (options_.synced && !journal_written(first, parts)) request_flush();
  if (parts.capacity() > kPartsKept) parts_ = {};
  wake();
  if (shard_.maybe("log.early_flush")) request_flush();
  if (!options_.synced && observer_ != nullptr) observer_->on_counted(*this);
  co_return base::Result<void>{};
}

// Everything of `old` is written by now.
base::Task<base::Result<void>> PartitionLog::finish_roll(SegmentPtr old, SegmentPtr next, base::ByteVector snapshot) {
  // Once the new file is there, neither recovery nor a flush looks at the old one any more.
  const bool passed = recovery_point_ >= next->base();
  if (passed) {
    STELE_CO_TRY(co_await old->write_indexes());
    STELE_CO_TRY(co_await old->sync_indexes());
  } else if (!shard_.maybe("log.late_indexes")) {
    STELE_CO_TRY(co_await old->write_indexes());
  }
  STELE_CO_TRY(co_await next->create());
  STELE_CO_TRY_ASSIGN(
      const std::unique_ptr<io::File> snapshot_file,
      co_await place_.log_dir->open(place_.path(next->file_name(kSnapshotSuffix)), io::OpenMode::kCreate));
  STELE_CO_TRY(co_await snapshot_file->truncate(0));
  const iovec whole{snapshot.data(), snapshot.size()};
  STELE_CO_TRY(co_await snapshot_file->write(0, {&whole, 1}));
  if (passed) STELE_CO_TRY(co_await snapshot_file->sync());
  ++names_changed_;
  request_flush();
  co_return base::Result<void>{};
}

void PartitionLog::fail(base::Error error) {
  if (failure_) return;
  shard_.mark("log.failed");
  if (error.code != ErrorCode::kKafkaStorageError) error.code = ErrorCode::kKafkaStorageError;
  failure_ = std::move(error);
  assigned_end_ = written_end_;
  for (const SegmentPtr& segment : segments_) segment->undo_unwritten();
  if (!deleted_) {
    shard_.log().error("{}/{}: the log is offline: {}", place_.log_dir->path(), place_.name, failure_->message);
  }
  std::deque<Step> abandoned;
  abandoned.swap(queue_);
  for (Step& step : abandoned) {
    if (!step.ticket) continue;
    step.ticket->result = *failure_;
    step.ticket->done.set();
  }
  wake();
  if (observer_ != nullptr && !deleted_) observer_->on_failed(*this, *failure_);
}

base::Task<void> PartitionLog::settled() {
  co_await tasks_.join();
  if (failure_) share_.reset();
}

void PartitionLog::wake() {
  waiters_.for_each([&](EndWaiter& waiter) {
    if (!failure_ && waiter.last >= reached(waiter.end) && waiter.last < assigned_end_) return;
    waiter.unlink();
    waiter.signal.set();
  });
}

base::Task<base::Result<void>> PartitionLog::wait_written(base::Offset last) { return wait_end(last, End::kWritten); }

base::Task<base::Result<void>> PartitionLog::wait_synced(base::Offset last) {
  STELE_CO_TRY(co_await wait_end(last, End::kWritten));
  co_return co_await wait_end(last, End::kSynced);
}

base::Task<base::Result<void>> PartitionLog::wait_counted(base::Offset last) {
  // The option may change meanwhile.
  do {
    STELE_CO_TRY(co_await (options_.synced ? wait_synced(last) : wait_written(last)));
  } while (counted_end() <= last);
  co_return base::Result<void>{};
}

base::Offset PartitionLog::reached(End end) const {
  if (end == End::kFlushed) return flushed_end_;
  return end == End::kSynced ? synced_end_ : written_end_;
}

base::Task<base::Result<void>> PartitionLog::wait_end(base::Offset last, End end) {
  for (;;) {
    if (failure_) co_return *failure_;
    if (reached(end) > last) co_return base::Result<void>{};
    if (last >= assigned_end_) {
      co_return base::Error{ErrorCode::kOffsetOutOfRange,
                            fmt::format("{}: offset {} was cut off", place_.name, last.value())};
    }
    EndWaiter waiter(shard_.executor(), last, end);
    waiters_.push_back(waiter);
    const bool coming = last < flush_target_ || (end == End::kSynced && last < journal_sent_);
    if (end != End::kWritten && !coming) request_flush();  // may be over before it returns
    co_await waiter.signal.wait();
  }
}

// One flush at a time; one that is asked for meanwhile follows it, for all who asked.
void PartitionLog::request_flush() {
  flush_again_ = true;
  if (flushing_ || failure_) return;
  flushing_ = true;
  tasks_.spawn(flush_behind());
}

base::Task<void> PartitionLog::flush_behind() {
  while (std::exchange(flush_again_, false) && !failure_) {
    // In the order of truncations, which write them too.
    base::Result<void> flushed;
    if (epochs_unsaved_) flushed = co_await submit([this] { return save_epochs(); });
    flush_again_ = false;  // who asked meanwhile is served by this one
    if (flushed.ok()) flushed = co_await flush_written();
    if (!flushed.ok()) {
      fail(std::move(flushed).error());
      break;
    }
  }
  flushing_ = false;
}

base::Task<base::Result<void>> PartitionLog::flush_written() {
  const base::Offset target = written_end_;
  const uint64_t bytes = written_bytes_;
  const uint64_t generation = generation_;
  flush_target_ = std::max(flush_target_, target);
  const auto first = std::ranges::upper_bound(segments_, recovery_point_, {}, &Segment::base);
  const std::vector<SegmentPtr> segments{first == segments_.begin() ? first : std::prev(first), segments_.end()};
  base::Offset recovered = target;
  if (epochs_unsaved_ && *epochs_unsaved_ < target) recovered = recovery_point_;
  for (const SegmentPtr& segment : segments) {
    if (segment->base() >= target) break;
    auto synced = co_await segment->sync_log();
    if (segment->deleted()) continue;
    if (!synced.ok()) co_return for_good(std::move(synced).error());
    if (recovered < target) continue;
    // No recovery makes the snapshot anew that lies between two segments below the recovery point. It is whole: a batch
    // was written behind it.
    if (segment->base() >= recovery_point_) STELE_CO_TRY(co_await segment->sync_snapshot());
    if (segment == segments.back()) continue;
    if (!segment->indexes_written()) {
      recovered = std::max(recovery_point_, segment->base());
      continue;
    }
    STELE_CO_TRY(co_await segment->sync_indexes());
  }
  if (names_unsynced()) STELE_CO_TRY(co_await sync_names());
  if (generation != generation_) {
    // What was synced may be cut off by now; what is left of it is synced again for those who wait.
    shard_.mark("log.cut_while_syncing");
    flush_target_ = flushed_end_;
    flush_again_ = true;
    co_return base::Result<void>{};
  }
  // A segment that was rolled meanwhile was synced without its indexes.
  const SegmentPtr& last = segments.back();
  if (last != segments_.back()) recovered = std::min(recovered, std::max(recovery_point_, last->base()));
  flushed_end_ = std::max(flushed_end_, target);
  flushed_bytes_ = std::max(flushed_bytes_, bytes);
  recovery_point_ = std::max(recovery_point_, recovered);
  raise_synced();
  if (share_) share_->synced(flushed_end_);
  co_return base::Result<void>{};
}

void PartitionLog::raise_synced() {
  const bool journaled = journal_from_ <= flushed_end_ && journal_to_ > flushed_end_;
  const base::Offset end = journaled ? journal_to_ : flushed_end_;
  const base::Offset before = std::exchange(synced_end_, std::max(synced_end_, end));
  if (synced_end_ > before) synced_bytes_ = std::max(synced_bytes_, journaled ? journal_bytes_ : flushed_bytes_);
  wake();
  if (options_.synced && observer_ != nullptr && synced_end_ > before) observer_->on_counted(*this);
}

// False where the segment is to be synced instead.
bool PartitionLog::journal_written(base::Offset first, std::span<const iovec> parts) {
  if (!journal_ || written_bytes_ - synced_bytes_ >= kSegmentWorth) return false;
  if (shard_.maybe("log.past_the_journal")) return false;
  if (!share_) share_ = journal_->join(*this, topic_id_, place_.name);
  std::vector<base::Bytes> batches;
  for (const iovec& part : parts) batches.emplace_back(static_cast<const std::byte*>(part.iov_base), part.iov_len);
  const bool gapless = first <= flushed_end_ || first == journal_sent_;
  const auto kind = gapless ? JournalKind::kRecords : JournalKind::kBehindGap;
  if (!share_->append(kind, first, written_end_, batches, {generation_, written_bytes_})) return false;
  journal_sent_ = written_end_;
  return true;
}

void PartitionLog::on_journaled(base::Offset first, base::Offset end, JournalTag tag) {
  if (failure_ || tag.generation != generation_) return;
  if (first != journal_to_) journal_from_ = first;
  journal_to_ = end;
  journal_bytes_ = tag.bytes;
  // What lies before was written while nothing had to be synced, or was too large for the journal.
  if (journal_from_ > flushed_end_) {
    if (end > flush_target_) request_flush();
    return;
  }
  raise_synced();
}

void PartitionLog::on_not_journaled() {
  journal_sent_ = synced_end_;
  request_flush();
}

base::Task<base::Result<void>> PartitionLog::flush() {
  if (assigned_end_ > flushed_end_) {
    STELE_CO_TRY(co_await wait_written(assigned_end_ + -1));
    STELE_CO_TRY(co_await wait_end(assigned_end_ + -1, End::kFlushed));
  }
  if (recovery_point_ >= flushed_end_ && !names_unsynced() && !epochs_unsaved_) co_return base::Result<void>{};
  co_return co_await run_ordered([this] { return flush_all(); });
}

// Of ordered work.
base::Task<base::Result<void>> PartitionLog::flush_all() {
  STELE_CO_TRY(co_await save_epochs());
  co_return co_await flush_written();
}

base::Task<base::Result<void>> PartitionLog::close_idle(base::MonoTime now, base::Duration idle) {
  if (!usable().ok() || working_ || now - last_use_ < idle) co_return base::Result<void>{};
  const bool any = std::ranges::any_of(segments_, [](const SegmentPtr& segment) {
    return segment->has_open_file() || (segment->indexes_loaded() && segment->offset_index().entries().count() > 0);
  });
  if (!any) co_return base::Result<void>{};
  co_return co_await run_ordered([this] { return let_go(); });
}

base::Task<base::Result<void>> PartitionLog::let_go() {
  const std::vector<SegmentPtr> segments = segments_;
  for (const SegmentPtr& segment : segments) {
    if (segment->indexes_loaded()) {
      STELE_CO_TRY(co_await segment->write_indexes());
      segment->drop_indexes();
    }
    segment->close_files();
  }
  co_return base::Result<void>{};
}

}  // namespace stele::log
