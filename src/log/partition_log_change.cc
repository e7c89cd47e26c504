// What changes a partition's files other than by appending: truncation, deletion, retention, close.
#include <algorithm>
#include <cerrno>

#include "log/batch_scanner.h"
#include "log/partition_log.h"

namespace stele::log {

using base::ErrorCode;

namespace {

constexpr uint64_t kSnapshotMax = uint64_t{1} << 30;

struct Leave {
  int& count;
  ~Leave() { --count; }
};

}  // namespace

base::Task<base::Result<void>> PartitionLog::truncate_to(base::Offset offset) {
  STELE_CO_TRY(usable());
  ++truncating_;
  co_return co_await submit([this, offset] { return truncation(offset, false); });
}

base::Task<base::Result<void>> PartitionLog::truncate_fully_and_start_at(base::Offset offset) {
  STELE_CO_TRY(usable());
  ++truncating_;
  co_return co_await submit([this, offset] { return truncation(offset, true); });
}

base::Task<base::Result<void>> PartitionLog::truncation(base::Offset offset, bool fully) {
  const Leave leave{truncating_};
  const bool starts_above = offset < segments_.front()->base();
  if (fully || (starts_above && offset < assigned_end_)) co_return co_await do_truncate_fully(offset);
  co_return co_await do_truncate(offset);
}

void PartitionLog::cut_ends(base::Offset end) {
  assigned_end_ = written_end_ = end;
  synced_end_ = std::min(synced_end_, end);
  flushed_end_ = std::min(flushed_end_, end);
  flush_target_ = flushed_end_;  // of a flush that runs, nothing is believed
  journal_from_ = journal_to_ = journal_sent_ = end;
  recovery_point_ = std::min(recovery_point_, end);
  log_start_ = std::min(log_start_, end);
}

void PartitionLog::begin_cut() {
  ++generation_;
  as_closed_ = false;
  damage_.places.clear();
  std::ranges::fill(cursors_, Cursor{});
  for (const SegmentPtr& segment : segments_) segment->checked().clear();
}

base::Task<base::Result<void>> PartitionLog::do_truncate(base::Offset offset) {
  if (offset >= assigned_end_) {
    if (epochs_.truncate_end(offset)) co_return co_await write_epochs();
    co_return base::Result<void>{};
  }
  begin_cut();
  // From the newest on, so that a crash in between leaves a log without a hole.
  while (segments_.size() > 1 && segments_.back()->base() > offset) {
    const SegmentPtr segment = segments_.back();
    segments_.pop_back();
    STELE_CO_TRY(co_await delete_segment(segment));
  }
  const SegmentPtr last = segments_.back();
  STELE_CO_TRY_ASSIGN(const std::shared_ptr<io::File> file, co_await last->log_file());
  STELE_CO_TRY(co_await last->load_indexes());
  BatchScanner scanner(file, last->position_for(offset), last->written());
  uint64_t bytes = last->written();
  base::Offset end = offset;
  for (bool found = false; !found;) {
    STELE_CO_TRY_ASSIGN(const bool more, co_await scanner.fill());
    if (!more) break;
    while (const auto batch = scanner.take()) {
      if (batch->view.last_offset() < offset) continue;
      bytes = batch->position;
      end = std::min(offset, batch->view.base_offset());
      found = true;
      break;
    }
  }
  if (!scanner.stop().empty()) {
    co_return base::Error{ErrorCode::kKafkaStorageError,
                          fmt::format("{}/{} cannot be cut at offset {}: damaged at byte {}: {}", place_.name,
                                      last->file_name(kLogSuffix), offset.value(), scanner.position(), scanner.stop())};
  }
  STELE_CO_TRY(co_await last->truncate(bytes, end));
  begin_cut();
  cut_ends(end);
  STELE_CO_TRY(co_await sync_names());
  STELE_CO_TRY(co_await reload_producers(end, end));
  epochs_.truncate_end(end);
  STELE_CO_TRY(co_await write_epochs());
  co_return co_await forget_in_journal();
}

// What the journal has from before the cut must not come back after a crash: what remains is synced in the segments,
// and the journal forgets the rest. A crash before that is one before the cut.
base::Task<base::Result<void>> PartitionLog::forget_in_journal() {
  wake();
  if (!share_) co_return base::Result<void>{};
  STELE_CO_TRY(co_await flush_all());
  co_return co_await share_->forget();
}

base::Task<base::Result<void>> PartitionLog::do_truncate_fully(base::Offset offset) {
  begin_cut();
  const std::vector<SegmentPtr> old = segments_;
  auto fresh = std::make_shared<Segment>(place_, offset, options_, 0, shard_.clock().wall());
  fresh->reset_for_rebuild();
  segments_ = {fresh};
  assigned_end_ = written_end_ = synced_end_ = flushed_end_ = recovery_point_ = log_start_ = offset;
  flush_target_ = journal_from_ = journal_to_ = journal_sent_ = offset;
  for (auto segment = old.rbegin(); segment != old.rend(); ++segment) {
    STELE_CO_TRY(co_await delete_segment(*segment));
  }
  STELE_CO_TRY(co_await fresh->create());
  STELE_CO_TRY(co_await sync_names());
  STELE_CO_TRY(co_await reload_producers(offset, base::kNoOffset));
  epochs_.clear();
  STELE_CO_TRY(co_await write_epochs());
  co_return co_await forget_in_journal();
}

base::Task<base::Result<void>> PartitionLog::write_epochs(bool synced) {
  base::ByteVector content;
  const std::string text = format_epoch_checkpoint(epochs_.entries());
  base::append(content, base::as_bytes(text));
  epochs_new_.reset();
  STELE_CO_TRY(co_await write_file(std::string{kEpochCheckpointName}, std::move(content), synced));
  epochs_unsaved_ = epochs_new_;
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> PartitionLog::sync_names() {
  const uint64_t names = names_changed_;
  STELE_CO_TRY(co_await place_.log_dir->sync(place_.name));
  names_synced_ = std::max(names_synced_, names);
  co_return base::Result<void>{};
}

// Renames the files; sweep() removes them once no reader can need them.
base::Task<base::Result<void>> PartitionLog::delete_segment(SegmentPtr segment) {
  segment->mark_deleted();
  as_closed_ = false;
  std::erase_if(damage_.places, [&](const Damage::Place& place) { return place.segment_base == segment->base(); });
  const base::Timestamp due{shard_.clock().wall().value() + options_.file_delete_delay_ms};
  for (const std::string_view suffix :
       {kLogSuffix, kIndexSuffix, kTimeIndexSuffix, kTransactionIndexSuffix, kSnapshotSuffix}) {
    const std::string from = place_.path(segment->file_name(suffix));
    std::string to = from;
    to += kDeletedSuffix;
    auto renamed = co_await place_.log_dir->rename(from, to);
    if (!renamed.ok()) {
      if (renamed.error().os_error == ENOENT) continue;
      co_return std::move(renamed).error();
    }
    doomed_.push_back({std::move(to), due});
  }
  ++names_changed_;
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> PartitionLog::advance_log_start(base::Offset offset) {
  STELE_CO_TRY(usable());
  if (offset > assigned_end_) {
    co_return base::Error{ErrorCode::kOffsetOutOfRange, fmt::format("the log start cannot pass the end {} to {}",
                                                                    assigned_end_.value(), offset.value())};
  }
  set_log_start(offset);
  if (segments_.size() < 2 || segments_[1]->base() > log_start_) co_return base::Result<void>{};
  co_return co_await run_ordered([this] { return delete_below_log_start(); });
}

void PartitionLog::set_log_start(base::Offset offset) {
  if (offset <= log_start_) return;
  log_start_ = offset;
  as_closed_ = false;
  if (epochs_.truncate_start(offset)) note_epoch(offset);
  producers_.log_start_moved(offset);
}

base::Task<base::Result<void>> PartitionLog::delete_below_log_start() {
  while (segments_.size() > 1 && segments_[1]->base() <= log_start_) {
    const SegmentPtr segment = segments_.front();
    segments_.erase(segments_.begin());
    STELE_CO_TRY(co_await delete_segment(segment));
  }
  STELE_CO_TRY(co_await sync_names());
  co_return base::Result<void>{};
}

base::Task<base::Result<size_t>> PartitionLog::apply_retention(base::Timestamp now, base::Offset high_watermark) {
  STELE_CO_TRY(usable());
  RetentionPlan plan{log_start_, 0};
  if (options_.delete_policy && (options_.retention_ms >= 0 || options_.retention_bytes >= 0)) {
    const std::vector<SegmentPtr> segments = segments_;
    for (const SegmentPtr& segment : segments) {
      if (!segment->largest_timestamp_known()) STELE_CO_TRY(co_await segment->load_indexes());
      if (options_.retention_ms < 0 || now.value() - segment->largest_timestamp().value() <= options_.retention_ms)
        break;
      STELE_CO_TRY(co_await segment->confirm_largest_timestamp());
    }
    STELE_CO_TRY(usable());
    plan = plan_retention(segments_view(), options_, now, high_watermark, assigned_end_, log_start_);
    if (plan.log_start == assigned_end_ && active().size() > 0 && plan.segments == segments_.size()) {
      roll_at(assigned_end_, now);
    }
    set_log_start(plan.log_start);
  }
  const auto below = static_cast<size_t>(std::ranges::count_if(segments_, [&](const SegmentPtr& segment) {
    const SegmentPtr next = segment_after(*segment);
    return next && next->base() <= log_start_;
  }));
  if (below == 0) co_return size_t{0};
  STELE_CO_TRY(co_await run_ordered([this] { return delete_below_log_start(); }));
  co_return below;
}

std::vector<SegmentFacts> PartitionLog::segments_view() const {
  std::vector<SegmentFacts> facts;
  for (const SegmentPtr& segment : segments_) {
    const bool timed = segment->largest_timestamp_known() && segment->largest_timestamp() >= base::Timestamp{0};
    facts.push_back({segment->base(), segment->size(), timed ? segment->largest_timestamp() : segment->created()});
  }
  return facts;
}

base::Task<base::Result<void>> PartitionLog::sweep(base::Timestamp now) {
  std::vector<Doomed> due;
  std::erase_if(doomed_, [&](Doomed& file) {
    if (file.due > now) return false;
    due.push_back(std::move(file));
    return true;
  });
  for (const Doomed& file : due) {
    auto removed = co_await place_.log_dir->remove(file.path);
    if (!removed.ok() && removed.error().os_error != ENOENT) co_return std::move(removed).error();
  }
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> PartitionLog::close_clean(bool owner_syncs) {
  STELE_CO_TRY(usable());
  closed_ = true;
  co_return co_await submit([this, owner_syncs] { return do_close(owner_syncs); });
}

base::Task<base::Result<void>> PartitionLog::do_close(bool owner_syncs) {
  // An epoch without a batch, which every start begins, is not worth a write.
  const bool epochs_stand = !epochs_unsaved_ || *epochs_unsaved_ >= assigned_end_;
  if (as_closed_ && epochs_stand &&
      std::ranges::all_of(segments_, [](const SegmentPtr& s) { return s->indexes_written(); })) {
    for (const SegmentPtr& segment : segments_) segment->close_files();
    co_return base::Result<void>{};
  }
  active().seal();
  const std::vector<SegmentPtr> segments = segments_;
  const base::Offset recovered = recovery_point_;
  for (const SegmentPtr& segment : segments) {
    const bool durable = segment != segments.back() && segment_after(*segment)->base() <= recovered;
    if (durable && segment->indexes_written()) continue;
    STELE_CO_TRY(co_await segment->write_indexes());
    if (!owner_syncs || durable) {  // no recovery looks at the indexes of one that is durable
      STELE_CO_TRY(co_await segment->sync_log());
      STELE_CO_TRY(co_await segment->sync_indexes());
      STELE_CO_TRY(co_await segment->sync_snapshot());
    }
    segment->close_files();
  }
  if (assigned_end_ > base::Offset{0}) {  // of a log that never held anything Kafka has none either
    STELE_CO_TRY(co_await write_file(offset_file_name(assigned_end_, kSnapshotSuffix),
                                     encode_producer_snapshot(producers_.snapshot()), !owner_syncs));
  }
  STELE_CO_TRY(co_await write_epochs(!owner_syncs));
  if (owner_syncs) co_return base::Result<void>{};
  STELE_CO_TRY(co_await sync_names());
  flushed_end_ = recovery_point_ = assigned_end_;
  flushed_bytes_ = written_bytes_;
  raise_synced();
  if (share_) share_->synced(flushed_end_);
  co_return base::Result<void>{};
}

base::Task<base::Result<std::string>> PartitionLog::mark_deleted(base::Uuid unique) {
  STELE_CO_TRY(usable());
  const auto parsed = parse_partition_directory(place_.name);
  if (!parsed) {
    co_return base::Error{ErrorCode::kKafkaStorageError, fmt::format("'{}' is no partition directory", place_.name)};
  }
  closed_ = deleted_ = true;
  std::string name = partition_directory_name(parsed->partition, DirectoryKind::kDeleted, unique);
  STELE_CO_TRY(co_await submit([this, name] { return rename_directory(name); }));
  if (share_) share_->drop();
  co_return name;
}

base::Task<base::Result<void>> PartitionLog::rename_directory(std::string name) {
  for (const SegmentPtr& segment : segments_) segment->close_files();
  STELE_CO_TRY(co_await place_.log_dir->rename(place_.name, name));
  co_return co_await place_.log_dir->sync();
}

// From the newest readable snapshot not above `newest_snapshot`, then from the log up to `end`. Later snapshots are
// removed, since they belong to what was cut off, but for those up to `keep_snapshots`.
base::Task<base::Result<void>> PartitionLog::reload_producers(base::Offset end, base::Offset newest_snapshot,
                                                              base::Offset keep_snapshots) {
  producers_.clear();
  STELE_CO_TRY_ASSIGN(const std::vector<io::Entry> entries, co_await place_.log_dir->list(place_.name));
  base::Offset from = segments_.front()->base();
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    const auto offset = parse_offset_file_name(entry->name, kSnapshotSuffix);
    if (!offset) continue;
    const std::string path = place_.path(entry->name);
    if (*offset <= std::max(newest_snapshot, keep_snapshots)) {
      STELE_CO_TRY_ASSIGN(const base::ByteVector bytes, co_await io::read_whole(*place_.log_dir, path, kSnapshotMax));
      auto parsed = parse_producer_snapshot(bytes);
      if (parsed.ok() && *offset > newest_snapshot) continue;
      if (parsed.ok()) {
        producers_.restore(*parsed);
        from = std::max(from, *offset);
        break;
      }
      shard_.log().warn("{}: removed, producers are read from the log instead: {}", path, parsed.error().message);
    }
    STELE_CO_TRY(co_await place_.log_dir->remove(path));
  }
  co_return co_await replay_producers(from, end);
}

base::Task<base::Result<void>> PartitionLog::replay_producers(base::Offset from, base::Offset end) {
  const std::vector<SegmentPtr> segments = segments_;
  for (size_t i = 0; i < segments.size(); ++i) {
    const SegmentPtr& segment = segments[i];
    if (segment->base() >= end || (i + 1 < segments.size() && segments[i + 1]->base() <= from)) continue;
    if (segment->written() == 0) continue;
    STELE_CO_TRY_ASSIGN(const std::shared_ptr<io::File> file, co_await segment->log_file());
    uint64_t position = 0;
    if (from > segment->base()) {
      STELE_CO_TRY(co_await segment->load_indexes());
      position = segment->position_for(from);
    }
    STELE_CO_TRY(co_await replay_segment(segment, BatchScanner(file, position, segment->written()), from, end));
    if (segment != segments.back()) segment->close_files();
  }
  co_return base::Result<void>{};
}

// A damaged batch tells nothing of its producer, whose next batch is then refused as out of order.
base::Task<base::Result<void>> PartitionLog::replay_segment(SegmentPtr segment, BatchScanner scanner, base::Offset from,
                                                            base::Offset end) {
  base::Offset next = segment->base();
  for (;;) {
    STELE_CO_TRY_ASSIGN(const bool more, co_await scanner.fill());
    while (const auto batch = scanner.take()) {
      const record::BatchView& view = batch->view;
      next = std::max(next, view.next_offset());
      if (view.last_offset() < from || view.base_offset() >= end) continue;
      if (view.crc_valid()) {
        producers_.update(ProducerAppend::of(view), view.base_offset());
      } else {
        static_cast<void>(refuse_damage(*segment, batch->position, "its checksum is wrong"));
      }
    }
    if (more) continue;
    if (scanner.stop().empty()) co_return base::Result<void>{};
    static_cast<void>(refuse_damage(*segment, scanner.position(), scanner.stop()));
    STELE_CO_TRY_ASSIGN(const auto resumed, co_await scanner.resume_behind(scanner.position(), next));
    if (!resumed) co_return base::Result<void>{};
  }
}

}  // namespace stele::log
