#include "log/batch_scanner.h"

#include <fmt/format.h>

#include <algorithm>

namespace stele::log {

base::Task<base::Result<bool>> BatchScanner::fill() {
  if (!stop_.empty() || position_ >= end_) co_return false;
  const uint64_t left = end_ - position_;
  if (wanted_ > left || left < record::kUpToMagicSize) {
    stop_ = fmt::format("the file ends inside a batch: {} of {} bytes", left, wanted_);
    co_return false;
  }
  buffer_.resize(std::min<uint64_t>(std::max(piece_, wanted_), left));
  used_ = 0;
  STELE_CO_TRY_ASSIGN(const size_t got, co_await file_->read(position_, buffer_));
  if (got < buffer_.size()) end_ = position_ + got;
  buffer_.resize(got);
  wanted_ = 0;
  co_return got != 0;
}

std::optional<LocatedBatch> BatchScanner::take() {
  const base::Bytes rest = base::Bytes{buffer_}.subspan(used_);
  if (rest.empty() || !stop_.empty()) return std::nullopt;
  if (rest.size() < record::kBatchHeaderSize && rest.size() < end_ - position_) {
    wanted_ = record::kBatchHeaderSize;
    return std::nullopt;
  }
  auto view = record::BatchView::open(rest);
  if (!view) {
    const bool zeros = std::ranges::all_of(rest.first(std::min(rest.size(), record::kUpToMagicSize)),
                                           [](std::byte b) { return b == std::byte{0}; });
    stop_ = zeros ? "zeros instead of a batch" : view.error().message;
    return std::nullopt;
  }
  if (!view->is_whole()) {
    wanted_ = view->size();
    return std::nullopt;
  }
  const LocatedBatch batch{*view, position_};
  used_ += view->size();
  position_ += view->size();
  return batch;
}

namespace {

// The offsets of a segment lie within 2^31 of each other.
bool may_follow(base::Bytes header, base::Offset lowest) {
  if (header[record::kMagicAt] != std::byte{record::kMagic2}) return false;
  const auto base = base::load_be<int64_t>(header.data());
  return base >= lowest.value() && base - lowest.value() <= INT32_MAX;
}

}  // namespace

base::Task<base::Result<std::optional<base::Offset>>> BatchScanner::resume_behind(uint64_t damaged,
                                                                                  base::Offset lowest) {
  // Bytes that look like batches cost a read each: so many are tried, as no damage but malice makes.
  constexpr int kTriesMax = 1000;
  base::ByteVector piece(std::min<uint64_t>(piece_, end_ - damaged));
  STELE_CO_TRY_ASSIGN(const size_t head, co_await file_->read(damaged, piece));
  // Most damage leaves the length as it was.
  if (const auto view = record::BatchView::open(base::Bytes{piece}.first(head))) {
    STELE_CO_TRY_ASSIGN(const auto next, co_await try_batch_at(damaged + view->size(), lowest));
    if (next) co_return next;
  }
  int tries = 0;
  for (uint64_t at = damaged + 1; at < end_ && end_ - at >= record::kBatchHeaderSize;) {
    piece.resize(std::min<uint64_t>(piece_, end_ - at));
    STELE_CO_TRY_ASSIGN(const size_t got, co_await file_->read(at, piece));
    if (got < record::kBatchHeaderSize) break;
    const size_t places = got - record::kBatchHeaderSize + 1;
    for (size_t i = 0; i < places; ++i) {
      if (!may_follow(base::Bytes{piece}.subspan(i), lowest)) continue;
      if (++tries > kTriesMax) co_return std::nullopt;
      STELE_CO_TRY_ASSIGN(const auto next, co_await try_batch_at(at + i, lowest));
      if (next) co_return next;
    }
    at += places;
  }
  co_return std::nullopt;
}

base::Task<base::Result<std::optional<base::Offset>>> BatchScanner::try_batch_at(uint64_t position,
                                                                                 base::Offset lowest) {
  if (position >= end_ || end_ - position < record::kBatchHeaderSize) co_return std::nullopt;
  base::ByteVector bytes(record::kBatchHeaderSize);
  STELE_CO_TRY_ASSIGN(size_t got, co_await file_->read(position, bytes));
  if (got < bytes.size() || !may_follow(bytes, lowest)) co_return std::nullopt;
  const auto header = record::BatchView::open(bytes);
  if (!header || header->size() > end_ - position) co_return std::nullopt;
  // With the header behind it, where there is one.
  const uint64_t size = header->size();
  bytes.resize(std::min<uint64_t>(size + record::kBatchHeaderSize, end_ - position));
  STELE_CO_TRY_ASSIGN(got, co_await file_->read(position, bytes));
  if (got < bytes.size()) co_return std::nullopt;
  const auto batch = record::BatchView::open(bytes);
  if (!batch || !batch->crc_valid()) co_return std::nullopt;
  const base::Bytes behind = base::Bytes{bytes}.subspan(size);
  // A record may hold what looks like a batch; hardly one that the next batch of the log, or its end, follows.
  const bool torn_end = behind.size() < record::kBatchHeaderSize ||
                        std::ranges::all_of(behind, [](std::byte b) { return b == std::byte{0}; });
  if (!torn_end && (!record::BatchView::open(behind) || !may_follow(behind, batch->next_offset()))) {
    co_return std::nullopt;
  }
  position_ = position;
  buffer_.clear();
  used_ = 0;
  wanted_ = 0;
  stop_.clear();
  co_return batch->base_offset();
}

}  // namespace stele::log
