// A floor: what the same costs when one loop drains all that has come and writes once per turn.
//   floor_loop <port> <file>
#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "floors/frame.h"

namespace stele::floors {
namespace {

constexpr size_t kRoom = 128 * 1024;  // of a connection at first: whole frames come out of it without being moved

struct Connection {
  int fd = -1;
  base::ByteVector in = base::ByteVector(kRoom);
  size_t used = 0;   // bytes received
  size_t taken = 0;  // of which this many are done with at the end of the turn
  base::ByteVector out;
};

class Loop {
 public:
  Loop(int listener, int file) : epoll_(::epoll_create1(0)), listener_(listener), file_(file) {
    watch(listener_, nullptr);
  }

  void turn() {
    std::array<epoll_event, 256> events;
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      auto* connection = static_cast<Connection*>(events[static_cast<size_t>(i)].data.ptr);
      if (connection == nullptr) {
        watch(accept_one(listener_), new Connection);
      } else {
        receive(*connection);
      }
    }
    write_all();
    for (Connection* connection : turn_) answer(*connection);
    turn_.clear();
  }

 private:
  void watch(int fd, Connection* connection) {
    if (connection != nullptr) {
      connection->fd = fd;
      ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
    epoll_event event{.events = EPOLLIN, .data = {.ptr = connection}};
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) std::abort();
  }

  void receive(Connection& connection) {
    const ssize_t got =
        ::recv(connection.fd, connection.in.data() + connection.used, connection.in.size() - connection.used, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      ::close(connection.fd);
      delete &connection;  // nothing of it is under way: a turn answers all that it has taken
      return;
    }
    connection.used += static_cast<size_t>(got);
    while (connection.used - connection.taken >= 4) {
      const size_t size = 4 + static_cast<size_t>(base::load_be<int32_t>(connection.in.data() + connection.taken));
      if (connection.used - connection.taken < size) break;
      take_frame(base::Bytes{connection.in}.subspan(connection.taken + 4, size - 4), ends_, writes_, connection.out);
      connection.taken += size;
    }
    turn_.push_back(&connection);
  }

  void write_all() {
    for (size_t at = 0; at < writes_.size(); at += IOV_MAX) {
      const size_t count = std::min<size_t>(IOV_MAX, writes_.size() - at);
      size_t total = 0;
      for (size_t i = 0; i < count; ++i) total += writes_[at + i].iov_len;
      if (::pwritev(file_, writes_.data() + at, static_cast<int>(count), end_) != static_cast<ssize_t>(total))
        std::abort();
      end_ += static_cast<off_t>(total);
    }
    writes_.clear();
  }

  void answer(Connection& connection) {
    if (!connection.out.empty()) {
      if (::send(connection.fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL) < 0) std::abort();
      connection.out.clear();
    }
    if (connection.taken > 0) {
      std::memmove(connection.in.data(), connection.in.data() + connection.taken, connection.used - connection.taken);
      connection.used -= connection.taken;
      connection.taken = 0;
    }
    if (connection.used >= 4) {
      const size_t size = 4 + static_cast<size_t>(base::load_be<int32_t>(connection.in.data()));
      if (connection.in.size() < size) connection.in.resize(size);
    }
  }

  int epoll_, listener_, file_;
  off_t end_ = 0;
  Ends ends_;
  std::vector<iovec> writes_;
  std::vector<Connection*> turn_;  // those that have received something
};

}  // namespace
}  // namespace stele::floors

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "floor_loop <port> <file>\n");
    return 2;
  }
  // O_APPEND would make pwritev ignore its offset, and both are the same here.
  stele::floors::Loop loop(stele::floors::listen_on(std::atoi(argv[1])), stele::floors::open_file(argv[2]));
  while (true) loop.turn();
}
