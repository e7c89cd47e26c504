// Pooled memory that frames are read into. A buffer is shared by the requests that view it and goes back to its shard's
// pool with the last of them. Counts are plain: every lease lives on, or is carried home to, the shard that owns the
// pool.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace stele::server {

class BufferPool;
class Budget;
struct FrameShelf;

class FrameBuffer {
 public:
  base::MutableBytes bytes() { return {data_.get(), capacity_}; }
  size_t capacity() const { return capacity_; }

 private:
  friend class BufferPool;
  friend class Lease;
  FrameBuffer(FrameShelf& shelf, size_t capacity)
      : shelf_(&shelf), data_(std::make_unique_for_overwrite<std::byte[]>(capacity)), capacity_(capacity) {}

  FrameShelf* shelf_;
  std::unique_ptr<std::byte[]> data_;
  size_t capacity_;
  size_t leases_ = 0;
  Budget* charged_to_ = nullptr;
};

// Keeps a buffer, and the charge for it, alive.
class Lease {
 public:
  Lease() = default;
  explicit Lease(FrameBuffer* buffer) : buffer_(buffer) {
    if (buffer_ != nullptr) ++buffer_->leases_;
  }
  Lease(const Lease& other) : Lease(other.buffer_) {}
  Lease(Lease&& other) noexcept : buffer_(std::exchange(other.buffer_, nullptr)) {}
  Lease& operator=(Lease other) noexcept {
    std::swap(buffer_, other.buffer_);
    return *this;
  }
  ~Lease() { drop(); }

  FrameBuffer* get() const { return buffer_; }
  FrameBuffer* operator->() const { return buffer_; }
  explicit operator bool() const { return buffer_ != nullptr; }
  bool sole() const { return buffer_ != nullptr && buffer_->leases_ == 1; }
  // Whether the pool is still there, and with it the budgets of its shard.
  bool pool_is_there() const;
  // Charges the buffer's capacity once, to be given back with the buffer. `charged` says that the budget already counts
  // it.
  void charge_to(Budget& budget, bool charged = false);

 private:
  void drop();
  FrameBuffer* buffer_ = nullptr;
};

// Owned by one shard. Appends that a crash or a hasty stop left undone may hold leases when it goes: their buffers are
// freed with them, and the budgets, which go with the pool, hear no more of them.
class BufferPool {
 public:
  static constexpr size_t kChunkBytes = size_t{128} << 10;
  static constexpr size_t kSmallBytes = size_t{2} << 10;
  static constexpr size_t kIdleChunksMax = 64;  // kept for reuse; more are freed
  static constexpr size_t kIdleSmallMax = 256;  // the same of kSmallBytes

  BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool();

  Lease take() { return take(kChunkBytes); }
  Lease take(size_t bytes);
  size_t out() const;

 private:
  std::unique_ptr<FrameShelf> shelf_;
};

}  // namespace stele::server
