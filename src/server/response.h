// Answers on their way out: an encoded head with record bytes spliced in where they belong, so that those are never
// copied.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "io/stream.h"
#include "server/budget.h"

namespace stele::server {

struct Response {
  // `bytes` stand in the answer before head[position]; positions ascend.
  struct Splice {
    size_t position = 0;
    base::Bytes bytes;
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
  // Writes until all is taken or the stream would block; one gathered write for as many answers as fit.
  io::Transfer flush(io::Stream& stream);

 private:
  void gather(std::vector<iovec>& out) const;
  void consume(size_t count);

  struct Waiting {
    Response response;
    bool joins = false;  // small answers go behind it, in the same bytes
  };
  void push_small(Response response, Budget& budget);

  std::deque<Waiting> queue_;
  size_t done_ = 0;  // bytes of the front that were written
  size_t bytes_ = 0;
  std::vector<iovec> vectors_;
};

}  // namespace stele::server
