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
};

base::Result<Window> find_window(base::Bytes bytes, base::Offset from, base::Offset limit, size_t bytes_max,
                                 bool at_least_one) {
  Window window;
  window.next = from;
  while (window.skipped + window.taken < bytes.size()) {
    const base::Bytes rest = bytes.subspan(window.skipped + window.taken);
    if (rest.size() < record::kBatchHeaderSize) break;
    STELE_TRY_ASSIGN(const record::BatchView batch, record::BatchView::open(rest));
    if (batch.last_offset() >= limit) {
      window.at_limit = true;
      break;
    }
    if (window.taken == 0) {
      window.first_size = batch.size();
      if (batch.last_offset() < from) {
        if (!batch.is_whole()) break;
        window.skipped += batch.size();
        window.first_size = 0;
        continue;
      }
    }
    if (!batch.is_whole()) break;
    const bool fits = window.taken + batch.size() <= bytes_max || (window.taken == 0 && at_least_one);
    if (!fits) {
      window.at_limit = true;
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

base::Task<base::Result<ReadResult>> PartitionLog::read(base::Offset from, size_t bytes_max, base::Offset limit,
                                                        bool at_least_one) {
  STELE_CO_TRY(check_range(from));
  last_use_ = shard_.clock().now();
  SegmentPtr segment = segment_for(from);
  while (segment && segment->base() < std::min(limit, written_end_)) {
    const uint64_t generation = generation_;
    auto found = co_await read_segment(segment, from, bytes_max, std::min(limit, written_end_), at_least_one);
    if (generation != generation_ || segment->deleted()) {
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

// Nothing where the segment has no batch that reaches `from`.
base::Task<base::Result<std::optional<ReadResult>>> PartitionLog::read_segment(SegmentPtr segment, base::Offset from,
                                                                               size_t bytes_max, base::Offset limit,
                                                                               bool at_least_one) {
  STELE_CO_TRY_ASSIGN(const std::shared_ptr<io::File> file, co_await segment->log_file());
  uint64_t position = 0;
  size_t slack = 0;
  const auto cursor = std::ranges::find_if(cursors_, [&](const Cursor& c) {
    return c.offset == from && c.segment_base == segment->base() && c.position > 0;
  });
  if (cursor != cursors_.end()) {
    position = cursor->position;
  } else {
    STELE_CO_TRY(co_await segment->load_indexes());
    position = segment->position_for(from);
    slack = static_cast<size_t>(options_.index_interval_bytes);
  }
  size_t wanted = std::max(bytes_max, record::kBatchHeaderSize) + slack;
  while (position < segment->written()) {
    const auto length = static_cast<size_t>(std::min<uint64_t>(wanted, segment->written() - position));
    ReadResult result;
    result.buffer = std::make_unique_for_overwrite<std::byte[]>(length);
    const base::MutableBytes bytes{result.buffer.get(), length};
    STELE_CO_TRY(co_await read_exactly(file, position, bytes));
    STELE_CO_TRY_ASSIGN(const Window window, find_window(bytes, from, limit, bytes_max, at_least_one));
    result.next_offset = window.next;
    result.segment_base = segment->base();
    result.position = position + window.skipped;
    if (window.taken > 0) {
      result.batches = bytes.subspan(window.skipped, window.taken);
      remember({window.next, segment->base(), result.position + window.taken}, from);
      co_return std::optional{std::move(result)};
    }
    const bool too_large = window.first_size > bytes_max && !at_least_one;
    if (window.at_limit || too_large) co_return std::optional{std::move(result)};
    if (window.skipped == 0 && length == segment->written() - position) {
      co_return base::Error{ErrorCode::kCorruptMessage, fmt::format("{}/{}: no whole batch at byte {}", place_.name,
                                                                    segment->file_name(kLogSuffix), position)};
    }
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

void PartitionLog::remember(Cursor cursor, base::Offset instead_of) {
  auto at = std::ranges::find(cursors_, instead_of, &Cursor::offset);
  if (at == cursors_.end()) {
    at = cursors_.begin() + static_cast<ptrdiff_t>(next_cursor_);
    next_cursor_ = (next_cursor_ + 1) % cursors_.size();
  }
  *at = cursor;
}

namespace {

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
    STELE_CO_TRY_ASSIGN(const std::shared_ptr<io::File> file, co_await segment->log_file());
    STELE_CO_TRY(co_await segment->load_indexes());
    const base::Offset from = std::max(segment->time_index().offset_for(timestamp), start);
    BatchScanner scanner(file, segment->position_for(from), segment->written());
    for (;;) {
      STELE_CO_TRY_ASSIGN(const bool more, co_await scanner.fill());
      if (!more) break;
      while (const auto batch = scanner.take()) {
        if (batch->view.max_timestamp() < timestamp || batch->view.last_offset() < start) continue;
        STELE_CO_TRY_ASSIGN(const auto found,
                            find_record(batch->view, [&](base::Timestamp record_time, base::Offset offset) {
                              return record_time >= timestamp && offset >= start;
                            }));
        if (!found) continue;
        if (found->offset >= limit) co_return std::optional<TimestampOffset>{};
        co_return found;
      }
    }
  }
  co_return std::optional<TimestampOffset>{};
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
  if (!best) co_return std::optional<TimestampOffset>{};
  const base::Timestamp largest = best->largest_timestamp();
  STELE_CO_TRY_ASSIGN(const std::shared_ptr<io::File> file, co_await best->log_file());
  STELE_CO_TRY(co_await best->load_indexes());
  BatchScanner scanner(file, best->position_for(best->offset_of_largest()), best->written());
  for (;;) {
    STELE_CO_TRY_ASSIGN(const bool more, co_await scanner.fill());
    if (!more) break;
    while (const auto batch = scanner.take()) {
      if (batch->view.max_timestamp() != largest) continue;
      STELE_CO_TRY_ASSIGN(const auto found, find_record(batch->view, [&](base::Timestamp record_time, base::Offset) {
                            return record_time == largest;
                          }));
      if (found) co_return found;
    }
  }
  co_return std::optional<TimestampOffset>{};
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
