#include "log/recovery.h"

#include <algorithm>
#include <cerrno>
#include <map>

#include "log/batch_scanner.h"
#include "log/log_dir.h"
#include "log/meta_properties.h"

namespace stele::log {

using base::ErrorCode;

namespace {

constexpr uint64_t kTextFileMax = 64 << 20;
constexpr std::string_view kDraftSuffix = ".tmp";
constexpr uint64_t kCopyAtOnce = 1 << 20;

}  // namespace

Recovery::Recovery(std::unique_ptr<PartitionLog> log, OpenArgs args)
    : log_(std::move(log)), args_(std::move(args)), l_(*log_) {}

base::Task<base::Result<std::unique_ptr<PartitionLog>>> Recovery::run() {
  STELE_CO_TRY(co_await look_inside());
  STELE_CO_TRY(co_await check_topic_id());
  STELE_CO_TRY(co_await tidy());
  STELE_CO_TRY(co_await load_segments());
  STELE_CO_TRY(co_await load_epochs());
  if (made_) args_.clean = true;  // there is nothing to recover

  bool all_checked = !args_.clean;
  const size_t last = l_.segments_.size() - 1;
  size_t first = args_.clean ? last : segment_with(args_.recovery_point);
  if (args_.clean) {
    STELE_CO_TRY_ASSIGN(const bool good, co_await tail_is_good(l_.segments_[last]));
    all_checked = !good;
    if (!good) {
      args_.shard->log().error("{}: the log dir was stopped cleanly, but the end of {} is damaged: recovering it",
                               args_.name, l_.segments_[last]->file_name(kLogSuffix));
    }
  }
  // The checkpoint may already begin at a log start whose deletions did not survive.
  if (all_checked && !l_.epochs_.entries().empty() &&
      l_.epochs_.entries().front().start > std::max(args_.log_start_offset, l_.segments_.front()->base())) {
    l_.epochs_.clear();
    epochs_missing_ = true;
  }
  if (epochs_missing_) STELE_CO_TRY(co_await read_all_epochs(all_checked ? first : last + 1));
  if (all_checked) {
    STELE_CO_TRY(co_await recover_from(first));
    // Below the log start nothing was to be kept.
    if (const base::Offset lost = std::max(end_, args_.log_start_offset); lost < args_.recovery_point) {
      args_.shard->log().error("{}/{}: the offsets {} to {} were on stable storage and are lost", args_.log_dir->path(),
                               args_.name, lost.value(), args_.recovery_point.value() - 1);
    }
    if (args_.write_again) STELE_CO_TRY(spare_full_disk(co_await write_again(first)));
  } else {
    STELE_CO_TRY(co_await l_.reload_producers(end_, end_));
  }
  if (end_ < args_.log_start_offset) STELE_CO_TRY(co_await start_over_at_log_start());

  l_.log_start_ = std::max(args_.log_start_offset, l_.segments_.front()->base());
  l_.assigned_end_ = l_.written_end_ = end_;
  const base::Offset synced = std::min(args_.clean && !all_checked ? end_ : args_.recovery_point, end_);
  // Nothing below the log start is waited for; but that is no reason to believe that it was synced: what a loss of
  // power takes from the first segment, below the log start, has to be cut.
  l_.synced_end_ = std::max(synced, l_.log_start_);
  l_.recovery_point_ = l_.flushed_end_ = std::max(synced, l_.segments_.front()->base());
  l_.epochs_.truncate_end(end_);
  l_.epochs_.truncate_start(l_.log_start_);
  l_.producers_.log_start_moved(l_.log_start_);
  l_.expire_producers(args_.shard->clock().wall());
  STELE_CO_TRY(co_await read_first_timestamp(l_.segments_.back()));
  STELE_CO_TRY(co_await remove_stray_snapshots());
  STELE_CO_TRY(co_await settle(all_checked));
  co_return std::move(log_);
}

// What was found or made is made durable when the recovery point passes it, not here: until then another recovery finds
// or makes it again. After an unclean stop that goes for names and epochs that look right too, since a process that was
// killed may have written them a moment ago. At once go names alone that must not come back beside new batches.
base::Task<base::Result<void>> Recovery::settle(bool all_checked) {
  if (all_checked || epochs_missing_) l_.epochs_unsaved_ = base::Offset{0};
  if (set_aside_) STELE_CO_TRY(co_await l_.sync_names());
  if (all_checked || (warm_->names_changed() && !set_aside_ && !l_.unsynced_new_)) ++l_.names_changed_;
  const bool whole = std::ranges::all_of(l_.segments_, [](const SegmentPtr& s) { return s->indexes_written(); });
  const auto has_snapshot = [this](const io::Entry& file) {
    return parse_offset_file_name(file.name, kSnapshotSuffix) == end_;
  };
  l_.as_closed_ = !all_checked && !epochs_missing_ && !warm_->names_changed() && whole &&
                  (end_ == base::Offset{0} || std::ranges::any_of(files_, has_snapshot));
  for (const SegmentPtr& segment : l_.segments_) segment->close_files();  // what they hold is of the warm directory
  l_.place_.log_dir = warm_->cold();
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> Recovery::look_inside() {
  auto found = co_await args_.log_dir->read_directory(args_.name, WarmDirectory::kFileMax);
  if (!found.ok() && found.error().os_error == ENOENT) {
    STELE_CO_TRY_ASSIGN(const auto made, co_await args_.log_dir->open_directory(args_.name, true));
    if (!args_.owner_syncs_new) STELE_CO_TRY(co_await args_.log_dir->sync());
    made_ = true;
    found = std::vector<io::FoundFile>{};
  }
  if (!found.ok()) co_return std::move(found).error();
  warm_ = std::make_shared<WarmDirectory>(args_.log_dir, args_.name, *std::move(found));
  args_.log_dir = l_.place_.log_dir = warm_;
  STELE_CO_TRY_ASSIGN(files_, co_await warm_->list(args_.name));
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> Recovery::check_topic_id() {
  if (args_.topic_id.is_zero()) co_return base::Result<void>{};
  const std::string path = l_.place_.path(std::string{kPartitionMetadataName});
  auto bytes = co_await io::read_whole(*args_.log_dir, path, kTextFileMax);
  const bool empty = !holds_records(files_);
  if (bytes.ok()) {
    const auto found = parse_partition_metadata(base::as_text(*bytes));
    // A process that made this partition may have been killed before it was synced, or because that failed: the page
    // cache tells nothing then. Where a record is, it was synced.
    const bool may_be_unsynced = !args_.clean && empty;
    if (found.ok() && *found == args_.topic_id && !may_be_unsynced) co_return base::Result<void>{};
    if (found.ok() && *found != args_.topic_id) {
      co_return base::Error{
          ErrorCode::kInconsistentTopicId,
          fmt::format("{} belongs to topic id {}, not {}", args_.name, found->to_string(), args_.topic_id.to_string())};
    }
    if (!empty) co_return unknown_topic(found.error().message);
  } else if (bytes.error().os_error != ENOENT) {
    co_return std::move(bytes).error();
  } else if (!empty) {
    co_return unknown_topic("it is missing, though there are records");
  }
  base::ByteVector content;
  const std::string text = format_partition_metadata(args_.topic_id);
  base::append(content, base::as_bytes(text));
  l_.unsynced_new_ = made_ && args_.owner_syncs_new;
  STELE_CO_TRY(co_await args_.log_dir->replace(path, std::move(content), !l_.unsynced_new_));
  if (!made_) STELE_CO_TRY(co_await args_.log_dir->sync());  // an earlier try may have made it
  STELE_CO_TRY_ASSIGN(files_, co_await args_.log_dir->list(args_.name));
  co_return base::Result<void>{};
}

// This partition alone is refused: an empty one in its place would lose every record of it.
base::Error Recovery::unknown_topic(std::string_view why) const {
  std::string wanted = format_partition_metadata(args_.topic_id);
  std::ranges::replace(wanted, '\n', ' ');
  return {ErrorCode::kInconsistentTopicId,
          fmt::format("{}/{}/{} does not tell whose records these are: {}. Put it back (for the topic of this name it "
                      "holds the lines {}), or move the directory away to begin with an empty partition",
                      args_.log_dir->path(), args_.name, kPartitionMetadataName, why, wanted)};
}

// Finishes interrupted deletions, drafts and compactions as Kafka's LogLoader does.
base::Task<base::Result<void>> Recovery::tidy() {
  base::Offset least_cleaned{INT64_MAX};
  for (const io::Entry& file : files_) {
    const std::string_view name = file.name;
    if (!name.ends_with(kCleanedSuffix)) continue;
    const std::string_view whole = name.substr(0, name.size() - kCleanedSuffix.size());
    for (const std::string_view suffix : {kLogSuffix, kIndexSuffix, kTimeIndexSuffix, kTransactionIndexSuffix}) {
      if (const auto base = parse_offset_file_name(whole, suffix)) least_cleaned = std::min(least_cleaned, *base);
    }
  }
  std::vector<base::Offset> swaps;
  std::vector<std::string> swap_files;
  for (const io::Entry& file : files_) {
    const std::string_view name = file.name;
    if (file.directory) continue;
    if (name.ends_with(kDeletedSuffix) || name.ends_with(kCleanedSuffix) || name.ends_with(kDraftSuffix)) {
      STELE_CO_TRY(co_await remove(file.name));
    } else if (name.ends_with(kSwapSuffix)) {
      const std::string_view whole = name.substr(0, name.size() - kSwapSuffix.size());
      const auto base = parse_offset_file_name(whole, kLogSuffix);
      const size_t digits = whole.find('.');
      const auto any =
          digits == std::string_view::npos ? std::nullopt : parse_offset_file_name(whole, whole.substr(digits));
      if (!any || *any >= least_cleaned) {
        STELE_CO_TRY(co_await remove(file.name));
        continue;
      }
      if (base) swaps.push_back(*base);
      swap_files.push_back(file.name);
    }
  }
  set_aside_ = !swap_files.empty();
  for (const base::Offset base : swaps) STELE_CO_TRY(co_await finish_swap(base));
  for (const std::string& file : swap_files) {
    STELE_CO_TRY(co_await rename(file, file.substr(0, file.size() - kSwapSuffix.size())));
  }
  STELE_CO_TRY_ASSIGN(files_, co_await args_.log_dir->list(args_.name));
  co_return base::Result<void>{};
}

// Deletes the segments that a compacted one, complete but not yet in its place, stands for.
base::Task<base::Result<void>> Recovery::finish_swap(base::Offset base) {
  const std::string path = l_.place_.path(offset_file_name(base, kLogSuffix) + std::string{kSwapSuffix});
  STELE_CO_TRY_ASSIGN(std::unique_ptr<io::File> opened, co_await args_.log_dir->open(path, io::OpenMode::kRead));
  const std::shared_ptr<io::File> file = std::move(opened);
  STELE_CO_TRY_ASSIGN(const uint64_t size, file->size());
  base::Offset next = base;
  BatchScanner scanner(file, 0, size);
  for (;;) {
    STELE_CO_TRY_ASSIGN(const bool more, co_await scanner.fill());
    if (!more) break;
    while (const auto batch = scanner.take()) next = batch->view.next_offset();
  }
  for (const io::Entry& entry : files_) {
    for (const std::string_view suffix : {kLogSuffix, kIndexSuffix, kTimeIndexSuffix, kTransactionIndexSuffix}) {
      const auto offset = parse_offset_file_name(entry.name, suffix);
      if (offset && *offset >= base && *offset < next) STELE_CO_TRY(co_await remove(entry.name));
    }
  }
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> Recovery::load_segments() {
  const base::Timestamp now = args_.shard->clock().wall();
  std::map<base::Offset, uint64_t> logs;
  for (const io::Entry& file : files_) {
    if (const auto base = parse_offset_file_name(file.name, kLogSuffix)) logs[*base] = file.size;
  }
  for (const io::Entry& file : files_) {
    for (const std::string_view suffix : {kIndexSuffix, kTimeIndexSuffix, kTransactionIndexSuffix}) {
      const auto base = parse_offset_file_name(file.name, suffix);
      if (!base || logs.contains(*base)) continue;
      args_.shard->log().warn("{}/{}: removed, its .log does not exist", args_.name, file.name);
      STELE_CO_TRY(co_await remove(file.name));
    }
  }
  for (const auto& [base, bytes] : logs) {
    auto segment = std::make_shared<Segment>(l_.place_, base, args_.options, 0, now);
    segment->set_size(bytes);
    l_.segments_.push_back(std::move(segment));
  }
  if (l_.segments_.empty()) {
    const base::Offset base = std::max(args_.log_start_offset, base::Offset{0});
    auto segment = std::make_shared<Segment>(l_.place_, base, args_.options, 0, now);
    segment->reset_for_rebuild();
    STELE_CO_TRY(co_await segment->create());
    segment->close_files();
    l_.segments_.push_back(std::move(segment));
  }
  end_ = l_.segments_.back()->base();
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> Recovery::load_epochs() {
  const std::string path = l_.place_.path(std::string{kEpochCheckpointName});
  auto bytes = co_await io::read_whole(*args_.log_dir, path, kTextFileMax);
  if (bytes.ok()) {
    const std::string_view text = base::as_text(*bytes);
    auto epochs = parse_epoch_checkpoint(text);
    // What a loss of power leaves of a file that was not synced yet may be its beginning, or nothing.
    const bool torn = text.empty() ? !args_.clean : !text.ends_with('\n');
    if (epochs.ok() && torn) epochs = base::Error{ErrorCode::kCorruptMessage, "its end is missing"};
    if (epochs.ok()) {
      l_.epochs_ = EpochCache{*epochs};
      co_return base::Result<void>{};
    }
    if (!text.empty()) args_.shard->log().warn("{}: made anew from the log: {}", path, epochs.error().message);
  } else if (bytes.error().os_error != ENOENT) {
    co_return std::move(bytes).error();
  }
  epochs_missing_ = std::ranges::any_of(l_.segments_, [](const SegmentPtr& s) { return s->size() > 0; });
  // Below the recovery point it was on stable storage.
  if (epochs_missing_ && !bytes.ok() && args_.recovery_point > base::Offset{0}) {
    args_.shard->log().warn("{}: missing, made anew from the log", path);
  }
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> Recovery::read_all_epochs(size_t segments) {
  for (size_t i = 0; i < segments; ++i) {
    const SegmentPtr& segment = l_.segments_[i];
    STELE_CO_TRY_ASSIGN(const std::shared_ptr<io::File> file, co_await segment->log_file());
    BatchScanner scanner(file, 0, segment->size());
    for (;;) {
      STELE_CO_TRY_ASSIGN(const bool more, co_await scanner.fill());
      if (!more) break;
      while (const auto batch = scanner.take())
        l_.epochs_.assign(batch->view.leader_epoch(), batch->view.base_offset());
    }
    segment->close_files();
  }
  co_return base::Result<void>{};
}

size_t Recovery::segment_with(base::Offset offset) const {
  const auto above =
      std::ranges::upper_bound(l_.segments_, offset, {}, [](const SegmentPtr& segment) { return segment->base(); });
  return above == l_.segments_.begin() ? 0 : static_cast<size_t>(above - l_.segments_.begin()) - 1;
}

base::Task<base::Result<void>> Recovery::recover_from(size_t first) {
  const base::Offset from = l_.segments_[first]->base();
  STELE_CO_TRY(co_await l_.reload_producers(from, from, args_.recovery_point));
  // Its sync may be what failed.
  if (args_.write_again && first > 0) STELE_CO_TRY(co_await write_snapshot(from));
  l_.epochs_.truncate_end(from);
  end_ = from;
  size_t kept = first;
  for (; kept < l_.segments_.size() && !cut_; ++kept) {
    const SegmentPtr segment = l_.segments_[kept];
    // Below the end of the segment before it: batches that were cut off and written again elsewhere. Above it: a loss
    // of power took the end of that segment, not the name of this one. Only compaction leaves such a gap rightly;
    // not before an empty segment past the recovery point, which costs nothing to give up.
    const bool gap = kept > first && segment->base() > end_;
    const bool compacted = l_.options_.compact || segment->base() <= args_.whole_below;
    const bool empty = segment->size() == 0 && segment->base() > args_.recovery_point;
    if (segment->base() < end_ || (gap && (!compacted || empty || l_.segments_[kept - 1]->size() == 0))) {
      break;
    }
    end_ = segment->base();
    if (kept > first) STELE_CO_TRY(co_await write_snapshot(end_));
    STELE_CO_TRY_ASSIGN(cut_, co_await check_segment(segment));
    if (kept + 1 < l_.segments_.size()) segment->close_files();
  }
  while (l_.segments_.size() > kept) {
    const SegmentPtr segment = l_.segments_.back();
    args_.shard->mark("recovery.segment_set_aside");
    args_.shard->log().warn("{}/{}: set aside with its {} bytes, the log ends before it at {}", args_.name,
                            segment->file_name(kLogSuffix), segment->size(), end_.value());
    l_.segments_.pop_back();
    STELE_CO_TRY(co_await l_.delete_segment(segment));
    set_aside_ = true;
  }
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> Recovery::write_again(size_t first) {
  const std::vector<SegmentPtr> segments{l_.segments_.begin() + static_cast<std::ptrdiff_t>(first), l_.segments_.end()};
  for (const SegmentPtr& segment : segments) {
    STELE_CO_TRY(co_await segment->load_indexes());
    STELE_CO_TRY_ASSIGN(const std::shared_ptr<io::File> file, co_await segment->log_file());
    const base::Offset from = std::max(args_.recovery_point, segment->base());
    for (uint64_t at = segment->position_for(from); at < segment->size();) {
      base::ByteVector bytes(std::min<uint64_t>(kCopyAtOnce, segment->size() - at));
      STELE_CO_TRY_ASSIGN(const size_t got, co_await file->read(at, bytes));
      if (got == 0) break;
      const iovec part{bytes.data(), got};
      STELE_CO_TRY(co_await file->write(at, {&part, 1}));
      at += got;
    }
    if (segment != segments.back()) segment->close_files();
  }
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> Recovery::write_snapshot(base::Offset offset) {
  co_return spare_full_disk(co_await l_.write_file(offset_file_name(offset, kSnapshotSuffix),
                                                   encode_producer_snapshot(l_.producers_.snapshot())));
}

// What can be made again from the batches does not keep a log closed: on a full disk it is needed to be read and
// deleted from.
base::Result<void> Recovery::spare_full_disk(base::Result<void> written) {
  if (written.ok() || !is_no_space(written.error())) return written;
  args_.shard->log().warn("{}/{}: left for later, the disk is full: {}", args_.log_dir->path(), args_.name,
                          written.error().message);
  return {};
}

// Empty where the batch is good and follows.
std::string Recovery::fault_of(const record::BatchView& batch, const Segment& segment) const {
  const base::Offset lowest = batch.is_legacy() ? batch.last_offset() : batch.base_offset();
  if (!batch.crc_valid()) {
    return fmt::format("the checksum of the batch at offset {} is wrong", batch.base_offset().value());
  }
  if (lowest < end_ || batch.last_offset() < lowest || !segment.can_hold(batch.last_offset())) {
    return fmt::format("a batch of offsets {} to {} does not follow the end {}", lowest.value(),
                       batch.last_offset().value(), end_.value());
  }
  return {};
}

// A base offset lies outside of the checksum. One that leaves a gap, as compaction does, is believed unless the next
// batch lies below it.
base::Task<base::Result<bool>> Recovery::contradicted(std::shared_ptr<io::File> file, LocatedBatch batch,
                                                      uint64_t size) {
  const uint64_t behind = batch.position + batch.view.size();
  const base::Offset next = batch.view.next_offset();
  base::ByteVector header(std::min<uint64_t>(record::kBatchHeaderSize, size - behind));
  STELE_CO_TRY_ASSIGN(const size_t got, co_await file->read(behind, header));
  header.resize(got);
  const auto view = record::BatchView::open(header);
  co_return view.ok() && view->base_offset() >= end_ && view->base_offset() < next;
}

// Takes in all good batches from the segment's start; true where it had to be cut behind them.
base::Task<base::Result<bool>> Recovery::check_segment(SegmentPtr segment) {
  const uint64_t size = segment->size();
  STELE_CO_TRY_ASSIGN(const std::shared_ptr<io::File> file, co_await segment->log_file());
  segment->reset_for_rebuild();
  BatchScanner scanner(file, 0, size);
  std::string fault;
  for (;;) {
    STELE_CO_TRY_ASSIGN(const bool more, co_await scanner.fill());
    uint64_t at = scanner.position();
    while (const auto batch = scanner.take()) {
      at = batch->position;
      fault = fault_of(batch->view, *segment);
      if (fault.empty() && batch->view.base_offset() > end_) {
        STELE_CO_TRY_ASSIGN(const bool wrong, co_await contradicted(file, *batch, size));
        if (wrong)
          fault = fmt::format("its base offset {} is not below the next one", batch->view.base_offset().value());
      }
      if (!fault.empty()) break;
      segment->append(batch->view, l_.options_.index_interval_bytes);
      l_.epochs_.assign(batch->view.leader_epoch(), batch->view.base_offset());
      if (const auto aborted = l_.producers_.update(ProducerAppend::of(batch->view), batch->view.base_offset())) {
        segment->add_aborted(*aborted);
      }
      end_ = batch->view.next_offset();
    }
    if (fault.empty() && more) continue;
    if (fault.empty()) fault = scanner.stop();
    if (fault.empty()) break;
    STELE_CO_TRY_ASSIGN(const bool kept, co_await keep_damage(segment, scanner, at, fault));
    if (!kept) break;
    fault.clear();
  }
  const uint64_t good = segment->size();
  segment->set_written(good);
  segment->seal();
  if (good < size) {
    args_.shard->mark("recovery.tail_cut");
    args_.shard->log().warn("{}/{}/{}: cut from {} to {} bytes, the log ends at {}: {}", args_.log_dir->path(),
                            args_.name, segment->file_name(kLogSuffix), size, good, end_.value(), fault);
    STELE_CO_TRY(co_await file->truncate(good));
    STELE_CO_TRY(co_await file->sync());
  }
  STELE_CO_TRY(
      spare_full_disk(co_await segment->settle_index_files(segment != l_.segments_.back(), !args_.write_again)));
  co_return good < size;
}

// True where the batch at `at` is below the recovery point and the log goes on behind it: the scanner stands there
// then.
base::Task<base::Result<bool>> Recovery::keep_damage(SegmentPtr segment, BatchScanner& scanner, uint64_t at,
                                                     std::string why) {
  if (end_ >= args_.recovery_point) co_return false;
  STELE_CO_TRY_ASSIGN(const auto resumed, co_await scanner.resume_behind(at, end_));
  if (!resumed || *resumed > args_.recovery_point) co_return false;
  segment->pass_over(scanner.position() - at);
  l_.note_damage(*segment, at);
  args_.shard->log().error(
      "{}/{}/{}: {} bytes at byte {} are damaged, below the recovery point {}: {}. They stay where they are and are "
      "not "
      "served (CORRUPT_MESSAGE); the log goes on behind them at offset {}",
      args_.log_dir->path(), args_.name, segment->file_name(kLogSuffix), scanner.position() - at, at,
      args_.recovery_point.value(), why, resumed->value());
  co_return true;
}

// Of the active segment after a clean stop: reads from its last index entry on; sets the end of the log.
base::Task<base::Result<bool>> Recovery::tail_is_good(SegmentPtr segment) {
  end_ = segment->base();
  STELE_CO_TRY(co_await segment->load_indexes());
  if (segment->size() == 0) co_return true;
  const auto& entry = segment->offset_index().entries().last();
  const uint64_t from = entry ? entry->position : 0;
  STELE_CO_TRY_ASSIGN(const std::shared_ptr<io::File> file, co_await segment->log_file());
  BatchScanner scanner(file, from, segment->size());
  for (;;) {
    STELE_CO_TRY_ASSIGN(const bool more, co_await scanner.fill());
    if (!more) break;
    while (const auto batch = scanner.take()) {
      const record::BatchView& view = batch->view;
      const bool expected =
          !entry || batch->position != from || view.last_offset() - segment->base() == int64_t{entry->relative_offset};
      const base::Offset lowest = view.is_legacy() ? view.last_offset() : view.base_offset();
      if (!expected || !view.crc_valid() || lowest < end_ || !segment->can_hold(view.last_offset())) co_return false;
      segment->note_timestamp(view);
      end_ = view.next_offset();
    }
  }
  co_return scanner.stop().empty() && scanner.position() == segment->size();
}

// What a loss of power took lay below the log start, and what is left of it was deleted too: no offset below the start
// is given away again. But should the checkpoint be wrong, this would be the loss of the records: they are set aside.
base::Task<base::Result<void>> Recovery::start_over_at_log_start() {
  args_.shard->log().warn("{}/{}: the log ends at {}, below its start {}: it starts empty there", args_.log_dir->path(),
                          args_.name, end_.value(), args_.log_start_offset.value());
  for (auto at = l_.segments_.rbegin(); at != l_.segments_.rend(); ++at) {
    Segment& segment = **at;
    if (segment.size() == 0) continue;
    std::string name = segment.file_name(kLogSuffix);
    const std::string aside = fmt::format("{}.below-{}", name, args_.log_start_offset.value());
    args_.shard->log().warn(
        "{}/{}/{}: its {} bytes of records below the log start are set aside as {}, which nothing reads or removes",
        args_.log_dir->path(), args_.name, name, segment.size(), aside);
    segment.close_files();
    STELE_CO_TRY(co_await rename(std::move(name), aside));
  }
  end_ = args_.log_start_offset;
  co_return co_await l_.do_truncate_fully(end_);
}

base::Task<base::Result<void>> Recovery::read_first_timestamp(SegmentPtr segment) {
  if (segment->size() == 0) co_return base::Result<void>{};
  STELE_CO_TRY_ASSIGN(const std::shared_ptr<io::File> file, co_await segment->log_file());
  base::ByteVector header(std::min<uint64_t>(record::kBatchHeaderSize, segment->size()));
  STELE_CO_TRY_ASSIGN(const size_t got, co_await file->read(0, header));
  header.resize(got);
  if (const auto view = record::BatchView::open(header)) segment->set_first_timestamp(view->max_timestamp());
  segment->close_files();
  co_return base::Result<void>{};
}

// Kafka keeps those of segments and the newest one.
base::Task<base::Result<void>> Recovery::remove_stray_snapshots() {
  STELE_CO_TRY_ASSIGN(files_, co_await args_.log_dir->list(args_.name));
  std::vector<std::string> stray;
  for (const io::Entry& file : files_) {
    const auto offset = parse_offset_file_name(file.name, kSnapshotSuffix);
    if (!offset) continue;
    const bool of_segment =
        std::ranges::any_of(l_.segments_, [&](const SegmentPtr& segment) { return segment->base() == *offset; });
    if (!of_segment) stray.push_back(file.name);
  }
  const std::string newest = stray.empty() ? "" : stray.back();
  for (const std::string& file : stray) {
    const bool past_segments = *parse_offset_file_name(file, kSnapshotSuffix) > l_.segments_.back()->base();
    const bool past_end = *parse_offset_file_name(file, kSnapshotSuffix) > end_;
    if (file != newest || !past_segments || past_end) STELE_CO_TRY(co_await remove(file));
  }
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> Recovery::rename(std::string from, std::string to) {
  co_return co_await args_.log_dir->rename(l_.place_.path(from), l_.place_.path(to));
}

base::Task<base::Result<void>> Recovery::remove(std::string file) {
  co_return co_await args_.log_dir->remove(l_.place_.path(file));
}

}  // namespace stele::log
