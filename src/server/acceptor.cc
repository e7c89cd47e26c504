#include "server/acceptor.h"

namespace stele::server {

namespace {
constexpr base::Duration kPauseAfterError =
    std::chrono::milliseconds{100};  // out of descriptors: others must close first
}

Acceptor::Acceptor(io::Shard& shard, AcceptLimits limits, Deliver deliver)
    : shard_(shard),
      limits_(limits),
      deliver_(std::move(deliver)),
      accepting_(shard.executor(), [](std::exception_ptr) {}) {}

base::Result<uint16_t> Acceptor::listen(const std::string& listener, const io::Endpoint& endpoint) {
  STELE_TRY_ASSIGN(std::unique_ptr<io::Listener> port, shard_.listen(endpoint));
  const uint16_t bound = port->port();
  accepting_.spawn(accept_loop(listener, std::move(port)));
  return bound;
}

base::Task<void> Acceptor::accept_loop(std::string listener, std::unique_ptr<io::Listener> port) {
  base::Signal acceptable{shard_.executor()};
  while (true) {
    auto stream = port->try_accept();
    if (!stream.ok()) {
      shard_.log().warn("listener {}: cannot accept: {}", listener, stream.error().message);
      co_await io::sleep_until(shard_, shard_.clock().now() + kPauseAfterError);
      continue;
    }
    if (*stream == nullptr) {
      port->notify_acceptable(&acceptable);
      co_await acceptable.wait();
      continue;
    }
    take(listener, *std::move(stream));
  }
}

void Acceptor::take(const std::string& listener, std::unique_ptr<io::DetachedStream> stream) {
  const std::string& address = stream->peer_address();
  size_t& from_address = by_address_[address];
  if (open_ >= limits_.connections_max || from_address >= limits_.connections_per_address_max) {
    ++refused_;
    shard_.log().warn(
        "listener {}: connection of {} refused: {} open ({} from there); see max.connections and "
        "max.connections.per.ip",
        listener, address, open_, from_address);
    if (from_address == 0) by_address_.erase(address);
    return;
  }
  ++open_;
  ++from_address;
  const uint64_t id = next_id_++;
  ConnectionInfo info{id, listener, address, stream->peer_port()};
  deliver_(base::ShardId{static_cast<uint32_t>(id % shard_.shard_count())}, std::move(stream), std::move(info));
}

void Acceptor::closed(const ConnectionInfo& info) {
  STELE_CHECK(open_ > 0);
  --open_;
  const auto entry = by_address_.find(info.client_address);
  STELE_CHECK(entry != by_address_.end());
  if (--entry->second == 0) by_address_.erase(entry);
}

void Acceptor::stop() { accepting_.cancel(); }

}  // namespace stele::server
