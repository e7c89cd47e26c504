#include "log/segment.h"

#include <cerrno>
#include <limits>

#include "log/batch_scanner.h"

namespace stele::log {

namespace {
using base::ErrorCode;
using io::OpenMode;

constexpr uint64_t kIndexFileMax = uint64_t{1} << 31;

bool is_absent(const base::Error& error) { return error.os_error == ENOENT; }
}  // namespace

Segment::Segment(const PartitionPlace& place, base::Offset base, const LogOptions& options, int64_t jitter_ms,
                 base::Timestamp created)
    : place_(place),
      base_(base),
      created_(created),
      jitter_ms_(jitter_ms),
      index_interval_bytes_(options.index_interval_bytes),
      offset_index_(base, options.index_bytes),
      time_index_(base, options.index_bytes) {}

bool Segment::can_hold(base::Offset last_offset) const {
  const int64_t relative = last_offset - base_;
  return relative >= 0 && relative <= std::numeric_limits<int32_t>::max();
}

bool Segment::should_roll(const RollQuestion& question, const LogOptions& options) const {
  if (static_cast<int64_t>(size_) > options.segment_bytes - static_cast<int64_t>(question.bytes)) return true;
  const bool by_record_time = first_timestamp_ && *first_timestamp_ >= base::Timestamp{0};
  const int64_t waited = by_record_time ? question.max_timestamp.value() - first_timestamp_->value()
                                        : question.now.value() - created_.value();
  if (size_ > 0 && waited > options.segment_ms - jitter_ms_) return true;
  return offset_index_.is_full() || time_index_.is_full() || !can_hold(question.last_offset);
}

uint64_t Segment::append(const record::BatchView& batch, int64_t index_interval_bytes) {
  STELE_CHECK(can_hold(batch.last_offset()), "offset {} in the segment at {}", batch.last_offset().value(),
              base_.value());
  const uint64_t position = size_;
  if (position == 0) first_timestamp_ = batch.max_timestamp();
  note_timestamp(batch);
  if (bytes_since_index_entry_ > index_interval_bytes && !place_.shard->maybe("log.no_index_entry")) {
    offset_index_.add(batch.last_offset(), static_cast<uint32_t>(position));
    time_index_.add(largest_, largest_offset_);
    bytes_since_index_entry_ = 0;
  }
  size_ += batch.size();
  bytes_since_index_entry_ += static_cast<int64_t>(batch.size());
  return position;
}

void Segment::note_timestamp(const record::BatchView& batch) {
  if (batch.max_timestamp() <= largest_) return;
  largest_ = batch.max_timestamp();
  largest_offset_ = batch.last_offset();
}

void Segment::pass_over(uint64_t bytes) {
  size_ += bytes;
  bytes_since_index_entry_ = std::numeric_limits<int64_t>::max() / 2;
}

void Segment::add_aborted(const AbortedTransaction& aborted) { aborted_.push_back(aborted); }

void Segment::seal() {
  if (largest_ >= base::Timestamp{0}) time_index_.add(largest_, largest_offset_);
}

bool Segment::indexes_written() const {
  if (!indexes_known_) return true;
  return index_files_made_ && offset_index_.entries().unwritten().empty() &&
         time_index_.entries().unwritten().empty() && (!aborted_loaded_ || aborted_written_ == aborted_.size());
}

bool Segment::indexes_loaded() const {
  return indexes_known_ && aborted_loaded_ && offset_index_.entries().loaded() && time_index_.entries().loaded();
}

base::Task<base::Result<std::shared_ptr<io::File>>> Segment::log_file() {
  if (!log_) {
    STELE_CO_TRY_ASSIGN(std::unique_ptr<io::File> file,
                        co_await place_.log_dir->open(place_.path(file_name(kLogSuffix)), OpenMode::kReadWrite));
    if (!log_) log_ = std::move(file);
  }
  if (place_.open_files != nullptr) place_.open_files->used(*this);
  co_return log_;
}

std::shared_ptr<io::File> Segment::open_log_file() {
  if (log_ && place_.open_files != nullptr) place_.open_files->used(*this);
  return log_;
}

void Segment::close_files() {
  if (place_.open_files != nullptr) place_.open_files->gone(*this);
  let_go();
}

void Segment::let_go() {
  log_.reset();
  checked_.clear();
}

base::Task<base::Result<void>> Segment::create() {
  STELE_CO_TRY_ASSIGN(std::unique_ptr<io::File> file,
                      co_await place_.log_dir->open(place_.path(file_name(kLogSuffix)), OpenMode::kCreate));
  log_ = std::move(file);
  if (place_.open_files != nullptr) place_.open_files->used(*this);
  const std::shared_ptr<io::File> kept = log_;
  STELE_CO_TRY_ASSIGN(const uint64_t left, kept->size());
  if (left > 0) STELE_CO_TRY(co_await kept->truncate(0));
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> Segment::load_indexes() {
  if (indexes_loaded()) co_return base::Result<void>{};
  STELE_CO_TRY_ASSIGN(const bool good, co_await read_indexes());
  if (!good) STELE_CO_TRY(co_await rebuild_indexes(false));
  co_return base::Result<void>{};
}

base::Task<base::Result<Segment::IndexFiles>> Segment::read_index_files() {
  IndexFiles found;
  size_t bytes_found = 0;  // of the two that are always there
  int files = 0;
  for (const std::string_view suffix : {kIndexSuffix, kTimeIndexSuffix, kTransactionIndexSuffix}) {
    const std::string path = place_.path(file_name(suffix));
    auto bytes = co_await io::read_whole(*place_.log_dir, path, kIndexFileMax);
    base::Result<void> parsed;
    const auto keep = [&](auto result, auto& into) {
      if (!result) {
        parsed = std::move(result).error();
      } else {
        into = *std::move(result);
      }
    };
    if (!bytes.ok() && !is_absent(bytes.error())) co_return std::move(bytes).error();
    if (!bytes.ok()) {
      if (suffix != kTransactionIndexSuffix && size_ != 0) parsed = bytes.error();
    } else if (suffix == kIndexSuffix) {
      keep(OffsetIndex::parse(*bytes, size_), found.offsets);
    } else if (suffix == kTimeIndexSuffix) {
      keep(TimeIndex::parse(*bytes), found.times);
    } else {
      keep(parse_transaction_index(*bytes), found.aborted);
    }
    if (bytes.ok() && suffix != kTransactionIndexSuffix) {
      bytes_found += bytes->size();
      ++files;
    }
    if (!parsed.ok() && found.damage.empty()) found.damage = fmt::format("{}: {}", path, parsed.error().message);
  }
  // Kafka's may have room behind their entries.
  found.exact = files == 2 && bytes_found == found.offsets.size() * OffsetIndex::kEntrySize +
                                                 found.times.size() * TimeIndex::kEntrySize;
  co_return found;
}

// False where a file is missing or damaged.
base::Task<base::Result<bool>> Segment::read_indexes() {
  const auto dropped = [this] { return std::pair{offset_index_.entries().dropped(), time_index_.entries().dropped()}; };
  const auto wanted = dropped();
  STELE_CO_TRY_ASSIGN(IndexFiles files, co_await read_index_files());
  auto& [offsets, times, aborted, damage, exact] = files;
  if (indexes_loaded()) co_return true;                        // another reader was faster
  if (dropped() != wanted) co_return co_await read_indexes();  // of what was dropped meanwhile, a part may be missing
  const size_t aborted_dropped = aborted_loaded_ ? 0 : aborted_written_;
  if (indexes_known_ &&
      (offsets.size() < wanted.first || times.size() < wanted.second || aborted.size() < aborted_dropped)) {
    damage = fmt::format("{}: an index has fewer entries than were written", place_.path(file_name(kLogSuffix)));
  }
  if (!damage.empty()) {
    place_.shard->mark("log.index_rebuilt");
    place_.shard->log().warn("index made anew from the log: {}", damage);
    co_return false;
  }
  if (indexes_known_) {
    if (!offset_index_.entries().loaded()) offset_index_.entries().restore(std::move(offsets));
    if (!time_index_.entries().loaded()) time_index_.entries().restore(std::move(times));
    if (!aborted_loaded_) {
      aborted.resize(aborted_written_);
      aborted.insert(aborted.end(), aborted_.begin(), aborted_.end());
      aborted_ = std::move(aborted);
    }
  } else {
    index_files_made_ = exact;
    offset_index_.entries().assign(std::move(offsets));
    time_index_.entries().assign(std::move(times));
    if (!aborted_loaded_) {
      aborted_written_ = aborted.size();
      aborted_ = std::move(aborted);
    }
    const auto& last_entry = offset_index_.entries().last();
    bytes_since_index_entry_ = static_cast<int64_t>(size_ - (last_entry ? last_entry->position : 0));
    if (const auto& last = time_index_.entries().last(); last && !largest_known_) {
      largest_ = base::Timestamp{last->timestamp};
      largest_offset_ = base_ + int64_t{last->relative_offset};
    }
    largest_known_ = true;
    indexes_known_ = true;
  }
  aborted_loaded_ = true;
  co_return true;
}

base::Task<base::Result<void>> Segment::confirm_largest_timestamp() {
  STELE_CO_TRY(co_await load_indexes());
  if (written_ == 0 || written_ != size_) co_return base::Result<void>{};  // what waits for a write is known from it
  const base::Timestamp said = largest_;
  const base::Offset at = std::max(largest_offset_, base_);
  STELE_CO_TRY_ASSIGN(const std::shared_ptr<io::File> file, co_await log_file());
  BatchScanner scanner(file, position_for(at), written_);
  bool found = false;
  for (bool more = true; more && !found;) {
    STELE_CO_TRY_ASSIGN(more, co_await scanner.fill());
    while (const auto batch = scanner.take()) {
      if (batch->view.last_offset() < at) continue;
      if (batch->view.max_timestamp() == said) co_return base::Result<void>{};
      found = true;
      break;
    }
  }
  if (said != largest_ || !scanner.stop().empty()) co_return base::Result<void>{};  // appended to; damaged there
  place_.shard->log().warn("index made anew from the log: {}: no batch has the largest timestamp {} at offset {}",
                           place_.path(file_name(kTimeIndexSuffix)), said.value(), at.value());
  co_return co_await distrust_indexes();
}

base::Task<base::Result<void>> Segment::distrust_indexes() {
  if (written_ != size_) co_return base::Result<void>{};
  place_.shard->mark("log.index_rebuilt");
  co_return co_await rebuild_indexes(true);
}

base::Task<base::Result<void>> Segment::load_aborted() {
  if (aborted_loaded_) co_return base::Result<void>{};
  const std::string path = place_.path(file_name(kTransactionIndexSuffix));
  auto bytes = co_await io::read_whole(*place_.log_dir, path, kIndexFileMax);
  if (!bytes.ok() && !is_absent(bytes.error())) co_return std::move(bytes).error();
  if (aborted_loaded_) co_return base::Result<void>{};
  std::vector<AbortedTransaction> aborted;
  if (bytes.ok()) {
    STELE_CO_TRY_ASSIGN(aborted, parse_transaction_index(*bytes));
  }
  const size_t written = indexes_known_ ? aborted_written_ : aborted.size();
  if (aborted.size() < written) co_return co_await load_indexes();
  aborted.resize(written);
  aborted.insert(aborted.end(), aborted_.begin(), aborted_.end());
  aborted_ = std::move(aborted);
  aborted_written_ = written;
  aborted_loaded_ = true;
  co_return base::Result<void>{};
}

void Segment::reset_for_rebuild() {
  offset_index_.entries().assign({});
  time_index_.entries().assign({});
  aborted_.clear();
  aborted_written_ = 0;
  aborted_loaded_ = indexes_known_ = largest_known_ = true;
  largest_ = base::kNoTimestamp;
  largest_offset_ = base::kNoOffset;
  first_timestamp_.reset();
  bytes_since_index_entry_ = 0;
  size_ = 0;
}

// Offset and time index alone: what the transaction index should hold cannot be told from this segment, so that one is
// read as far as it is whole.
base::Task<base::Result<void>> Segment::rebuild_indexes(bool loaded_too) {
  STELE_CO_TRY_ASSIGN(const std::shared_ptr<io::File> file, co_await log_file());
  std::vector<AbortedTransaction> aborted;
  if (auto bytes =
          co_await io::read_whole(*place_.log_dir, place_.path(file_name(kTransactionIndexSuffix)), kIndexFileMax)) {
    const size_t whole = bytes->size() / kAbortedTransactionSize * kAbortedTransactionSize;
    if (auto parsed = parse_transaction_index(base::Bytes{*bytes}.first(whole))) aborted = *std::move(parsed);
  }
  const uint64_t end = written_;
  if (end != size_)
    co_return base::Error{ErrorCode::kKafkaStorageError, file_name(kLogSuffix) + ": index damaged in use"};
  BatchScanner scanner(file, 0, end);
  Segment fresh(place_, base_, {.index_interval_bytes = index_interval_bytes_}, 0, created_);
  fresh.reset_for_rebuild();
  base::Offset next = base_;
  for (bool going = true; going;) {
    STELE_CO_TRY_ASSIGN(const bool more, co_await scanner.fill());
    while (const auto batch = scanner.take()) {
      const record::BatchView& view = batch->view;
      if (view.last_offset() < next || !can_hold(view.last_offset())) {  // its header is damaged
        fresh.pass_over(view.size());
        continue;
      }
      fresh.append(view, index_interval_bytes_);
      next = view.next_offset();
    }
    if (more) continue;
    // What lies behind damage stays readable.
    going = !scanner.stop().empty();
    if (!going) break;
    const uint64_t damaged = scanner.position();
    STELE_CO_TRY_ASSIGN(const auto resumed, co_await scanner.resume_behind(damaged, next));
    going = resumed.has_value();
    if (going) fresh.pass_over(scanner.position() - damaged);
  }
  if (end != size_ || (!loaded_too && indexes_loaded())) co_return co_await load_indexes();
  ++rebuilds_;
  index_files_made_ = false;
  fresh.seal();
  const auto offsets = fresh.offset_index_.entries().all();
  const auto times = fresh.time_index_.entries().all();
  offset_index_.entries().assign({offsets.begin(), offsets.end()});
  time_index_.entries().assign({times.begin(), times.end()});
  offset_index_.entries().mark_written(0);
  time_index_.entries().mark_written(0);
  largest_ = fresh.largest_;
  largest_offset_ = fresh.largest_offset_;
  first_timestamp_ = fresh.first_timestamp_;
  bytes_since_index_entry_ = fresh.bytes_since_index_entry_;
  aborted_written_ = 0;
  aborted_ = std::move(aborted);
  aborted_loaded_ = indexes_known_ = largest_known_ = true;
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> Segment::write_tail(std::string_view suffix, uint64_t at, base::ByteVector bytes) {
  STELE_CO_TRY_ASSIGN(const std::unique_ptr<io::File> file,
                      co_await place_.log_dir->open(place_.path(file_name(suffix)), OpenMode::kCreate));
  STELE_CO_TRY_ASSIGN(const uint64_t size, file->size());
  if (size > at) STELE_CO_TRY(co_await file->truncate(at));
  if (!bytes.empty()) {
    const iovec part{bytes.data(), bytes.size()};
    STELE_CO_TRY(co_await file->write(at, {&part, 1}));
  }
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> Segment::write_indexes() {
  if (!indexes_known_) co_return base::Result<void>{};  // nothing was changed since they were written
  const uint64_t rebuilds = rebuilds_;                  // made anew by a reader meanwhile, they are all to be written
  auto& offsets = offset_index_.entries();
  if (!offsets.unwritten().empty() || !index_files_made_) {
    const size_t count = offsets.count();
    STELE_CO_TRY(co_await write_tail(kIndexSuffix, offsets.written() * OffsetIndex::kEntrySize,
                                     OffsetIndex::encode(offsets.unwritten())));
    if (rebuilds != rebuilds_) co_return base::Result<void>{};
    offsets.mark_written(count);
  }
  auto& times = time_index_.entries();
  if (!times.unwritten().empty() || !index_files_made_) {
    const size_t count = times.count();
    STELE_CO_TRY(co_await write_tail(kTimeIndexSuffix, times.written() * TimeIndex::kEntrySize,
                                     TimeIndex::encode(times.unwritten())));
    if (rebuilds != rebuilds_) co_return base::Result<void>{};
    times.mark_written(count);
  }
  index_files_made_ = true;
  if (aborted_loaded_ && aborted_written_ < aborted_.size()) {
    const size_t count = aborted_.size();
    const std::vector<AbortedTransaction> tail{aborted_.begin() + static_cast<ptrdiff_t>(aborted_written_),
                                               aborted_.end()};
    STELE_CO_TRY(co_await write_tail(kTransactionIndexSuffix, aborted_written_ * kAbortedTransactionSize,
                                     encode_transaction_index(tail)));
    if (rebuilds != rebuilds_) co_return base::Result<void>{};
    aborted_written_ = count;
  }
  co_return base::Result<void>{};
}

base::Task<bool> Segment::file_holds(std::string_view suffix, base::ByteVector wanted) {
  const auto bytes = co_await io::read_whole(*place_.log_dir, place_.path(file_name(suffix)), wanted.size());
  co_return bytes.ok() && *bytes == wanted;
}

base::Task<base::Result<void>> Segment::settle_index_files(bool sealed, bool believed) {
  const std::string transactions = place_.path(file_name(kTransactionIndexSuffix));
  auto& offsets = offset_index_.entries();
  auto& times = time_index_.entries();
  if (believed && aborted_.empty() && co_await file_holds(kIndexSuffix, OffsetIndex::encode(offsets.all())) &&
      co_await file_holds(kTimeIndexSuffix, TimeIndex::encode(times.all()))) {
    offsets.mark_written(offsets.count());
    times.mark_written(times.count());
    index_files_made_ = true;
  } else {
    index_files_made_ = false;
  }
  auto removed = co_await place_.log_dir->remove(transactions);
  if (!removed.ok() && !is_absent(removed.error())) co_return std::move(removed).error();
  if (sealed) co_return co_await write_indexes();
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> Segment::sync_log() {
  STELE_CO_TRY_ASSIGN(const std::shared_ptr<io::File> file, co_await log_file());
  co_return co_await file->sync();
}

base::Task<base::Result<void>> Segment::sync_file(std::string_view suffix) {
  auto file = co_await place_.log_dir->open(place_.path(file_name(suffix)), OpenMode::kReadWrite);
  if (!file.ok()) {
    if (is_absent(file.error())) co_return base::Result<void>{};
    co_return std::move(file).error();
  }
  co_return co_await (*file)->sync();
}

base::Task<base::Result<void>> Segment::sync_indexes() {
  STELE_CO_TRY(co_await sync_file(kIndexSuffix));
  STELE_CO_TRY(co_await sync_file(kTimeIndexSuffix));
  co_return co_await sync_file(kTransactionIndexSuffix);
}

base::Task<base::Result<void>> Segment::sync_snapshot() { return sync_file(kSnapshotSuffix); }

base::Task<base::Result<void>> Segment::truncate(uint64_t bytes, base::Offset offset) {
  STELE_CHECK(indexes_loaded());
  offset_index_.truncate_to(offset);
  time_index_.truncate_to(offset);
  std::erase_if(aborted_, [&](const AbortedTransaction& entry) { return entry.last_offset >= offset; });
  if (aborted_.size() < aborted_written_) {
    aborted_written_ = aborted_.size();
    STELE_CO_TRY(co_await write_tail(kTransactionIndexSuffix, aborted_written_ * kAbortedTransactionSize, {}));
  }
  index_files_made_ = false;  // they are cut when written next
  const auto& last = offset_index_.entries().last();
  bytes_since_index_entry_ = static_cast<int64_t>(bytes - (last ? last->position : 0));
  size_ = written_ = bytes;
  if (bytes == 0) first_timestamp_.reset();
  STELE_CO_TRY_ASSIGN(const std::shared_ptr<io::File> file, co_await log_file());
  STELE_CO_TRY(co_await file->truncate(bytes));
  STELE_CO_TRY(co_await write_indexes());
  STELE_CO_TRY(co_await sync_indexes());
  STELE_CO_TRY(co_await file->sync());

  // The largest timestamp may have been cut off: find it in what the time index does not cover.
  largest_ = base::kNoTimestamp;
  largest_offset_ = base::kNoOffset;
  uint64_t from = 0;
  if (const auto& time = time_index_.entries().last()) {
    largest_ = base::Timestamp{time->timestamp};
    largest_offset_ = base_ + int64_t{time->relative_offset};
    from = offset_index_.position_for(largest_offset_);
  }
  BatchScanner scanner(file, from, bytes);
  for (;;) {
    STELE_CO_TRY_ASSIGN(const bool more, co_await scanner.fill());
    if (!more) break;
    while (const auto batch = scanner.take()) {
      if (batch->view.max_timestamp() <= largest_) continue;
      largest_ = batch->view.max_timestamp();
      largest_offset_ = batch->view.last_offset();
    }
  }
  co_return base::Result<void>{};
}

void Segment::drop_indexes() {
  if (!indexes_known_) return;
  offset_index_.entries().drop();
  time_index_.entries().drop();
  if (aborted_loaded_ && aborted_written_ == aborted_.size() && !aborted_.empty()) {
    aborted_.clear();
    aborted_.shrink_to_fit();
    aborted_loaded_ = false;
  }
}

}  // namespace stele::log
