#include "io/tcp.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include "base/check.h"
#include "io/off_loop.h"
#include "io/posix_file.h"

namespace stele::io {
namespace {

using base::Error;
using base::Result;
using base::Task;

constexpr int kBacklog = 1024;
constexpr size_t kSentAtOnce = size_t{1} << 20;  // looked for in the page cache for one system call

std::string to_text(const Endpoint& endpoint) {
  const bool is_ipv6 = endpoint.host.find(':') != std::string::npos;
  return fmt::format("{}:{}",
                     is_ipv6                 ? "[" + endpoint.host + "]"
                     : endpoint.host.empty() ? "*"
                                             : endpoint.host,
                     endpoint.port);
}

Error network_error(std::string_view operation, const Endpoint& endpoint, int os_error) {
  return Error{base::ErrorCode::kNetworkException,
               fmt::format("cannot {} {}: {}", operation, to_text(endpoint), std::generic_category().message(os_error)),
               os_error};
}

struct Address {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

// Blocks where the name is not a literal address.
Result<std::vector<Address>> resolve(const Endpoint& endpoint, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(endpoint.port);
  const int failed =
      ::getaddrinfo(endpoint.host.empty() ? nullptr : endpoint.host.c_str(), port.c_str(), &hints, &found);
  if (failed != 0) {
    const int os_error = failed == EAI_SYSTEM ? errno : EHOSTUNREACH;
    return Error{base::ErrorCode::kNetworkException,
                 fmt::format("cannot resolve {}: {}", to_text(endpoint), ::gai_strerror(failed)), os_error};
  }
  std::vector<Address> addresses;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    Address& address = addresses.emplace_back();
    std::memcpy(&address.storage, at->ai_addr, at->ai_addrlen);
    address.length = at->ai_addrlen;
  }
  ::freeaddrinfo(found);
  return addresses;
}

struct Peer {
  std::string address;
  uint16_t port = 0;
};

// An IPv4 peer of a listener for both families is told as the IPv4 address it is.
Peer peer_of(const Address& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.family() == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &address.storage, sizeof v4);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return {text, ntohs(v4.sin_port)};
  }
  if (address.family() != AF_INET6) return {};
  sockaddr_in6 v6;
  std::memcpy(&v6, &address.storage, sizeof v6);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    ::inet_ntop(AF_INET, v6.sin6_addr.s6_addr + 12, text, sizeof text);
  } else {
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  }
  return {text, ntohs(v6.sin6_port)};
}

void set_option(int fd, int level, int name, int value) { ::setsockopt(fd, level, name, &value, sizeof value); }

bool has_room(std::span<const iovec> parts) {
  for (const iovec& part : parts) {
    if (part.iov_len != 0) return true;
  }
  return false;
}

class DetachedTcp final : public DetachedStream {
 public:
  DetachedTcp(int fd, Peer peer) : fd_(fd), peer_(std::move(peer)) {}
  ~DetachedTcp() override {
    if (fd_ >= 0) ::close(fd_);
  }
  const std::string& peer_address() const override { return peer_.address; }
  uint16_t peer_port() const override { return peer_.port; }
  int release() { return std::exchange(fd_, -1); }
  Peer& peer() { return peer_; }

 private:
  int fd_;
  Peer peer_;
};

class TcpStream final : public Stream {
 public:
  TcpStream(LoopCounts& counts, Watch socket, Peer peer)
      : counts_(counts), socket_(std::move(socket)), peer_(std::move(peer)) {}

  TransferResult try_read(std::span<const iovec> into) override {
    if (shut_) return {Transfer::kEnd};
    if (!has_room(into)) return {Transfer::kDone};
    msghdr message = header(into);
    ++counts_.socket_reads;
    return outcome([&] { return ::recvmsg(socket_.fd(), &message, 0); }, Transfer::kEnd);
  }

