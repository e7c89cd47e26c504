#include "app/connection.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace stele::app {

namespace {

// A longer answer is none of ours: the bytes are another protocol's, read as a length.
constexpr int32_t kAnswerBytesMax = 256 << 20;

using base::ErrorCode;

// Waits until the socket is ready; kRequestTimedOut past the deadline.
base::Result<void> await(int fd, short events, Deadline deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return {ErrorCode::kRequestTimedOut, "no answer in time"};
    pollfd waiting{.fd = fd, .events = events, .revents = 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::min<int64_t>(left.count(), 1 << 30)));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return base::Error{ErrorCode::kNetworkException, std::strerror(errno), errno};
  }
}

base::Error cannot_connect(const Address& address, int os_error) {
  std::string sentence = fmt::format("cannot connect to {}: {}.", address.to_string(),
                                     os_error == ETIMEDOUT ? "no answer" : std::strerror(os_error));
  if (os_error == ECONNREFUSED) {
    sentence += " No broker listens there: start one with 'stele broker', or name another with --bootstrap-server.";
  } else if (os_error == ETIMEDOUT) {
    sentence += " Is the address right, and does a firewall let it pass?";
  }
  return {ErrorCode::kBrokerNotAvailable, std::move(sentence), os_error};
}

// 0, or errno.
int connect_to(int fd, const addrinfo& to, Deadline deadline) {
  if (::connect(fd, to.ai_addr, to.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  if (auto ready = await(fd, POLLOUT, deadline); !ready.ok()) {
    return ready.error().os_error != 0 ? ready.error().os_error : ETIMEDOUT;
  }
  int failure = 0;
  socklen_t size = sizeof failure;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size);
  return failure;
}

}  // namespace

base::Result<Connection> Connection::open(const Address& address, Deadline deadline) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failure = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (failure != 0) {
    return base::Error{ErrorCode::kBrokerNotAvailable,
                       fmt::format("cannot find the host of {}: {}.", address.to_string(), ::gai_strerror(failure)),
                       failure == EAI_SYSTEM ? errno : ENOENT};
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> all{found, ::freeaddrinfo};
  int os_error = ENOENT;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    const int fd = ::socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
      os_error = errno;
      continue;
    }
    Connection connection{address, fd};
    os_error = connect_to(fd, *at, deadline);
    if (os_error == 0) {
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      return connection;
    }
  }
  return cannot_connect(address, os_error);
}

Connection::Connection(Connection&& other) noexcept
    : address_(std::move(other.address_)), fd_(std::exchange(other.fd_, -1)) {}

Connection& Connection::operator=(Connection&& other) noexcept {
  std::swap(address_, other.address_);
  std::swap(fd_, other.fd_);
  return *this;
}

Connection::~Connection() {
  if (fd_ >= 0) ::close(fd_);
}

base::Result<void> Connection::send(base::Bytes frame, Deadline deadline) {
  while (!frame.empty()) {
    const ssize_t sent = ::send(fd_, frame.data(), frame.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      frame = frame.subspan(static_cast<size_t>(sent));
    } else if (errno == EAGAIN) {
      STELE_TRY(await(fd_, POLLOUT, deadline));
    } else if (errno != EINTR) {
      return base::Error{ErrorCode::kNetworkException,
                         fmt::format("{} broke the connection: {}.", address_.to_string(), std::strerror(errno)),
                         errno};
    }
  }
  return {};
}

base::Result<void> Connection::read_exactly(base::MutableBytes into, Deadline deadline) {
  while (!into.empty()) {
    const ssize_t got = ::recv(fd_, into.data(), into.size(), 0);
    if (got > 0) {
      into = into.subspan(static_cast<size_t>(got));
    } else if (got == 0) {
      return base::Error{
          ErrorCode::kNetworkException,
          fmt::format("{} closed the connection without an answer. Is it a listener of brokers for plain "
                      "clients (not TLS, not a controller's)?",
                      address_.to_string()),
          ECONNRESET};
    } else if (errno == EAGAIN) {
      STELE_TRY(await(fd_, POLLIN, deadline));
    } else if (errno != EINTR) {
      return base::Error{ErrorCode::kNetworkException,
                         fmt::format("{} broke the connection: {}.", address_.to_string(), std::strerror(errno)),
                         errno};
    }
  }
  return {};
}

base::Result<base::ByteVector> Connection::receive(Deadline deadline) {
  std::byte head[4];
  STELE_TRY(read_exactly(head, deadline));
  const auto size = base::load_be<int32_t>(head);
  if (size < 4 || size > kAnswerBytesMax) {
    return base::Error{
        ErrorCode::kInvalidRequest,
        fmt::format("{} does not speak Kafka's protocol. Is it a TLS or an HTTP port?", address_.to_string()), EPROTO};
  }
  base::ByteVector frame(static_cast<size_t>(size));
  STELE_TRY(read_exactly(frame, deadline));
  return frame;
}

}  // namespace stele::app
