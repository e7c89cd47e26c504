// A small HTTP server on one shard: health and metrics for those who run the broker.
#pragma once

#include <functional>

#include "base/executor.h"
#include "base/result.h"
#include "io/http.h"
#include "io/shard.h"

namespace stele::admin {

// Owned by its shard. Requests of a connection are answered in order; more than kConnectionsMax connections, or one
// that is silent for kIdleMax, are closed.
class HttpServer {
 public:
  static constexpr size_t kConnectionsMax = 64;
  static constexpr base::Duration kIdleMax = std::chrono::seconds{30};
  using Answer = std::function<base::Task<io::HttpResponse>(io::HttpRequest)>;

  HttpServer(io::Shard& shard, Answer answer);
  // The bound port.
  base::Result<uint16_t> listen(const io::Endpoint& endpoint);

 private:
  base::Task<void> accept_loop(std::unique_ptr<io::Listener> port);
  base::Task<void> serve(std::unique_ptr<io::Stream> stream);
  base::Task<bool> write_all(io::Stream& stream, base::Signal& wake, std::string text);

  io::Shard& shard_;
  Answer answer_;
  size_t open_ = 0;
  base::TaskScope tasks_;
};

}  // namespace stele::admin