  TransferResult try_write(std::span<const iovec> from) override {
    if (shut_) return {.status = Transfer::kError, .os_error = EPIPE};
    if (!has_room(from)) return {Transfer::kDone};
    msghdr message = header(from);
    ++counts_.socket_writes;
    return outcome([&] { return ::sendmsg(socket_.fd(), &message, MSG_NOSIGNAL); }, Transfer::kDone);
  }

  bool sends_files() const override { return true; }

  // The file is looked at before, for its bytes may wait on the disk, and after, for it may be cut meanwhile.
  TransferResult try_send(const FileRange& range, size_t skip) override {
    if (shut_) return {.status = Transfer::kError, .os_error = EPIPE};
    const uint64_t from = range.offset + skip;
    const size_t bytes = std::min(range.bytes - skip, kSentAtOnce);
    ++counts_.file_sends;
    if (range.file->cuts() != range.cuts) return {.status = Transfer::kError, .os_error = ESTALE};
    if (!in_page_cache(*range.file, from, bytes)) return {.status = Transfer::kError, .os_error = EAGAIN};
    const TransferResult result = outcome(
        [&] {
          auto at = static_cast<off_t>(from);
          return ::sendfile(socket_.fd(), descriptor_of(*range.file), &at, bytes);
        },
        Transfer::kEnd);
    if (range.file->cuts() != range.cuts) return {.status = Transfer::kError, .os_error = ESTALE};
    return result;
  }

  void notify_readable(base::Signal* signal) override { notify(Direction::kRead, signal); }
  void notify_writable(base::Signal* signal) override { notify(Direction::kWrite, signal); }

  void shutdown() override {
    if (std::exchange(shut_, true)) return;
    ::shutdown(socket_.fd(), SHUT_RDWR);
    socket_.wake_all();
  }

  const std::string& peer_address() const override { return peer_.address; }
  uint16_t peer_port() const override { return peer_.port; }

  std::unique_ptr<DetachedStream> detach() {
    return std::make_unique<DetachedTcp>(socket_.release(), std::move(peer_));
  }

 private:
  static msghdr header(std::span<const iovec> parts) {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(parts.data());
    message.msg_iovlen = std::min<size_t>(parts.size(), IOV_MAX);
    return message;
  }

  template <class F>
  static TransferResult outcome(F call, Transfer nothing) {
    ssize_t moved = -1;
    do {
      moved = call();
    } while (moved < 0 && errno == EINTR);
    if (moved > 0) return {Transfer::kDone, static_cast<size_t>(moved)};
    if (moved == 0) return {nothing};
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {Transfer::kWouldBlock};
    return {.status = Transfer::kError, .os_error = errno};
  }

  void notify(Direction direction, base::Signal* signal) {
    if (shut_ && signal != nullptr) {
      signal->set();
      return;
    }
    socket_.notify(direction, signal);
  }

  LoopCounts& counts_;
  Watch socket_;
  Peer peer_;
  bool shut_ = false;
};

class TcpListener final : public Listener {
 public:
  TcpListener(Watch socket, Endpoint endpoint) : socket_(std::move(socket)), endpoint_(std::move(endpoint)) {}

  Result<std::unique_ptr<DetachedStream>> try_accept() override {
    while (true) {
      Address from;
      const int fd = ::accept4(socket_.fd(), from.get(), &from.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        return std::unique_ptr<DetachedStream>{std::make_unique<DetachedTcp>(fd, peer_of(from))};
      }
      switch (errno) {
        case EAGAIN:
          return std::unique_ptr<DetachedStream>{};
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
        case EBADF:
        case EINVAL:
          return network_error("accept on", endpoint_, errno);
        default:
          continue;  // that connection failed before it was accepted (accept(2)); the next one may be good
      }
    }
  }

  void notify_acceptable(base::Signal* signal) override { socket_.notify(Direction::kRead, signal); }
  uint16_t port() const override { return endpoint_.port; }

 private:
  Watch socket_;
  Endpoint endpoint_;
};

