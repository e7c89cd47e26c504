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

base::Result<uint16_t> Acceptor::bind(const std::string& listener, bool controller, const io::Endpoint& endpoint) {
  STELE_TRY_ASSIGN(std::unique_ptr<io::Listener> port, shard_.listen(endpoint));
  const uint16_t number = port->port();
  bound_.push_back({listener, controller, std::move(port)});
  return number;
}

void Acceptor::start() {
  for (Bound& bound : bound_) accepting_.spawn(accept_loop(std::move(bound)));
  bound_.clear();
}

base::Task<void> Acceptor::accept_loop(Bound bound) {
  base::Signal acceptable{shard_.executor()};
  while (true) {
    auto stream = bound.port->try_accept();
    if (!stream.ok()) {
      shard_.log().warn("listener {}: cannot accept: {}", bound.listener, stream.error().message);
      co_await io::sleep_until(shard_, shard_.clock().now() + kPauseAfterError);
      continue;
    }
    if (*stream == nullptr) {
      bound.port->notify_acceptable(&acceptable);
      co_await acceptable.wait();
      continue;
    }
    take(bound, *std::move(stream));
  }
}

void Acceptor::take(const Bound& bound, std::unique_ptr<io::DetachedStream> stream) {
  const std::string& address = stream->peer_address();
  size_t& from_address = by_address_[address];
  if (open_ >= limits_.connections_max || from_address >= limits_.connections_per_address_max) {
    ++refused_;
    shard_.log().warn(
        "listener {}: connection of {} refused: {} open ({} from there); see max.connections and "
        "max.connections.per.ip",
        bound.listener, address, open_, from_address);
    if (from_address == 0) by_address_.erase(address);
    return;
  }
  ++open_;
  ++from_address;
  const uint64_t id = next_id_++;
  ConnectionInfo info{id, bound.listener, bound.controller, address, stream->peer_port()};
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
