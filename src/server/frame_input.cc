#include "server/frame_input.h"

#include <algorithm>
#include <cstring>

namespace stele::server {

namespace {
constexpr size_t kSizeBytes = 4;
constexpr size_t kSmallRest = BufferPool::kSmallBytes / 2;  // a rest below this moves into a small buffer
}  // namespace

std::optional<int32_t> FrameInput::announced() const {
  if (end_ - begin_ < kSizeBytes) return std::nullopt;
  return base::load_be<int32_t>(buffer_->bytes().data() + begin_);
}

bool FrameInput::size_valid() const {
  const auto size = announced();
  return !size || (*size > 0 && static_cast<size_t>(*size) <= frame_bytes_max_);
}

bool FrameInput::whole() const {
  const auto size = announced();
  return size && *size >= 0 && end_ - begin_ >= kSizeBytes + static_cast<size_t>(*size);
}

bool FrameInput::may_read_ahead() const {
  const auto size = announced();
  if (!size || !size_valid()) return !size;
  return end_ < buffer_->capacity() || end_ - begin_ < BufferPool::kChunkBytes;
}

std::optional<int16_t> FrameInput::api_key() const {
  const auto size = announced();
  if (!size) return std::nullopt;
  if (*size < 2) return int16_t{-1};
  if (end_ - begin_ < kSizeBytes + 2) return std::nullopt;
  return base::load_be<int16_t>(buffer_->bytes().data() + begin_ + kSizeBytes);
}

std::optional<Frame> FrameInput::next() {
  const auto size = announced();
  if (!size) return std::nullopt;
  STELE_CHECK(size_valid());
  const size_t whole = kSizeBytes + static_cast<size_t>(*size);
  if (end_ - begin_ < whole) return std::nullopt;
  Frame frame{buffer_->bytes().subspan(begin_ + kSizeBytes, static_cast<size_t>(*size)), buffer_};
  begin_ += whole;
  return frame;
}

io::TransferResult FrameInput::fill(io::Stream& stream) {
  const base::MutableBytes room = buffer_->bytes().subspan(end_);
  STELE_CHECK(!room.empty());
  const iovec into{room.data(), room.size()};
  const io::TransferResult result = stream.try_read({&into, 1});
  if (result.status == io::Transfer::kDone) end_ += result.bytes;
  return result;
}

bool FrameInput::make_room(Budget::Holder& holder, Budget& budget) {
  if (!partial()) {
    if (!buffer_ || !buffer_.sole() || buffer_->capacity() < BufferPool::kChunkBytes) buffer_ = pool_->take();
    begin_ = end_ = 0;
    return true;
  }
  if (end_ < buffer_->capacity()) return true;
  const size_t have = end_ - begin_;
  const size_t whole = kSizeBytes + static_cast<size_t>(std::max(announced().value_or(0), 0));
  const size_t capacity = std::max(BufferPool::kChunkBytes, std::min(whole, 2 * have));
  if (!holder.charge(capacity)) return false;
  Lease larger = pool_->take(capacity);
  larger.charge_to(budget, true);
  move_to(std::move(larger));
  return true;
}

void FrameInput::settle(Budget& budget) {
  if (!partial()) {
    buffer_ = {};
    begin_ = end_ = 0;
    return;
  }
  const size_t have = end_ - begin_;
  if (have < kSmallRest && buffer_->capacity() > BufferPool::kSmallBytes) move_to(pool_->take(BufferPool::kSmallBytes));
  buffer_.charge_to(budget);
}

void FrameInput::move_to(Lease target) {
  const size_t have = end_ - begin_;
  STELE_CHECK(have <= target->capacity());
  std::memcpy(target->bytes().data(), buffer_->bytes().data() + begin_, have);
  buffer_ = std::move(target);
  begin_ = 0;
  end_ = have;
}

}  // namespace stele::server
