#include "server/frame_buffer.h"

#include "server/budget.h"

namespace stele::server {

void Lease::charge_to(Budget& budget, bool charged) {
  if (buffer_->charged_to_ != nullptr) return;
  buffer_->charged_to_ = &budget;
  if (!charged) budget.force(buffer_->capacity_);
}

void Lease::drop() {
  FrameBuffer* buffer = std::exchange(buffer_, nullptr);
  if (buffer == nullptr || --buffer->leases_ > 0) return;
  if (buffer->charged_to_ != nullptr) buffer->charged_to_->release(buffer->capacity_);
  buffer->pool_->give_back(buffer);
}

Lease BufferPool::take(size_t bytes) {
  ++out_;
  if (bytes == kChunkBytes && !idle_.empty()) {
    FrameBuffer* buffer = idle_.back().release();
    idle_.pop_back();
    return Lease{buffer};
  }
  return Lease{new FrameBuffer(*this, bytes)};
}

void BufferPool::give_back(FrameBuffer* buffer) {
  std::unique_ptr<FrameBuffer> owned{buffer};
  --out_;
  if (owned->capacity_ != kChunkBytes || idle_.size() >= kIdleChunksMax) return;
  owned->charged_to_ = nullptr;
  idle_.push_back(std::move(owned));
}

}  // namespace stele::server
