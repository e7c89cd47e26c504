#include "server/frame_buffer.h"

#include "server/budget.h"

namespace stele::server {

// What buffers know of their pool. Outlives it while leases are out.
struct FrameShelf {
  std::vector<std::unique_ptr<FrameBuffer>> idle;
  std::vector<std::unique_ptr<FrameBuffer>> small;
  size_t out = 0;
  bool pool_gone = false;
};

bool Lease::pool_is_there() const { return !buffer_->shelf_->pool_gone; }

void Lease::charge_to(Budget& budget, bool charged) {
  if (buffer_->charged_to_ != nullptr) return;
  buffer_->charged_to_ = &budget;
  if (!charged) budget.force(buffer_->capacity_);
}

void Lease::drop() {
  std::unique_ptr<FrameBuffer> buffer;
  if (buffer_ != nullptr && --buffer_->leases_ == 0) buffer.reset(buffer_);
  buffer_ = nullptr;
  if (buffer == nullptr) return;
  FrameShelf& shelf = *buffer->shelf_;
  --shelf.out;
  if (shelf.pool_gone) {
    if (shelf.out == 0) delete &shelf;  // NOLINT: released by ~BufferPool
    return;
  }
  if (Budget* budget = std::exchange(buffer->charged_to_, nullptr)) budget->release(buffer->capacity_);
  if (buffer->capacity_ == BufferPool::kChunkBytes && shelf.idle.size() < BufferPool::kIdleChunksMax) {
    shelf.idle.push_back(std::move(buffer));
  } else if (buffer->capacity_ == BufferPool::kSmallBytes && shelf.small.size() < BufferPool::kIdleSmallMax) {
    shelf.small.push_back(std::move(buffer));
  }
}

BufferPool::BufferPool() : shelf_(std::make_unique<FrameShelf>()) {}

BufferPool::~BufferPool() {
  shelf_->idle.clear();
  shelf_->small.clear();
  shelf_->pool_gone = true;
  if (shelf_->out > 0) static_cast<void>(shelf_.release());  // NOLINT: the last lease deletes it
}

size_t BufferPool::out() const { return shelf_->out; }

Lease BufferPool::take(size_t bytes) {
  ++shelf_->out;
  const bool reusable = bytes == kChunkBytes || bytes == kSmallBytes;
  auto& idle = bytes == kSmallBytes ? shelf_->small : shelf_->idle;
  if (reusable && !idle.empty()) {
    FrameBuffer* buffer = idle.back().release();
    idle.pop_back();
    return Lease{buffer};
  }
  return Lease{new FrameBuffer(*shelf_, bytes)};
}

}  // namespace stele::server
