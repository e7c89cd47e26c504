// Cuts the bytes of a connection into frames: int32 size, then that many bytes
// (org.apache.kafka.common.network.NetworkReceive). Holds a buffer only while a part of a frame is in it.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "io/stream.h"
#include "server/budget.h"
#include "server/frame_buffer.h"

namespace stele::server {

struct Frame {
  base::Bytes bytes;  // without the size
  Lease lease;
};

class FrameInput {
 public:
  FrameInput(BufferPool& pool, size_t frame_bytes_max) : pool_(&pool), frame_bytes_max_(frame_bytes_max) {}

  // Takes the next frame, if a whole one is there. Only while size_valid().
  std::optional<Frame> next();
  // False once the frame being read announces a size outside 1..max: nothing after it can be read.
  bool size_valid() const;
  // One try_read. Call make_room() before.
  io::TransferResult fill(io::Stream& stream);
  // Makes the buffer large enough to go on reading. Grows with the bytes that came, never at once to what was
  // announced. False: the budget has no room; the holder is woken when it is worth another try.
  bool make_room(Budget::Holder& holder, Budget& budget);
  // Before waiting for the peer: gives an empty buffer back, moves a small rest into a small one, charges what is kept.
  void settle(Budget& budget);

  bool partial() const { return end_ > begin_; }
  // A frame is there in full, and waits to be taken.
  bool whole() const;
  // Whether to read on while the frames that are there have to wait: until a buffer is full. Behind that the peer has
  // to wait too.
  bool may_read_ahead() const;
  // The API key of the frame that is being read, once its first six bytes are there;
  // -1 where it is too short to have one.
  std::optional<int16_t> api_key() const;
  // The size that the frame being read announces, once its first four bytes are there.
  std::optional<int32_t> announced() const;

 private:
  void move_to(Lease target);

  BufferPool* pool_;
  size_t frame_bytes_max_;
  Lease buffer_;
  size_t begin_ = 0;  // of the frame being read
  size_t end_ = 0;    // of what was read
};

}  // namespace stele::server
