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

}  // namespace stele::log
