// Reads and lookups of PartitionLog. What was found before an await is void where generation_ moved meanwhile.
#include <algorithm>
#include <cerrno>
#include <limits>

#include "log/batch_scanner.h"
#include "log/partition_log.h"
#include "record/decompressor.h"
#include "record/legacy.h"
#include "record/reader.h"

namespace stele::log {

using base::ErrorCode;

namespace {

constexpr size_t kSentMost = size_t{4} << 20;    // what of a range has left the page cache is read in one piece
constexpr size_t kSentLeast = size_t{32} << 10;  // fewer bytes are copied for what a system call costs

base::Task<base::Result<void>> read_exactly(std::shared_ptr<io::File> file, uint64_t position,
                                            base::MutableBytes into) {
  auto got = file->try_read(position, into);
  if (!got.ok() || *got < into.size()) {
    if (!got.ok() && got.error().os_error != EAGAIN) co_return std::move(got).error();
    got = co_await file->read(position, into);
    if (!got.ok()) co_return std::move(got).error();
  }
  if (*got < into.size()) {
    co_return base::Error{ErrorCode::kKafkaStorageError,
                          fmt::format("a log file ends {} bytes early: it was cut from outside", into.size() - *got)};
  }
  co_return base::Result<void>{};
}

// The batches of `bytes` that a read may give: those from the one that reaches `from` on, whole, below `limit`.
struct Window {
  size_t skipped = 0;     // bytes of batches below `from`
  size_t taken = 0;       // bytes of batches to give
  size_t first_size = 0;  // of the first batch that reaches `from`, where its header is there
  bool at_limit = false;  // a batch reaches `limit`: nothing behind it either
  base::Offset next;      // behind the last one taken
  std::string damage;     // why the batch behind those taken cannot be given
};

// What a read asks for, and where the batches of the segment may lie.
struct Wanted {
  base::Offset from;
  base::Offset limit;
  size_t bytes_max = 0;
  bool at_least_one = false;
  base::Offset segment_base;
  base::Offset log_end;
  bool to_end = false;  // nothing of the segment lies behind the bytes
};

// Whether the batch behind one that leaves a gap lies below it; nothing where that batch is not among the bytes.
std::optional<bool> contradicted(base::Bytes behind, const record::BatchView& batch, bool to_end) {
  if (behind.size() < record::kBatchHeaderSize) return to_end ? std::optional{false} : std::nullopt;
  const auto next = record::BatchView::open(behind);
  return next.ok() && next->base_offset() < batch.next_offset();
}

// Empty where the batch may lie here. Its base offset is outside of the checksum, so that its place must tell.
std::string misplaced(const record::BatchView& batch, base::Offset lowest, base::Offset log_end) {
  const base::Offset first = batch.is_legacy() ? batch.last_offset() : batch.base_offset();
  if (first >= lowest && batch.last_offset() >= first && batch.last_offset() < log_end) return {};
  return fmt::format("its offsets {} to {} are not between {} and {}", first.value(), batch.last_offset().value(),
                     lowest.value(), log_end.value());
}

bool begins_behind(base::Bytes batches, base::Offset from) {
  const auto batch = record::BatchView::open(batches);
  return batch && !batch->is_legacy() && batch->base_offset() > from;
}

// Every byte that is given from memory was checked here, whatever was checked before.
Window find_window(base::Bytes bytes, const Wanted& wanted) {
  Window window;
  window.next = wanted.from;
  base::Offset lowest = wanted.segment_base;
  while (window.skipped + window.taken < bytes.size()) {
    const base::Bytes rest = bytes.subspan(window.skipped + window.taken);
    if (rest.size() < record::kBatchHeaderSize) break;
    const auto opened = record::BatchView::open(rest);
    window.damage = opened ? misplaced(*opened, lowest, wanted.log_end) : opened.error().message;
    if (!window.damage.empty()) break;
    const record::BatchView& batch = *opened;
    const base::Offset expected = window.skipped + window.taken == 0 ? wanted.from : lowest;
    if (batch.base_offset() > expected && !batch.is_legacy()) {
      const auto wrong = contradicted(rest.subspan(std::min(batch.size(), rest.size())), batch, wanted.to_end);
      if (!wrong) {
        window.first_size = batch.size() + record::kBatchHeaderSize;
        break;
      }
      if (*wrong)
        window.damage = fmt::format("its base offset {} is not below the next one", batch.base_offset().value());
      if (*wrong) break;
    }
    lowest = batch.next_offset();
    if (batch.last_offset() >= wanted.limit) {
      window.at_limit = true;
      break;
    }
    if (window.taken == 0) {
      window.first_size = batch.size();
      if (batch.last_offset() < wanted.from) {
        if (!batch.is_whole()) break;
        window.skipped += batch.size();
        window.first_size = 0;
        continue;
      }
    }
    if (!batch.is_whole()) break;
    const bool fits = window.taken + batch.size() <= wanted.bytes_max || (window.taken == 0 && wanted.at_least_one);
    if (!fits) {
      window.at_limit = true;
      break;
    }
    if (!batch.crc_valid()) {
      window.damage = fmt::format("the checksum of the batch of offsets {} to {} is wrong", batch.base_offset().value(),
                                  batch.last_offset().value());
      break;
    }
    window.taken += batch.size();
    window.next = batch.next_offset();
  }
  return window;
}

}  // namespace

PartitionLog::SegmentPtr PartitionLog::segment_for(base::Offset offset) const {
  const auto above = std::ranges::upper_bound(segments_, offset, {}, [](const SegmentPtr& s) { return s->base(); });
  return above == segments_.begin() ? segments_.front() : *std::prev(above);
}

PartitionLog::SegmentPtr PartitionLog::segment_after(const Segment& segment) const {
  const auto above =
      std::ranges::upper_bound(segments_, segment.base(), {}, [](const SegmentPtr& s) { return s->base(); });
  return above == segments_.end() ? nullptr : *above;
}

base::Result<void> PartitionLog::check_range(base::Offset from) const {
  STELE_TRY(usable());
  if (from >= log_start_ && from <= assigned_end_) return {};
  return {ErrorCode::kOffsetOutOfRange,
          fmt::format("offset {} is outside of [{}, {}]", from.value(), log_start_.value(), assigned_end_.value())};
}

base::MonoTime PartitionLog::oldest_believed() const {
  return shard_.clock().now() - std::chrono::milliseconds{options_.recheck_ms};
}

const PartitionLog::Cursor* PartitionLog::cursor_at(base::Offset offset, const Segment& segment) const {
  const auto found = std::ranges::find_if(cursors_, [&](const Cursor& c) {
    return c.offset == offset && c.segment_base == segment.base() && c.position > 0;
  });
  return found == cursors_.end() ? nullptr : &*found;
}

// Where a reader goes on whose next batches were checked not long ago: nothing of them is read.
std::optional<ReadResult> PartitionLog::find_range(base::Offset from, size_t bytes_max, base::Offset limit) {
  const size_t least = shard_.maybe("log.small_send") ? 1 : kSentLeast;
  if (options_.recheck_ms == 0 || bytes_max < least) return {};
  const SegmentPtr segment = segment_for(from);
  std::optional<uint64_t> position = segment->checked().begin_of(from);
  if (const Cursor* const cursor = cursor_at(from, *segment)) position = cursor->position;
  if (from == segment->base()) position = 0;
  if (!position) return {};
  const std::shared_ptr<io::File> file = segment->open_log_file();
  auto shared = file == nullptr ? nullptr : file->share();
  if (shared == nullptr) return {};
  const auto found =
      segment->checked().find(*position, std::min(bytes_max, kSentMost), limit, shared->misses(), oldest_believed());
  if (!found || found->end - *position < least) return {};
  shard_.mark("log.sent_unread");
  ReadResult result;
  const uint64_t cuts = shared->cuts();
  result.range = {std::move(shared), *position, found->end - *position, cuts};
  result.next_offset = found->next;
  result.segment_base = segment->base();
  result.position = *position;
  remember({found->next, segment->base(), found->end}, from);
  return result;
}

base::Task<base::Result<ReadResult>> PartitionLog::read(base::Offset from, size_t bytes_max, base::Offset limit,
                                                        bool at_least_one, bool may_send) {
  STELE_CO_TRY(check_range(from));
  last_use_ = shard_.clock().now();
  if (may_send && truncating_ == 0) {
    if (auto range = find_range(from, bytes_max, std::min(limit, written_end_))) co_return *std::move(range);
  }
  if (at_least_one && shard_.maybe("log.short_read")) bytes_max = 1;
  SegmentPtr segment = segment_for(from);
  while (segment && segment->base() < std::min(limit, written_end_)) {
    const uint64_t generation = generation_;
    auto found = co_await read_segment(segment, from, bytes_max, std::min(limit, written_end_), at_least_one);
    if (generation != generation_ || segment->deleted()) {
      shard_.mark("log.cut_while_reading");
      STELE_CO_TRY(check_range(from));
      segment = segment_for(from);
      continue;
    }
    if (!found.ok()) co_return std::move(found).error();
    if (*found) co_return **std::move(found);
    segment = segment_after(*segment);
  }
  ReadResult nothing;
  nothing.next_offset = from;
  co_return nothing;
}

// The batches of a read were checked. Those of magic 0 and 1 are checked each time: their headers do not tell the first
// offset of a wrapper.
void PartitionLog::note_read(Segment& segment, const ReadResult& read, uint64_t misses) {
  const base::MonoTime now = shard_.clock().now();
  if (options_.recheck_ms == 0) return;
  CheckedPieces::Piece piece{read.position, read.position, {}, {}, now};
  for (base::Bytes rest = read.batches; !rest.empty();) {
    const auto batch = record::BatchView::open(rest);
    if (!batch.ok() || batch->is_legacy()) break;
    if (piece.begin < piece.end && piece.end - piece.begin + batch->size() > CheckedPieces::kPieceBytes) {
      segment.checked().add(piece, misses, oldest_believed());
      piece.begin = piece.end;
    }
    if (piece.begin == piece.end) piece.first = batch->base_offset();
    piece.end += batch->size();
    piece.next = batch->next_offset();
    rest = rest.subspan(batch->size());
  }
  if (piece.begin < piece.end) segment.checked().add(piece, misses, oldest_believed());
}

// Nothing where the segment has no batch that reaches `from`.
base::Task<base::Result<std::optional<ReadResult>>> PartitionLog::read_segment(SegmentPtr segment, base::Offset from,
                                                                               size_t bytes_max, base::Offset limit,
                                                                               bool at_least_one) {
  const uint64_t generation = generation_;
  STELE_CO_TRY_ASSIGN(const std::shared_ptr<io::File> file, co_await segment->log_file());
  uint64_t position = 0;
  size_t slack = 0;
  bool indexed = false;
  if (const Cursor* const cursor = cursor_at(from, *segment)) {
    position = cursor->position;
  } else {
    STELE_CO_TRY(co_await segment->load_indexes());
    position = segment->position_for(from);
    indexed = position > 0;
    slack = static_cast<size_t>(options_.index_interval_bytes);
  }
  size_t wanted = std::max(bytes_max, record::kBatchHeaderSize) + slack;
  while (position < segment->written()) {
    const auto length = static_cast<size_t>(std::min<uint64_t>(wanted, segment->written() - position));
    ReadResult result;
    result.buffer = std::make_unique_for_overwrite<std::byte[]>(length);
    const base::MutableBytes bytes{result.buffer.get(), length};
    const auto shared = file->share();
    const uint64_t misses = shared == nullptr ? 0 : shared->misses();
    STELE_CO_TRY(co_await read_exactly(file, position, bytes));
    const Window window = find_window(bytes, {from, limit, bytes_max, at_least_one, segment->base(), written_end_,
                                              length == segment->written() - position});
    result.next_offset = window.next;
    result.segment_base = segment->base();
    result.position = position + window.skipped;
    const bool too_large = window.first_size > bytes_max && !at_least_one;
    const bool to_end = length == segment->written() - position;
    std::string wrong = window.damage;
    if (wrong.empty() && window.skipped == 0 && to_end && !window.at_limit && !too_large)
      wrong = "its length passes the end of the file";
    // Index files have no checksums. An entry that names a later batch would hide those before it from every reader,
    // one that names the middle of a batch would have it taken for damaged.
    const bool astray = window.taken > 0 ? begins_behind(bytes.subspan(window.skipped), from)
                                         : !wrong.empty() && !is_known(Damage::Place{segment->base(), result.position});
    if (indexed && astray) {
      shard_.log().warn("index made anew from the log: {}/{}/{}: an entry below offset {} names a later batch, or none",
                        place_.log_dir->path(), place_.name, segment->file_name(kIndexSuffix), from.value());
      STELE_CO_TRY(co_await segment->distrust_indexes());
      position = 0;
      indexed = false;
      continue;
    }
    if (window.taken > 0) {
      result.batches = bytes.subspan(window.skipped, window.taken);
      const bool stands = generation == generation_ && truncating_ == 0 && file == segment->open_log_file();
      if (stands && shared != nullptr && window.taken >= kSentLeast) note_read(*segment, result, misses);
      remember({window.next, segment->base(), result.position + window.taken}, from);
      co_return std::optional{std::move(result)};
    }
    if (!wrong.empty()) {
      if (generation != generation_ || segment->deleted()) co_return std::optional<ReadResult>{};
      co_return refuse_damage(*segment, result.position, wrong);
    }
    if (window.at_limit || too_large) co_return std::optional{std::move(result)};
    position += window.skipped;
    if (window.skipped == 0) {
      // The first batch is cut: its header told its size; one below `from` is larger than all that was asked for.
      wanted = std::max({wanted * 2, window.first_size, bytes_max});
    } else {
      wanted = std::max({window.first_size, bytes_max, record::kBatchHeaderSize});
    }
  }
  co_return std::optional<ReadResult>{};
}

bool PartitionLog::is_known(const Damage::Place& place) const {
  return std::ranges::find(damage_.places, place) != damage_.places.end();
}

// True where it is new: the caller says so in the log.
bool PartitionLog::note_damage(const Segment& segment, uint64_t position) {
  const Damage::Place place{segment.base(), position};
  if (is_known(place)) return false;
  if (damage_.places.size() >= Damage::kPlacesMax) return false;
  damage_.places.push_back(place);
  return true;
}

base::Error PartitionLog::refuse_damage(const Segment& segment, uint64_t position, std::string_view why) {
  ++damage_.refusals;
  shard_.mark("log.damage_refused");
  base::Error error{ErrorCode::kCorruptMessage,
                    fmt::format("{}/{}/{}: the batch at byte {} is damaged: {}", place_.log_dir->path(), place_.name,
                                segment.file_name(kLogSuffix), position, why)};
  if (note_damage(segment, position)) {
    shard_.log().error("{}. It stays where it is and is not served (CORRUPT_MESSAGE); the others are", error.message);
  }
  return error;
}

void PartitionLog::remember(Cursor cursor, base::Offset instead_of) {
  auto at = std::ranges::find(cursors_, instead_of, &Cursor::offset);
  if (at == cursors_.end()) {
    at = cursors_.begin() + static_cast<ptrdiff_t>(next_cursor_);
    next_cursor_ = (next_cursor_ + 1) % cursors_.size();
  }
  *at = cursor;
}

namespace {

using Found = std::optional<TimestampOffset>;

// The first record that `matches`, of a batch of any magic.
template <class Reader, class Matches>
base::Result<std::optional<TimestampOffset>> find_in(Reader&& reader, base::LeaderEpoch epoch, Matches matches) {
  for (;;) {
    STELE_TRY_ASSIGN(const auto record, reader.next());
    if (!record) return std::optional<TimestampOffset>{};
    if (matches(record->timestamp, record->offset)) {
      return std::optional{TimestampOffset{record->timestamp, record->offset, epoch}};
    }
  }
}

template <class Matches>
base::Result<std::optional<TimestampOffset>> find_record(const record::BatchView& batch, Matches matches) {
  record::Decompressor decompressor;
  if (batch.is_legacy()) return find_in(record::LegacyReader{batch, decompressor}, batch.leader_epoch(), matches);
  return find_in(record::RecordReader{batch, decompressor}, batch.leader_epoch(), matches);
}

}  // namespace

base::Task<base::Result<std::optional<TimestampOffset>>> PartitionLog::offset_for_timestamp(base::Timestamp timestamp,
                                                                                            base::Offset limit) {
  STELE_CO_TRY(usable());
  const std::vector<SegmentPtr> segments = segments_;
  const base::Offset start = log_start_;
  for (const SegmentPtr& segment : segments) {
    if (segment->base() >= limit) break;
    if (segment->deleted()) continue;
    if (!segment->largest_timestamp_known()) STELE_CO_TRY(co_await segment->load_indexes());
    if (segment->largest_timestamp() < timestamp) continue;
    STELE_CO_TRY(co_await segment->load_indexes());
    const uint64_t from = segment->position_for(std::max(segment->time_index().offset_for(timestamp), start));
    STELE_CO_TRY_ASSIGN(const auto found,
                        co_await find_in_segment(
                            segment, from, [timestamp, start](const record::BatchView& batch) -> base::Result<Found> {
                              if (batch.max_timestamp() < timestamp || batch.last_offset() < start) return Found{};
                              return find_record(batch, [&](base::Timestamp record_time, base::Offset offset) {
                                return record_time >= timestamp && offset >= start;
                              });
                            }));
    if (!found) continue;
    if (found->offset >= limit) co_return Found{};
    co_return found;
  }
  co_return Found{};
}

base::Task<base::Result<std::optional<TimestampOffset>>> PartitionLog::offset_of_max_timestamp() {
  STELE_CO_TRY(usable());
  const std::vector<SegmentPtr> segments = segments_;
  SegmentPtr best;
  for (const SegmentPtr& segment : segments) {
    if (!segment->largest_timestamp_known()) STELE_CO_TRY(co_await segment->load_indexes());
    if (segment->largest_timestamp() < base::Timestamp{0}) continue;
    if (!best || segment->largest_timestamp() > best->largest_timestamp()) best = segment;
  }
  if (!best) co_return Found{};
  const base::Timestamp largest = best->largest_timestamp();
  STELE_CO_TRY(co_await best->load_indexes());
  co_return co_await find_in_segment(best, best->position_for(best->offset_of_largest()),
                                     [largest](const record::BatchView& batch) -> base::Result<Found> {
                                       if (batch.max_timestamp() != largest) return Found{};
                                       return find_record(batch, [largest](base::Timestamp record_time, base::Offset) {
                                         return record_time == largest;
                                       });
                                     });
}

// What `look` first finds in a batch from `position` on. A damaged batch on the way ends the search: what it held, no
// one knows.
base::Task<base::Result<std::optional<TimestampOffset>>> PartitionLog::find_in_segment(
    SegmentPtr segment, uint64_t position,
    std::function<base::Result<std::optional<TimestampOffset>>(const record::BatchView&)> look) {
  const uint64_t generation = generation_;
  STELE_CO_TRY_ASSIGN(const std::shared_ptr<io::File> file, co_await segment->log_file());
  BatchScanner scanner(file, position, segment->written());
  std::string damage;
  uint64_t at = 0;
  while (damage.empty()) {
    STELE_CO_TRY_ASSIGN(const bool more, co_await scanner.fill());
    if (!more) break;
    while (const auto batch = scanner.take()) {
      at = batch->position;
      if (!batch->view.crc_valid()) {
        damage = fmt::format("the checksum of the batch at offset {} is wrong", batch->view.base_offset().value());
        break;
      }
      STELE_CO_TRY_ASSIGN(const auto found, look(batch->view));
      if (found) co_return found;
    }
  }
  if (damage.empty() && !scanner.stop().empty()) {
    damage = scanner.stop();
    at = scanner.position();
  }
  const bool gone = generation != generation_ || segment->deleted();
  if (damage.empty() || gone) co_return std::optional<TimestampOffset>{};
  co_return refuse_damage(*segment, at, damage);
}

base::Task<base::Result<std::vector<AbortedTransaction>>> PartitionLog::aborted_transactions(base::Offset from,
                                                                                             base::Offset to) {
  STELE_CO_TRY(usable());
  std::vector<AbortedTransaction> found;
  for (SegmentPtr segment = segment_for(from); segment; segment = segment_after(*segment)) {
    STELE_CO_TRY(co_await segment->load_aborted());
    for (const AbortedTransaction& entry : segment->aborted()) {
      if (entry.last_offset >= from && entry.first_offset < to) found.push_back(entry);
      if (entry.last_stable_offset >= to) co_return found;
    }
  }
  co_return found;
}

}  // namespace stele::log
