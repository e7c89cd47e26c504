#include "admin/http_server.h"

#include <array>

#include "base/complaints.h"

namespace stele::admin {

namespace {
constexpr size_t kReadBytes = 4096;
constexpr base::Duration kPauseAfterError = std::chrono::milliseconds{100};
}  // namespace

HttpServer::HttpServer(io::Shard& shard, HttpServerLimits limits, Answer answer)
    : shard_(shard), limits_(limits), answer_(std::move(answer)), tasks_(shard.executor(), [](std::exception_ptr) {}) {}

base::Result<uint16_t> HttpServer::listen(const io::Endpoint& endpoint) {
  STELE_TRY_ASSIGN(std::unique_ptr<io::Listener> port, shard_.listen(endpoint));
  const uint16_t bound = port->port();
  tasks_.spawn(accept_loop(std::move(port)));
  return bound;
}

base::Task<void> HttpServer::accept_loop(std::unique_ptr<io::Listener> port) {
  base::Signal acceptable{shard_.executor()};
  while (true) {
    auto stream = port->try_accept();
    if (!stream.ok()) {
      shard_.complaints().warn("HTTP: connections wait, none can be accepted: {}", stream.error().message);
      co_await io::sleep_until(shard_, shard_.clock().now() + kPauseAfterError);
    } else if (*stream == nullptr) {
      port->notify_acceptable(&acceptable);
      co_await acceptable.wait();
    } else if (open_ < limits_.connections_max) {
      tasks_.spawn(serve(shard_.adopt(*std::move(stream))));
    } else {
      shard_.complaints().reached(base::Limit::kHttpConnections, "HTTP: connection of {} refused: {} are open",
                                  (*stream)->peer_address(), open_);
    }
  }
}

base::Task<void> HttpServer::serve(std::unique_ptr<io::Stream> stream) {
  ++open_;
  base::Signal wake{shard_.executor()};
  const auto timer = shard_.make_timer();
  io::HttpReader reader{limits_.message};
  std::array<std::byte, kReadBytes> buffer{};
  base::MonoTime deadline = shard_.clock().now() + limits_.idle_max;
  while (true) {
    if (shard_.clock().now() >= deadline) {
      shard_.complaints().count(base::Limit::kHttpIdle);
      break;
    }
    const iovec into{buffer.data(), buffer.size()};
    const io::TransferResult read = stream->try_read({&into, 1});
    if (read.status == io::Transfer::kWouldBlock) {
      stream->notify_readable(&wake);
      timer->arm(deadline, wake);
      co_await wake.wait();
      continue;
    }
    if (read.status != io::Transfer::kDone) break;
    reader.feed(base::Bytes{buffer}.first(read.bytes));
    if (!co_await answer_all(*stream, wake, reader, deadline)) break;
    co_await base::give_way(shard_.executor());
  }
  stream->notify_readable(nullptr);
  stream->notify_writable(nullptr);
  --open_;
}

// What has come whole; false where the connection ends with it.
base::Task<bool> HttpServer::answer_all(io::Stream& stream, base::Signal& wake, io::HttpReader& reader,
                                        base::MonoTime& deadline) {
  while (true) {
    auto request = reader.next();
    if (!request.ok()) {
      shard_.complaints().warn("HTTP: connection of {} closed: {}", stream.peer_address(), request.error().message);
      co_return false;
    }
    if (!*request) co_return true;
    const io::HttpResponse response = co_await answer_(**request);
    if (!co_await write_all(stream, wake, io::to_http(**request, response))) co_return false;
    if (!(*request)->keep_alive) co_return false;
    deadline = shard_.clock().now() + limits_.idle_max;
  }
}

base::Task<bool> HttpServer::write_all(io::Stream& stream, base::Signal& wake, std::string text) {
  const base::MonoTime deadline = shard_.clock().now() + limits_.idle_max;
  const auto timer = shard_.make_timer();
  for (size_t done = 0; done < text.size();) {
    const iovec from{text.data() + done, text.size() - done};
    const io::TransferResult written = stream.try_write({&from, 1});
    if (written.status == io::Transfer::kDone) {
      done += written.bytes;
      continue;
    }
    if (written.status != io::Transfer::kWouldBlock) co_return false;
    if (shard_.clock().now() >= deadline) {
      shard_.complaints().reached(base::Limit::kHttpIdle,
                                  "HTTP: connection of {} closed: the client does not read its answer",
                                  stream.peer_address());
      co_return false;
    }
    stream.notify_writable(&wake);
    timer->arm(deadline, wake);
    co_await wake.wait();
  }
  co_return true;
}

}  // namespace stele::admin
