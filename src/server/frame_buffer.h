// Pooled memory that frames are read into. A buffer is shared by the requests that view it and goes back to its shard's
// pool with the last of them. Counts are plain: every lease lives on, or is carried home to, the shard that owns the
// pool.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"

namespace stele::server {

class BufferPool;
class Budget;

class FrameBuffer {
 public:
  base::MutableBytes bytes() { return {data_.get(), capacity_}; }
  size_t capacity() const { return capacity_; }

 private:
  friend class BufferPool;
  friend class Lease;
  FrameBuffer(BufferPool& pool, size_t capacity)
      : pool_(&pool), data_(std::make_unique_for_overwrite<std::byte[]>(capacity)), capacity_(capacity) {}

  BufferPool* pool_;
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
  // Charges the buffer's capacity once, to be given back with the buffer. `charged` says that the budget already counts
  // it.
  void charge_to(Budget& budget, bool charged = false);

 private:
  void drop();
  FrameBuffer* buffer_ = nullptr;
};

// Owned by one shard; outlives every lease.
class BufferPool {
 public:
  static constexpr size_t kChunkBytes = size_t{128} << 10;
  static constexpr size_t kIdleChunksMax = 64;  // kept for reuse; more are freed

  BufferPool() = default;
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool() { STELE_CHECK(out_ == 0, "{} buffers still leased", out_); }

  Lease take() { return take(kChunkBytes); }
  Lease take(size_t bytes);
  size_t out() const { return out_; }

 private:
  friend class Lease;
  void give_back(FrameBuffer* buffer);

  std::vector<std::unique_ptr<FrameBuffer>> idle_;
  size_t out_ = 0;
};

}  // namespace stele::server
