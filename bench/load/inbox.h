// Takes answers off a non-blocking socket, a frame at a time, without an allocation once the buffer has grown to the
// answers' size.
#pragma once

#include <errno.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "load/process.h"

namespace stele::bench {

class Inbox {
 public:
  // Reads what has come and calls take(answer, from the correlation id on) for each whole frame. False once the peer
  // has closed.
  template <class Take>
  bool drain(int fd, Take&& take) {
    while (true) {
      if (buffer_.size() - used_ == 0) buffer_.resize(std::max<size_t>(kFirst, buffer_.size() * 2));
      const size_t room = buffer_.size() - used_;
      const ssize_t got = ::recv(fd, buffer_.data() + used_, room, 0);
      if (got == 0) return false;
      if (got < 0) {
        if (errno == EINTR) continue;
        return errno == EAGAIN;
      }
      used_ += static_cast<size_t>(got);
      take_frames(take);
      if (static_cast<size_t>(got) < room) return true;  // a short read has emptied the socket
    }
  }

 private:
  static constexpr size_t kFirst = 4096;
  static constexpr size_t kLargest = size_t{256} << 20;

  template <class Take>
  void take_frames(Take& take) {
    size_t at = 0;
    while (used_ - at >= 4) {
      const auto announced = base::load_be<int32_t>(buffer_.data() + at);
      if (announced < 4 || static_cast<size_t>(announced) > kLargest) fail("an answer of an impossible length");
      const size_t size = 4 + static_cast<size_t>(announced);
      if (used_ - at < size) {
        if (size > buffer_.size()) buffer_.resize(size);
        break;
      }
      take(base::Bytes{buffer_}.subspan(at + 4, size - 4));
      at += size;
    }
    if (at > 0) std::memmove(buffer_.data(), buffer_.data() + at, used_ - at);
    used_ -= at;
  }

  base::ByteVector buffer_;
  size_t used_ = 0;
};

}  // namespace stele::bench
