// The snapshots of the local log, and what they let go of.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "metadata/local_log.h"
#include "record/record.h"
#include "wire/reader.h"
#include "wire/snapshot_header_record.h"

namespace stele::metadata {
namespace {

using base::Offset;
using base::Result;
using base::Task;

constexpr uint64_t kSnapshotBytesMax = uint64_t{4} << 30;
// The header batch of a snapshot with the largest set of voters that a quorum of one can have.
constexpr size_t kHeaderBytes = 4096;

}  // namespace

Task<Result<base::ByteVector>> LocalLog::get_snapshot(SnapshotId id) {
  co_return co_await io::read_whole(*directory_, snapshot_name(id.end, id.epoch), kSnapshotBytesMax);
}

Task<Result<void>> LocalLog::put_snapshot(SnapshotId id, base::ByteVector content) {
  STELE_CHECK(id.end <= committed_);
  if (!snapshots_.empty() && id <= snapshots_.back()) co_return Result<void>{};
  const std::string name = snapshot_name(id.end, id.epoch);
  const std::string part = name + ".part";
  {
    STELE_CO_TRY_ASSIGN(const auto file, co_await directory_->open(part, io::OpenMode::kCreate));
    STELE_CO_TRY(co_await file->truncate(0));
    const std::array parts{iovec{content.data(), content.size()}};
    STELE_CO_TRY(co_await file->write(0, parts));
    STELE_CO_TRY(co_await file->sync());
  }
  STELE_CO_TRY(co_await directory_->rename(part, name));
  STELE_CO_TRY(co_await directory_->sync());
  snapshots_.push_back(id);
  // Whole segments are let go of, so that one that ends near the snapshot lets go of all before it.
  roll_ = true;
  co_return Result<void>{};
}

Task<Result<base::Timestamp>> LocalLog::snapshot_time(SnapshotId id) {
  base::ByteVector head(kHeaderBytes);
  STELE_CO_TRY_ASSIGN(const auto file, co_await directory_->open(snapshot_name(id.end, id.epoch), io::OpenMode::kRead));
  STELE_CO_TRY_ASSIGN(const size_t got, co_await file->read(0, head));
  STELE_CO_TRY_ASSIGN(const auto batch, record::BatchView::open(base::Bytes{head}.first(got)));
  if (batch.is_whole()) {
    record::RecordIterator records{batch};
    STELE_CO_TRY_ASSIGN(const auto record, records.next());
    wire::SnapshotHeaderRecord header;
    wire::Reader in{record && record->value ? *record->value : base::Bytes{}};
    if (decode(in, 0, header).ok()) co_return base::Timestamp{header.last_contained_log_timestamp};
  }
  co_return base::Error{base::ErrorCode::kInvalidRecord,
                        fmt::format("{}/{} has no header", directory_->path(), snapshot_name(id.end, id.epoch))};
}

Task<Result<uint64_t>> LocalLog::snapshot_bytes() {
  uint64_t total = 0;
  STELE_CO_TRY_ASSIGN(const auto entries, co_await directory_->list());
  for (const io::Entry& entry : entries) {
    if (parse_snapshot_name(entry.name)) total += entry.size;
  }
  co_return total;
}

// Kafka's rule: a snapshot goes, with the entries before the one that follows it, while there is one that follows and
// either the directory is larger or the snapshot older than the retention allows.
Task<Result<void>> LocalLog::trim(base::Timestamp now) {
  while (snapshots_.size() >= 2) {
    STELE_CO_TRY_ASSIGN(uint64_t bytes, co_await snapshot_bytes());
    for (const Segment& segment : segments_) bytes += segment.size;
    const SnapshotId oldest = snapshots_.front();
    auto time = co_await snapshot_time(oldest);
    const bool old = time.ok() && options_.retention_ms >= 0 && now.value() - time->value() > options_.retention_ms;
    // One whose header cannot be read serves nobody.
    if (time.ok() && !old && bytes <= options_.retention_bytes) break;
    STELE_CO_TRY(co_await drop_oldest_snapshot());
  }
  co_return Result<void>{};
}

Task<Result<void>> LocalLog::drop_oldest_snapshot() {
  const SnapshotId oldest = snapshots_.front();
  snapshots_.erase(snapshots_.begin());
  start_ = std::max(start_, snapshots_.front().end);
  // Entries of the epoch at the new start begin there from now on.
  while (epochs_.size() >= 2 && epochs_[1].start <= start_) epochs_.erase(epochs_.begin());
  if (!epochs_.empty() && epochs_.front().start < start_) epochs_.front().start = start_;
  STELE_CO_TRY(co_await write_epoch_file());
  const std::string name = snapshot_name(oldest.end, oldest.epoch);
  STELE_CO_TRY(co_await directory_->rename(name, name + ".deleted"));
  STELE_CO_TRY(co_await directory_->remove(name + ".deleted"));
  while (segments_.size() >= 2 && segments_.front().end <= start_) {
    const Offset base = segments_.front().base;
    segments_.erase(segments_.begin());
    for (const char* suffix : {".log", ".index", ".timeindex", ".snapshot"}) {
      auto removed = co_await directory_->remove(segment_name(base, suffix));
      if (!removed.ok() && removed.error().os_error != ENOENT) co_return std::move(removed).error();
    }
  }
  co_return co_await directory_->sync();
}

}  // namespace stele::metadata
