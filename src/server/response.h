// Answers on their way out: an encoded head with record bytes spliced in where they belong, so that those are never
// copied.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "io/file.h"
#include "io/stream.h"
#include "server/budget.h"

namespace stele::server {

struct Response {
  // `bytes`, or those of the range, stand in the answer before head[position]; positions ascend.
  struct Splice {
    size_t position = 0;
    base::Bytes bytes;
    io::FileRange range;
    size_t size() const { return bytes.size() + range.bytes; }
  };
  base::ByteVector head;  // size, header and body without the spliced bytes
  std::vector<Splice> splices;
  std::vector<std::shared_ptr<const void>> owners;  // of the spliced bytes

  size_t size() const;
};

// Bytes that the peer has not taken yet, in order.
class OutputQueue {
 public:
  // Small answers that wait are put together, and charged to the budget once there are many.
  void push(Response response, Budget& budget);
  bool empty() const { return queue_.empty(); }
  size_t bytes() const { return bytes_; }
  // Writes until all is taken or the stream would block; one gathered write for as many answers as fit. kWouldBlock
  // with to_load(): what comes next is not in the page cache.
  // kDone while it is not empty: it is another connection's turn.
  io::Transfer flush(io::Stream& stream);
  // Records that must be put into memory before they can be sent; null where there are none.
  const io::FileRange* to_load() const { return to_load_ == nullptr ? nullptr : &to_load_->range; }
  // The bytes of to_load(); `owner` keeps them alive until they are sent.
  void loaded(base::Bytes bytes, std::shared_ptr<const void> owner);

 private:
  // What is to be sent next: gathered bytes, or where there are none, the splice and how much of it is sent.
  struct Next {
    Response::Splice* range = nullptr;
    size_t sent = 0;
  };
  Next gather(std::vector<iovec>& out);
  void consume(size_t count);

  struct Waiting {
    Response response;
    bool joins = false;  // small answers go behind it, in the same bytes
  };
  void push_small(Response response, Budget& budget);

  std::deque<Waiting> queue_;
  size_t done_ = 0;  // bytes of the front that were written
  size_t bytes_ = 0;
  Response::Splice* to_load_ = nullptr;
  std::vector<iovec> vectors_;
};

}  // namespace stele::server
