#include "admin/http_server.h"

#include <array>

namespace stele::admin {

namespace {
constexpr size_t kReadBytes = 4096;
constexpr base::Duration kPauseAfterError = std::chrono::milliseconds{100};
}  // namespace

HttpServer::HttpServer(io::Shard& shard, Answer answer)
    : shard_(shard), answer_(std::move(answer)), tasks_(shard.executor(), [](std::exception_ptr) {}) {}

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
      co_await io::sleep_until(shard_, shard_.clock().now() + kPauseAfterError);
    } else if (*stream == nullptr) {
      port->notify_acceptable(&acceptable);
      co_await acceptable.wait();
    } else if (open_ < kConnectionsMax) {
      tasks_.spawn(serve(shard_.adopt(*std::move(stream))));
    }
  }
}

base::Task<void> HttpServer::serve(std::unique_ptr<io::Stream> stream) {
  ++open_;
  base::Signal wake{shard_.executor()};
  const auto timer = shard_.make_timer();
  io::HttpReader reader{io::HttpLimits{}};
  std::array<std::byte, kReadBytes> buffer{};
  base::MonoTime deadline = shard_.clock().now() + kIdleMax;
  bool keep = true;
  while (keep && shard_.clock().now() < deadline) {
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
    while (keep) {
      auto request = reader.next();
      if (!request.ok()) {
        keep = false;
        break;
      }
      if (!*request) break;
      keep = (*request)->keep_alive;
      const io::HttpResponse response = co_await answer_(**request);
      const bool sent = co_await write_all(*stream, wake, io::to_http(**request, response));
      keep = keep && sent;
      deadline = shard_.clock().now() + kIdleMax;
    }
  }
  stream->notify_readable(nullptr);
  stream->notify_writable(nullptr);
  --open_;
}

base::Task<bool> HttpServer::write_all(io::Stream& stream, base::Signal& wake, std::string text) {
  const base::MonoTime deadline = shard_.clock().now() + kIdleMax;
  const auto timer = shard_.make_timer();
  for (size_t done = 0; done < text.size();) {
    const iovec from{text.data() + done, text.size() - done};
    const io::TransferResult written = stream.try_write({&from, 1});
    if (written.status == io::Transfer::kDone) {
      done += written.bytes;
    } else if (written.status != io::Transfer::kWouldBlock || shard_.clock().now() >= deadline) {
      co_return false;
    } else {
      stream.notify_writable(&wake);
      timer->arm(deadline, wake);
      co_await wake.wait();
    }
  }
  co_return true;
}

}  // namespace stele::admin