// The socket, or errno negated.
int open_listening(const Address& address, int64_t send_buffer_bytes) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0) return -errno;
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  // What is accepted has what the listening socket has.
  if (send_buffer_bytes > 0) set_option(fd, SOL_SOCKET, SO_SNDBUF, static_cast<int>(send_buffer_bytes));
  if (address.family() == AF_INET6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  if (::bind(fd, address.get(), address.length) == 0 && ::listen(fd, kBacklog) == 0) return fd;
  const int os_error = errno;
  ::close(fd);
  return -os_error;
}

// A connected socket, or one that connects, or errno negated.
int start_connecting(const Address& address) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0) return -errno;
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (::connect(fd, address.get(), address.length) == 0 || errno == EINPROGRESS) return fd;
  const int os_error = errno;
  ::close(fd);
  return -os_error;
}

int pending_error(int fd) {
  int os_error = 0;
  socklen_t length = sizeof os_error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &os_error, &length) < 0) return errno;
  return os_error;
}

}  // namespace

// Every address is one IPv6 socket that takes IPv4 too, where the machine has IPv6. A name with addresses of both
// families is bound to an IPv4 one, as Java does: clients that are told "127.0.0.1" find a broker that listens on
// "localhost".
Result<std::unique_ptr<Listener>> listen_tcp(Reactor& reactor, const Endpoint& endpoint, int64_t send_buffer_bytes) {
  STELE_TRY_ASSIGN(std::vector<Address> addresses, resolve(endpoint, AI_PASSIVE));
  const int preferred = endpoint.host.empty() ? AF_INET6 : AF_INET;
  const auto first = std::ranges::find(addresses, preferred, &Address::family);
  if (first != addresses.end()) std::iter_swap(addresses.begin(), first);
  int os_error = EADDRNOTAVAIL;
  for (const Address& address : addresses) {
    const int fd = open_listening(address, send_buffer_bytes);
    if (fd < 0) {
      os_error = -fd;
      if (os_error == EADDRINUSE || os_error == EACCES) break;
      continue;
    }
    Address bound;
    ::getsockname(fd, bound.get(), &bound.length);
    return std::unique_ptr<Listener>{
        std::make_unique<TcpListener>(reactor.watch(fd), Endpoint{endpoint.host, peer_of(bound).port})};
  }
  return network_error("listen on", endpoint, os_error);
}

Task<Result<std::unique_ptr<Stream>>> connect_tcp(Shard& shard, Reactor& reactor, Endpoint endpoint) {
  Result<std::vector<Address>> addresses = resolve(endpoint, AI_NUMERICHOST);
  if (!addresses.ok()) addresses = co_await off_loop(shard, [endpoint] { return resolve(endpoint, AI_ADDRCONFIG); });
  if (!addresses.ok()) co_return std::move(addresses).error();
  int os_error = EHOSTUNREACH;
  for (const Address& address : *addresses) {
    const int fd = start_connecting(address);
    if (fd < 0) {
      os_error = -fd;
      continue;
    }
    base::Signal connected{shard.executor()};
    Watch socket = reactor.watch(fd);
    socket.notify(Direction::kWrite, &connected);
    co_await connected.wait();
    os_error = pending_error(socket.fd());
    if (os_error == 0) {
      co_return std::unique_ptr<Stream>{
          std::make_unique<TcpStream>(shard.counts(), std::move(socket), peer_of(address))};
    }
  }
  co_return network_error("connect to", endpoint, os_error);
}

std::unique_ptr<Stream> adopt_tcp(Shard& shard, Reactor& reactor, std::unique_ptr<DetachedStream> stream) {
  auto* tcp = dynamic_cast<DetachedTcp*>(stream.get());
  STELE_CHECK(tcp != nullptr, "adopts what this world detached");
  return std::make_unique<TcpStream>(shard.counts(), reactor.watch(tcp->release()), std::move(tcp->peer()));
}

std::unique_ptr<DetachedStream> detach_tcp(std::unique_ptr<Stream> stream) {
  auto* tcp = dynamic_cast<TcpStream*>(stream.get());
  STELE_CHECK(tcp != nullptr, "detaches what this world made");
  return tcp->detach();
}

}  // namespace stele::io
