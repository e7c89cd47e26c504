#include "metadata/local_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "log/partition_log.h"
#include "metadata/snapshot.h"
#include "record/batch.h"

namespace stele::metadata {
namespace {

using base::ErrorCode;
using base::Offset;
using base::Result;
using base::Task;

constexpr char kQuorumState[] = "quorum-state";
constexpr char kEpochs[] = "leader-epoch-checkpoint";
constexpr char kPartitionMetadata[] = "partition.metadata";
constexpr uint64_t kSmallFile = 1 << 20;
constexpr size_t kScanBytes = 1 << 20;
constexpr size_t kGroupBytes = 8 << 20;
constexpr uint64_t kTailBytes = 2 * kGroupBytes;  // of the last group, whose last entry may go over

base::Error storage(std::string text) { return {ErrorCode::kKafkaStorageError, std::move(text)}; }

base::ByteVector bytes_of(std::string_view text) {
  const base::Bytes bytes = base::as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

base::Timestamp time_of(base::Bytes batch) { return record::BatchView::open(batch).value().max_timestamp(); }

// Whole batches of a segment from `position` on; at least one where one is whole, about `want` bytes.
struct Chunk {
  base::ByteVector bytes;
  bool bad = false;  // what follows is no whole batch, though there are bytes
};

Task<Result<Chunk>> read_chunk(io::File& file, uint64_t position, uint64_t size, size_t want) {
  Chunk chunk;
  const uint64_t left = size - position;
  for (size_t ask = std::max(want, record::kBatchHeaderSize);;) {
    chunk.bytes.resize(std::min<uint64_t>(ask, left));
    STELE_CO_TRY_ASSIGN(const size_t got, co_await file.read(position, chunk.bytes));
    chunk.bytes.resize(got);
    record::BatchReader reader{chunk.bytes};
    for (;;) {
      const auto batch = reader.next();
      if (!batch.ok() || !*batch) break;
    }
    if (reader.position() == 0 && reader.end() == record::BatchEnd::kCut && got >= record::kLogOverhead) {
      // One batch larger than what was asked for.
      const auto length = base::load_be<int32_t>(chunk.bytes.data() + record::kLengthAt);
      const uint64_t whole = record::kLogOverhead + static_cast<uint64_t>(std::max(length, 0));
      if (got == ask && whole <= left && whole > got) {
        ask = whole;
        continue;
      }
    }
    chunk.bad = reader.position() == 0 && left > 0;
    chunk.bytes.resize(reader.position());
    co_return chunk;
  }
}

// Whether an entry of a later epoch than `epoch` stands behind `position`. A claim syncs all that stands before it, so
// that what is damaged there is no torn write of the last moments: it had been acknowledged.
Task<Result<bool>> is_followed_by_later_epoch(io::File& file, uint64_t position, uint64_t size,
                                              base::LeaderEpoch epoch) {
  while (position < size) {
    STELE_CO_TRY_ASSIGN(const Chunk chunk, co_await read_chunk(file, position, size, kScanBytes));
    if (chunk.bytes.empty()) break;
    record::BatchReader reader{chunk.bytes};
    for (;;) {
      const auto batch = reader.next();
      if (!batch.ok() || !*batch) break;
      if (!(*batch)->is_legacy() && (*batch)->crc_valid() && (*batch)->leader_epoch() > epoch) co_return true;
    }
    position += chunk.bytes.size();
  }
  co_return false;
}

}  // namespace

struct LocalLog::Append {
  Append(base::Executor& executor, base::ByteVector bytes, Offset next)
      : batch(std::move(bytes)), end(next), done(executor) {}
  base::ByteVector batch;
  Offset end;
  AppendOutcome outcome = AppendOutcome::kUnknown;
  base::Signal done;
};

LocalLog::LocalLog(io::Shard& shard, LocalLogOptions options)
    : shard_(shard), options_(options), work_(shard.executor()), scope_(shard.executor(), [this](std::exception_ptr) {
        shard_.log().error("the writer of the metadata log ended unexpectedly");
        fail_appends(AppendOutcome::kUnknown);
      }) {}

LocalLog::~LocalLog() = default;

Task<Result<std::unique_ptr<LocalLog>>> LocalLog::open(io::Shard& shard, std::unique_ptr<io::Directory> log_dir,
                                                       LocalLogOptions options) {
  std::unique_ptr<LocalLog> log{new LocalLog(shard, options)};
  STELE_CO_TRY_ASSIGN(const auto entries, co_await log_dir->list());
  const bool found = std::any_of(entries.begin(), entries.end(), [](const io::Entry& entry) {
    return entry.directory && entry.name == kMetadataLogDirectory;
  });
  STELE_CO_TRY_ASSIGN(log->directory_, co_await log_dir->open_directory(kMetadataLogDirectory, true));
  if (!found) STELE_CO_TRY(co_await log_dir->sync());
  STELE_CO_TRY(co_await log->load());
  log->scope_.spawn(log->write_appends());
  co_return std::move(log);
}

Task<Result<void>> LocalLog::load() {
  STELE_CO_TRY(co_await load_names());
  STELE_CO_TRY(co_await load_quorum_state());
  STELE_CO_TRY(co_await load_epochs());
  if (segments_.empty()) {
    start_ = snapshots_.empty() ? Offset{0} : snapshots_.back().end;
    STELE_CO_TRY(co_await write_new_directory());
    STELE_CO_TRY(co_await make_segment(start_));
    assigned_ = committed_ = start_;
    if (!snapshots_.empty()) last_epoch_ = snapshots_.back().epoch;
    co_return Result<void>{};
  }
  STELE_CO_TRY(co_await recover());
  if (!snapshots_.empty() && snapshots_.back().end > committed_) STELE_CO_TRY(co_await restart_behind_snapshot());
  co_return Result<void>{};
}

Task<Result<void>> LocalLog::load_names() {
  STELE_CO_TRY_ASSIGN(const auto entries, co_await directory_->list());
  for (const io::Entry& entry : entries) {
    if (entry.directory) continue;
    if (entry.name.ends_with(".deleted") || entry.name.ends_with(".part") || entry.name.ends_with(".tmp")) {
      STELE_CO_TRY(co_await directory_->remove(entry.name));
    } else if (const auto base = parse_segment_name(entry.name)) {
      segments_.push_back({.base = *base, .end = *base, .size = entry.size});
    } else if (const auto id = parse_snapshot_name(entry.name)) {
      snapshots_.push_back({id->first, id->second});
    }
  }
  // Names sort as their numbers do.
  co_return Result<void>{};
}

Task<Result<void>> LocalLog::load_quorum_state() {
  auto text = co_await io::read_whole(*directory_, kQuorumState, kSmallFile);
  if (text.ok()) {
    auto read = read_quorum_state(base::as_text(*text));
    if (!read.ok()) {
      co_return storage(fmt::format("{}/{} is damaged: {}. Move it away: the epoch is then taken from the metadata log",
                                    directory_->path(), kQuorumState, read.error().message));
    }
    quorum_ = *std::move(read);
    co_return Result<void>{};
  }
  if (text.error().os_error != ENOENT) co_return std::move(text).error();
  // Kafka too goes on without it and takes the epoch of the log. A dir that was formatted with --standalone tells so by
  // its first snapshot.
  quorum_ = QuorumState{};
  if (!snapshots_.empty()) {
    STELE_CO_TRY_ASSIGN(const auto content, co_await get_snapshot(snapshots_.back()));
    STELE_CO_TRY_ASSIGN(const ImagePtr image, read_snapshot(content));
    quorum_.data_version = image->control.kraft_version > 0 ? 1 : 0;
  }
  co_return Result<void>{};
}

Task<Result<void>> LocalLog::load_epochs() {
  auto text = co_await io::read_whole(*directory_, kEpochs, kSmallFile);
  if (text.ok()) {
    auto read = read_epochs(base::as_text(*text));
    if (read.ok()) {
      for (const EpochStart& entry : *read) begin_epoch(entry);
    } else {
      shard_.log().warn("{}/{} is damaged and is made anew from the log", directory_->path(), kEpochs);
    }
  } else if (text.error().os_error != ENOENT) {
    co_return std::move(text).error();
  }
  co_return Result<void>{};
}

Task<Result<void>> LocalLog::recover() {
  start_ = segments_.front().base;
  // What lies before the newest snapshot is not needed to start: segments below it are taken by their names.
  const Offset needed = snapshots_.empty() ? Offset{0} : snapshots_.back().end;
  for (size_t i = 0; i < segments_.size(); ++i) {
    const bool last = i + 1 == segments_.size();
    if (!last && segments_[i + 1].base <= needed) {
      segments_[i].end = segments_[i + 1].base;
      continue;
    }
    STELE_CO_TRY(co_await recover_segment(i));
    if (!last && segments_[i].end != segments_[i + 1].base) {
      co_return storage(
          fmt::format("{}/{} ends at index {}, but the next segment begins at {}: the metadata log is damaged. Restore "
                      "the directory "
                      "from a copy, or start with the files of another controller.",
                      directory_->path(), segment_name(segments_[i].base, ".log"), segments_[i].end.value(),
                      segments_[i + 1].base.value()));
    }
  }
  assigned_ = committed_ = active().end;
  STELE_CO_TRY_ASSIGN(active_file_,
                      co_await directory_->open(segment_name(active().base, ".log"), io::OpenMode::kReadWrite));
  if (active().size != active_file_->size().value()) {
    STELE_CO_TRY(co_await active_file_->truncate(active().size));
    STELE_CO_TRY(co_await active_file_->sync());
  }
  STELE_CO_TRY(co_await write_tail_again());
  if (epochs_.empty()) epochs_.push_back({last_epoch_, start_});
  std::erase_if(epochs_, [&](const EpochStart& entry) { return entry.start > committed_; });
  if (!epochs_.empty()) last_epoch_ = std::max(last_epoch_, epochs_.back().epoch);
  co_return Result<void>{};
}

// After a failed sync the page cache goes on showing entries that never reached the disk, to the next process too: they
// would be counted as committed, and a later loss of power would leave a hole before what was written behind them. Of
// one life only the last group can be such.
Task<Result<void>> LocalLog::write_tail_again() {
  uint64_t at = active().size - std::min(active().size, kTailBytes);
  while (at < active().size) {
    base::ByteVector bytes(std::min<uint64_t>(kGroupBytes, active().size - at));
    STELE_CO_TRY_ASSIGN(const size_t got, co_await active_file_->read(at, bytes));
    if (got == 0) break;
    const iovec part{bytes.data(), got};
    const auto written = co_await active_file_->write(at, {&part, 1});
    if (!written.ok() && log::is_no_space(written.error())) break;  // where no file is changed in its place
    STELE_CO_TRY(written);
    at += got;
  }
  co_return co_await active_file_->sync();
}

Task<Result<void>> LocalLog::recover_segment(size_t at) {
  const std::string name = segment_name(segments_[at].base, ".log");
  STELE_CO_TRY_ASSIGN(const auto file, co_await directory_->open(name, io::OpenMode::kRead));
  STELE_CO_TRY_ASSIGN(const uint64_t size, file->size());
  Segment& segment = segments_[at];
  uint64_t position = 0;
  Offset next = segment.base;
  bool good = true;
  while (good && position < size) {
    STELE_CO_TRY_ASSIGN(const Chunk chunk, co_await read_chunk(*file, position, size, kScanBytes));
    if (chunk.bytes.empty()) break;
    record::BatchReader reader{chunk.bytes};
    while (good) {
      const auto batch = reader.next();
      if (!batch.ok() || !*batch) break;
      const record::BatchView& view = **batch;
      good = !view.is_legacy() && view.base_offset() == next && view.last_offset_delta() >= 0 && view.crc_valid() &&
             view.leader_epoch() >= last_epoch_;
      if (!good) break;
      if (!segment.first_time) segment.first_time = view.max_timestamp();
      next = view.next_offset();
      position += view.size();
      if (view.leader_epoch() > last_epoch_) last_epoch_ = view.leader_epoch();
      if (epochs_.empty() || epochs_.back().epoch < last_epoch_) epochs_.push_back({last_epoch_, view.base_offset()});
    }
  }
  segment.end = next;
  segment.size = position;
  STELE_CO_TRY_ASSIGN(const bool damaged, co_await is_followed_by_later_epoch(*file, position, size, last_epoch_));
  if (damaged) {
    co_return storage(
        fmt::format("{}/{} is damaged behind index {}, with entries of later epochs after it: cutting it there would "
                    "drop acknowledged metadata, and partitions with it. Restore the directory from a copy",
                    directory_->path(), name, next.value()));
  }
  if (position < size && at + 1 == segments_.size()) {
    cut_bytes_ = size - position;
    shard_.log().warn("{}/{}: {} bytes behind index {} are no whole entry and are cut off", directory_->path(), name,
                      cut_bytes_, next.value());
  }
  co_return Result<void>{};
}

// The newest snapshot holds more than the log does: what the log has is not needed, and cannot be gone on from.
Task<Result<void>> LocalLog::restart_behind_snapshot() {
  const SnapshotId newest = snapshots_.back();
  shard_.log().warn("{}: the log ends at index {}, before the newest snapshot; it is begun anew at {}",
                    directory_->path(), committed_.value(), newest.end.value());
  active_file_.reset();
  for (const Segment& segment : segments_) {
    STELE_CO_TRY(co_await directory_->remove(segment_name(segment.base, ".log")));
  }
  segments_.clear();
  start_ = assigned_ = committed_ = newest.end;
  last_epoch_ = std::max(last_epoch_, newest.epoch);
  epochs_ = {{newest.epoch, newest.end}};
  STELE_CO_TRY(co_await make_segment(newest.end));
  co_return co_await write_epoch_file();
}

Task<Result<void>> LocalLog::write_new_directory() {
  const std::string text = fmt::format("version: 0\ntopic_id: {}", base::kMetadataTopicId.to_string());
  co_return co_await io::write_atomically(*directory_, kPartitionMetadata, bytes_of(text));
}

Task<Result<void>> LocalLog::make_segment(Offset base) {
  for (const char* suffix : {".index", ".timeindex"}) {
    STELE_CO_TRY_ASSIGN(const auto index, co_await directory_->open(segment_name(base, suffix), io::OpenMode::kCreate));
    STELE_CO_TRY(co_await index->truncate(0));
  }
  STELE_CO_TRY_ASSIGN(auto file, co_await directory_->open(segment_name(base, ".log"), io::OpenMode::kCreate));
  STELE_CO_TRY(co_await directory_->sync());
  active_file_ = std::move(file);
  segments_.push_back({.base = base, .end = base});
  roll_ = false;
  co_return Result<void>{};
}

Task<Result<void>> LocalLog::write_epoch_file() {
  co_return co_await io::write_atomically(*directory_, kEpochs, bytes_of(write_epochs(epochs_)));
}

// The file is written before the first entry of the epoch is. An epoch that ended in between, by a loss of power, has
// no entry, and the next one begins where it began.
void LocalLog::begin_epoch(EpochStart entry) {
  while (!epochs_.empty() && epochs_.back().start >= entry.start) epochs_.pop_back();
  epochs_.push_back(entry);
}

Task<Result<Claim>> LocalLog::claim() {
  if (failed_) co_return storage(fmt::format("{} failed before and is not written to", directory_->path()));
  claimed_.reset();
  const base::LeaderEpoch epoch{std::max(last_epoch_, quorum_.epoch).value() + 1};
  quorum_.epoch = epoch;
  quorum_.leader = options_.node;
  quorum_.voters = {options_.node};
  STELE_CO_TRY(co_await io::write_atomically(*directory_, kQuorumState, bytes_of(write_quorum_state(quorum_))));
  begin_epoch({epoch, assigned_});
  STELE_CO_TRY(co_await write_epoch_file());
  last_epoch_ = epoch;
  claimed_ = epoch;
  base::ByteVector change = leader_change_batch(assigned_, epoch, options_.node, shard_.clock().wall());
  const AppendOutcome outcome = co_await append(epoch, assigned_, std::move(change));
  if (outcome != AppendOutcome::kCommitted) {
    co_return storage(fmt::format("the metadata log in {} cannot be written", directory_->path()));
  }
  co_return Claim{epoch, assigned_};
}

Task<AppendOutcome> LocalLog::append(base::LeaderEpoch epoch, Offset next_index, base::ByteVector batch) {
  if (failed_) co_return AppendOutcome::kUnknown;
  if (claimed_ != epoch) co_return AppendOutcome::kFenced;
  if (next_index != assigned_) co_return AppendOutcome::kConflict;
  const auto view = record::BatchView::open(batch);
  STELE_CHECK(view.ok() && view->is_whole() && view->base_offset() == next_index && view->leader_epoch() == epoch);
  assigned_ = view->next_offset();
  const auto append = std::make_shared<Append>(shard_.executor(), std::move(batch), assigned_);
  queue_.push_back(append);
  work_.set();
  co_await append->done.wait();
  co_return append->outcome;
}

void LocalLog::fail_appends(AppendOutcome outcome) {
  failed_ = true;
  while (!queue_.empty()) {
    queue_.front()->outcome = outcome;
    queue_.front()->done.set();
    queue_.pop_front();
  }
}

Task<void> LocalLog::write_appends() {
  for (;;) {
    co_await work_.wait();
    while (!queue_.empty() && !failed_) {
      // What arrived while the last group was synced goes together in this one.
      std::vector<std::shared_ptr<Append>> group;
      for (size_t bytes = 0; !queue_.empty() && bytes < kGroupBytes;) {
        bytes += queue_.front()->batch.size();
        group.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
      const auto done = co_await write_group(group);
      if (!done.ok()) {
        shard_.log().error("the metadata log failed and takes no more entries: {}", done.error().message);
        for (const auto& append : group) append->done.set();
        fail_appends(AppendOutcome::kUnknown);
        break;
      }
      for (const auto& append : group) {
        append->outcome = AppendOutcome::kCommitted;
        append->done.set();
      }
      if (watcher_ != nullptr) watcher_->set();
    }
  }
}

// Of what will be written next.
bool LocalLog::is_full(uint64_t more, base::Timestamp time) const {
  if (roll_ || active().size + more > options_.segment_bytes) return true;
  return active().first_time && time.value() - active().first_time->value() > options_.segment_ms;
}

// Behind the active segment. A full disk that is not waited out is an error like any other; then the file may hold a
// part of it.
Task<Result<void>> LocalLog::write_patiently(std::vector<iovec> parts) {
  constexpr base::Duration kLookAgain = std::chrono::milliseconds{500};
  bool told = false;
  for (;;) {
    auto written = co_await active_file_->write(active().size, parts);
    if (written.ok() || !waits_for_space_ || !log::is_no_space(written.error())) {
      if (told && written.ok()) shard_.log().info("{}: there is room for entries again", directory_->path());
      co_return written;
    }
    if (!std::exchange(told, true)) {
      shard_.log().error("{}. Changes to the cluster's metadata wait until there is room", written.error().message);
    }
    STELE_CO_TRY(co_await active_file_->truncate(active().size));
    co_await io::sleep_until(shard_, shard_.clock().now() + kLookAgain);
  }
}

Task<Result<void>> LocalLog::write_group(std::vector<std::shared_ptr<Append>> group) {
  size_t bytes = 0;
  std::vector<iovec> parts;
  for (const auto& append : group) {
    bytes += append->batch.size();
    parts.push_back({append->batch.data(), append->batch.size()});
  }
  const base::Timestamp time = time_of(group.front()->batch);
  const bool early = shard_.maybe("metadata.early_roll");
  if (active().size > 0 && (early || is_full(bytes, time))) STELE_CO_TRY(co_await make_segment(active().end));
  STELE_CO_TRY(co_await write_patiently(std::move(parts)));
  STELE_CO_TRY(co_await active_file_->sync());
  if (!active().first_time) active().first_time = time;
  active().size += bytes;
  active().end = group.back()->end;
  committed_ = active().end;
  co_return Result<void>{};
}

Task<Result<Entries>> LocalLog::read(Offset from, size_t bytes_max) {
  if (from < start_ || from > committed_) {
    co_return base::Error{ErrorCode::kOffsetOutOfRange, fmt::format("index {} is not between {} and {}", from.value(),
                                                                    start_.value(), committed_.value())};
  }
  Entries out;
  out.next_index = from;
  if (from == committed_) co_return out;
  const Offset limit = committed_;
  const auto behind = std::upper_bound(segments_.begin(), segments_.end(), from,
                                       [](Offset index, const Segment& segment) { return index < segment.base; });
  const Segment segment = *(behind - 1);
  uint64_t position = cursor_.index == from && cursor_.index > segment.base ? cursor_.position : 0;
  STELE_CO_TRY_ASSIGN(const auto file,
                      co_await directory_->open(segment_name(segment.base, ".log"), io::OpenMode::kRead));
  while (out.batches.empty() && position < segment.size) {
    STELE_CO_TRY_ASSIGN(const Chunk chunk, co_await read_chunk(*file, position, segment.size, bytes_max));
    if (chunk.bad) break;
    record::BatchReader reader{chunk.bytes};
    for (;;) {
      STELE_CO_TRY_ASSIGN(const auto batch, reader.next());
      if (!batch || batch->next_offset() > limit) break;
      position += batch->size();
      if (batch->next_offset() <= from) continue;
      base::append(out.batches, batch->bytes());
      out.next_index = batch->next_offset();
    }
  }
  if (out.batches.empty()) {
    co_return storage(
        fmt::format("index {} of the metadata log in {} cannot be read", from.value(), directory_->path()));
  }
  cursor_ = {out.next_index, position};
  co_return out;
}

}  // namespace stele::metadata
