// A small HTTP server on one shard: health and metrics for those who run the broker.
#pragma once

#include <functional>

#include "base/executor.h"
#include "base/result.h"
#include "io/http.h"
#include "io/shard.h"

namespace stele::admin {

struct HttpServerLimits {
  size_t connections_max = 64;                        // stele.http.connections.max
  base::Duration idle_max{std::chrono::seconds{30}};  // stele.http.idle.ms
  io::HttpLimits message{};
};

// Owned by its shard. Requests of a connection are answered in order. A connection over the limit of numbers, one that
// sends no whole request or takes nothing of its answer for idle_max, and one whose request is no request or too large
// are closed; what was met is counted, and logged where the client is to blame.
class HttpServer {
 public:
  using Answer = std::function<base::Task<io::HttpResponse>(io::HttpRequest)>;

  HttpServer(io::Shard& shard, HttpServerLimits limits, Answer answer);
  // The bound port.
  base::Result<uint16_t> listen(const io::Endpoint& endpoint);

 private:
  base::Task<void> accept_loop(std::unique_ptr<io::Listener> port);
  base::Task<void> serve(std::unique_ptr<io::Stream> stream);
  base::Task<bool> answer_all(io::Stream& stream, base::Signal& wake, io::HttpReader& reader, base::MonoTime& deadline);
  base::Task<bool> write_all(io::Stream& stream, base::Signal& wake, std::string text);

  io::Shard& shard_;
  HttpServerLimits limits_;
  Answer answer_;
  size_t open_ = 0;
  base::TaskScope tasks_;
};

}  // namespace stele::admin
