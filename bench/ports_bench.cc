// What a request costs on the ports: a 100-byte echo with a file write, pipelined, over loopback. The client is another
// process, so that the CPU time of this one is the server's. Prints requests per CPU-second for each way to serve.
//   ports_bench [requests] [directory]
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "io/world.h"

namespace {
std::atomic<uint64_t> allocations{0};
}

void* operator new(size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* at = ::malloc(bytes)) return at;
  throw std::bad_alloc{};
}
void operator delete(void* at) noexcept { ::free(at); }
void operator delete(void* at, size_t) noexcept { ::free(at); }

namespace stele {
namespace {

using base::Task;

constexpr size_t kFrame = 104;  // a length of four bytes and 100 bytes
constexpr size_t kBuffer = 64 * 1024;
constexpr uint32_t kConnections = 4;
constexpr uint32_t kPipelined = 64;

struct Way {
  const char* name;
  bool bare;        // system calls in a plain loop, without the ports: what they are measured against
  bool hops;        // the file belongs to another shard
  bool drains;      // all complete frames a turn, one answer; else one frame a turn
  bool write_each;  // a file write for each request, else for each turn
};

struct FileOwner {
  explicit FileOwner(io::Shard& on) : shard(on), tasks(on.executor(), [](std::exception_ptr) { std::abort(); }) {}
  io::Shard& shard;
  base::TaskScope tasks;
  std::unique_ptr<io::File> file;
  uint64_t end = 0;
};

Task<void> append(FileOwner& owner, base::Bytes frames, bool write_each) {
  const size_t step = write_each ? kFrame : frames.size();
  for (size_t at = 0; at < frames.size(); at += step) {
    const iovec part{const_cast<std::byte*>(frames.data() + at), step};
    const uint64_t offset = owner.end;
    owner.end += step;
    (co_await owner.file->write(offset, {&part, 1})).value();
  }
}

// There with the frames, home with the news that they are written.
struct AppendMail final : io::Mail {
  AppendMail(io::Shard& from, FileOwner& to, base::Bytes bytes, bool each, base::Signal& signal)
      : home(from), owner(to), frames(bytes), write_each(each), done(signal) {}
  void deliver() override {
    std::unique_ptr<AppendMail> self{this};
    if (written) {
      done.set();
    } else {
      owner.tasks.spawn(run(std::move(self)));
    }
  }
  static Task<void> run(std::unique_ptr<AppendMail> mail) {
    co_await append(mail->owner, mail->frames, mail->write_each);
    mail->written = true;
    io::Shard& there = mail->owner.shard;
    there.send(mail->home.id(), std::move(mail));
  }
  io::Shard& home;
  FileOwner& owner;
  base::Bytes frames;
  bool write_each;
  base::Signal& done;
  bool written = false;
};

Task<void> write_all(io::Shard& shard, io::Stream& stream, base::Bytes bytes) {
  base::Signal writable{shard.executor()};
  while (!bytes.empty()) {
    const iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    const io::TransferResult result = stream.try_write({&part, 1});
    if (result.status == io::Transfer::kWouldBlock) {
      stream.notify_writable(&writable);
      co_await writable.wait();
      continue;
    }
    STELE_CHECK(result.status == io::Transfer::kDone);
    bytes = bytes.subspan(result.bytes);
  }
}

Task<void> serve(io::Shard& shard, std::unique_ptr<io::Stream> stream, FileOwner& owner, Way way) {
  base::ByteVector buffer(kBuffer);
  base::Signal readable{shard.executor()};
  base::Signal appended{shard.executor()};
  size_t have = 0;
  while (true) {
    const size_t room = way.drains ? kBuffer - have : kFrame - have;
    const iovec part{buffer.data() + have, room};
    const io::TransferResult result = stream->try_read({&part, 1});
    if (result.status == io::Transfer::kWouldBlock) {
      stream->notify_readable(&readable);
      co_await readable.wait();
      continue;
    }
    if (result.status != io::Transfer::kDone) co_return;
    have += result.bytes;
    const size_t whole = have / kFrame * kFrame;
    if (whole == 0) continue;
    const base::Bytes frames{buffer.data(), whole};
    if (way.hops) {
      shard.send(owner.shard.id(), std::make_unique<AppendMail>(shard, owner, frames, way.write_each, appended));
      co_await appended.wait();
    } else {
      co_await append(owner, frames, way.write_each);
    }
    co_await write_all(shard, *stream, frames);
    std::memmove(buffer.data(), buffer.data() + whole, have - whole);
    have -= whole;
    if (!way.drains) co_await base::yield(shard.executor());
  }
}

Task<void> open_file(FileOwner& owner, std::string directory) {
  auto opened = co_await owner.shard.open_directory(directory, true);
  owner.file = (co_await opened.value()->open("echo", io::OpenMode::kCreate)).value();
  (co_await owner.file->truncate(0)).value();
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](timeval time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Run {
  Way way;
  std::string directory;
  int port_to_client;
  double cpu = 0;
  uint64_t allocated = 0;
};

Task<void> host_file(io::World& world, io::Shard& shard, Run& run, std::unique_ptr<FileOwner>& owner,
                     std::atomic<bool>& ready) {
  owner = std::make_unique<FileOwner>(world.shard(base::ShardId{run.way.hops ? 1U : 0U}));
  STELE_CHECK(&owner->shard == &shard);
  co_await open_file(*owner, run.directory);
  ready = true;
}

Task<void> host_connections(io::World& world, io::Shard& shard, Run& run, std::unique_ptr<FileOwner>& owner,
                            std::atomic<bool>& ready) {
  if (!run.way.hops) co_await host_file(world, shard, run, owner, ready);
  while (!ready) co_await io::sleep_until(shard, shard.clock().now() + std::chrono::milliseconds{1});
  auto listener = shard.listen({"127.0.0.1", 0}).value();
  const uint16_t port = listener->port();
  STELE_CHECK(::write(run.port_to_client, &port, sizeof port) == sizeof port);
  base::TaskScope connections{shard.executor(), [](std::exception_ptr) { std::abort(); }};
  base::Signal acceptable{shard.executor()};
  for (uint32_t accepted = 0; accepted < kConnections;) {
    std::unique_ptr<io::DetachedStream> stream = listener->try_accept().value();
    if (stream == nullptr) {
      listener->notify_acceptable(&acceptable);
      co_await acceptable.wait();
      continue;
    }
    if (accepted++ == 0) {
      run.cpu = -cpu_seconds();
      run.allocated = -allocations.load();
    }
    connections.spawn(serve(shard, shard.adopt(std::move(stream)), *owner, run.way));
  }
  co_await connections.join();
  run.cpu += cpu_seconds();
  run.allocated += allocations.load();
}

Task<void> host(io::World& world, io::Shard& shard, Run& run, std::unique_ptr<FileOwner>& owner,
                std::atomic<bool>& ready) {
  if (shard.id().value() == 0) {
    co_await host_connections(world, shard, run, owner, ready);
  } else if (run.way.hops) {
    co_await host_file(world, shard, run, owner, ready);
  }
}

// The same work in one function: epoll, recv, pwrite, send. Level-triggered, blocking sockets.
void serve_bare(Run& run) {
  std::filesystem::create_directories(run.directory);
  const int file = ::open((run.directory + "/echo").c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  STELE_CHECK(file >= 0 && ::bind(listener, generic, length) == 0 && ::listen(listener, kConnections) == 0);
  ::getsockname(listener, generic, &length);
  const uint16_t port = ntohs(address.sin_port);
  STELE_CHECK(::write(run.port_to_client, &port, sizeof port) == sizeof port);
  struct Connection {
    base::ByteVector buffer = base::ByteVector(kBuffer);
    size_t have = 0;
    int fd = -1;
  };
  std::array<Connection, kConnections> connections;
  const int poller = ::epoll_create1(EPOLL_CLOEXEC);
  for (uint32_t i = 0; i < kConnections; ++i) {
    connections[i].fd = ::accept(listener, nullptr, nullptr);
    if (i == 0) run.cpu = -cpu_seconds();
    const int on = 1;
    ::setsockopt(connections[i].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event event{.events = EPOLLIN, .data = {.u32 = i}};
    ::epoll_ctl(poller, EPOLL_CTL_ADD, connections[i].fd, &event);
  }
  off_t end = 0;
  for (uint32_t open = kConnections; open > 0;) {
    std::array<epoll_event, kConnections> events{};
    const int ready = ::epoll_wait(poller, events.data(), events.size(), -1);
    for (int i = 0; i < ready; ++i) {
      Connection& at = connections[events[static_cast<size_t>(i)].data.u32];
      const ssize_t got = ::recv(at.fd, at.buffer.data() + at.have, (run.way.drains ? kBuffer : kFrame) - at.have, 0);
      if (got <= 0) {
        ::close(at.fd);
        --open;
        continue;
      }
      at.have += static_cast<size_t>(got);
      const size_t whole = at.have / kFrame * kFrame;
      const size_t step = run.way.write_each ? kFrame : whole;
      for (size_t from = 0; from < whole; from += step) {
        STELE_CHECK(::pwrite(file, at.buffer.data() + from, step, end) == ssize_t(step));
        end += ssize_t(step);
      }
      if (whole > 0) STELE_CHECK(::send(at.fd, at.buffer.data(), whole, MSG_NOSIGNAL) == ssize_t(whole));
      std::memmove(at.buffer.data(), at.buffer.data() + whole, at.have - whole);
      at.have -= whole;
    }
  }
  run.cpu += cpu_seconds();
  for (const int fd : {poller, listener, file}) ::close(fd);
}

// Keeps kPipelined requests under way on each connection, one connection after the other.
[[noreturn]] void be_client(int port_from_server, uint64_t requests) {
  uint16_t port = 0;
  STELE_CHECK(::read(port_from_server, &port, sizeof port) == sizeof port);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::array<int, kConnections> sockets{};
  for (int& fd : sockets) {
    fd = ::socket(AF_INET, SOCK_STREAM, 0);
    STELE_CHECK(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  base::ByteVector out(kFrame * kPipelined, std::byte{'x'});
  base::ByteVector in(out.size());
  const auto send_burst = [&](int fd) { STELE_CHECK(::write(fd, out.data(), out.size()) == ssize_t(out.size())); };
  for (const int fd : sockets) send_burst(fd);
  const uint64_t bursts = requests / kPipelined / kConnections;
  for (uint64_t burst = 0; burst < bursts; ++burst) {
    for (const int fd : sockets) {
      STELE_CHECK(::recv(fd, in.data(), in.size(), MSG_WAITALL) == ssize_t(in.size()));
      if (burst + 1 < bursts) send_burst(fd);
    }
  }
  ::_exit(0);
}

void measure(Way way, uint64_t requests, const std::string& directory) {
  std::array<int, 2> ends{};
  STELE_CHECK(::pipe(ends.data()) == 0);
  const pid_t client = ::fork();
  if (client == 0) be_client(ends[0], requests);
  Run run{.way = way, .directory = directory, .port_to_client = ends[1]};
  const auto start = std::chrono::steady_clock::now();
  if (way.bare) {
    serve_bare(run);
  } else {
    std::unique_ptr<FileOwner> owner;
    std::atomic<bool> ready = false;
    io::World world{{.shards = 2, .offload_threads = 1}};
    world.start([&](io::Shard& shard) { return host(world, shard, run, owner, ready); });
    world.join();
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  int status = 0;
  ::waitpid(client, &status, 0);
  STELE_CHECK(status == 0);
  ::close(ends[0]);
  ::close(ends[1]);
  const auto count = static_cast<double>(requests);
  fmt::print("{:<46} {:>9.0f} {:>8.2f} {:>8.2f} {:>9.0f}\n", way.name, count / run.cpu, run.cpu * 1e6 / count,
             static_cast<double>(run.allocated) / count, count / took.count());
  ::fflush(stdout);
}

}  // namespace
}  // namespace stele

int main(int argc, char** argv) {
  const uint64_t requests = argc > 1 ? std::stoull(argv[1]) : 2'000'000;
  const std::string directory = argc > 2 ? argv[2] : "ports_bench_data";
  fmt::print("{:<46} {:>9} {:>8} {:>8} {:>9}\n", "", "req/cpu-s", "us each", "allocs", "req/s");
  for (const stele::Way way : {
           stele::Way{"bare system calls, drained, a write a turn", true, false, true, false},
           stele::Way{"bare system calls, drained, a write a request", true, false, true, true},
           stele::Way{"bare system calls, one frame a turn", true, false, false, false},
           stele::Way{"own shard, drained, a write a turn", false, false, true, false},
           stele::Way{"own shard, drained, a write a request", false, false, true, true},
           stele::Way{"own shard, one frame a turn", false, false, false, false},
           stele::Way{"other shard, drained, a write a turn", false, true, true, false},
           stele::Way{"other shard, drained, a write a request", false, true, true, true},
           stele::Way{"other shard, one frame a turn", false, true, false, false},
       }) {
    stele::measure(way, requests, directory);
  }
  return 0;
}
