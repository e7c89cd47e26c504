// A floor: what receiving, checking, writing and answering cost when a blocking thread serves each connection and
// writes each batch by itself.
//   floor_threads <port> <file>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "floors/frame.h"

namespace stele::floors {
namespace {

bool receive(int fd, std::byte* at, size_t size) {
  while (size > 0) {
    const ssize_t got = ::recv(fd, at, size, MSG_WAITALL);
    if (got <= 0) return false;
    at += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

void serve(int fd, int file, Ends& ends) {
  base::ByteVector frame, answer;
  std::vector<iovec> writes;
  std::byte length[4];
  while (receive(fd, length, sizeof length)) {
    const auto size = static_cast<size_t>(base::load_be<int32_t>(length));
    if (frame.size() < size) frame.resize(size);
    if (!receive(fd, frame.data(), size)) break;
    writes.clear();
    answer.clear();
    take_frame(base::Bytes{frame}.first(size), ends, writes, answer);
    for (const iovec& write : writes) {
      if (::write(file, write.iov_base, write.iov_len) != static_cast<ssize_t>(write.iov_len)) std::abort();
    }
    if (::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(answer.size())) break;
  }
  ::close(fd);
}

}  // namespace
}  // namespace stele::floors

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "floor_threads <port> <file>\n");
    return 2;
  }
  const int listener = stele::floors::listen_on(std::atoi(argv[1]));
  const int file = stele::floors::open_file(argv[2]);
  stele::floors::Ends ends;
  while (true) {
    const int fd = stele::floors::accept_one(listener);
    std::thread([fd, file, &ends] { stele::floors::serve(fd, file, ends); }).detach();
  }
}
