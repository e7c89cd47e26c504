#include "server/acceptor.h"

#include <utility>

#include "base/complaints.h"

namespace stele::server {

namespace {
constexpr base::Duration kPauseAfterError =
    std::chrono::milliseconds{100};  // out of descriptors: others must close first
constexpr int kAcceptsPerTurn = 16;  // then others get their turn
}  // namespace

Acceptor::Acceptor(io::Shard& shard, AcceptLimits limits, Deliver deliver)
    : shard_(shard),
      deliver_(std::move(deliver)),
      rate_(limits.creation_rate),
      accepting_(shard.executor(), [](std::exception_ptr) {}) {
  set_limits(std::move(limits));
}

void Acceptor::set_limits(AcceptLimits limits) {
  limits_ = std::move(limits);
  rate_.set_rate(limits_.creation_rate);
  for (const auto& [listener, own] : limits_.listeners) {
    listener_rates_.try_emplace(listener, own.creation_rate).first->second.set_rate(own.creation_rate);
  }
}

// How long no connection may be accepted; a token is taken where it is not at all.
base::Duration Acceptor::wait_for_rate(const std::string& listener) {
  const base::MonoTime now = shard_.clock().now();
  if (const auto own = listener_rates_.find(listener); own != listener_rates_.end()) {
    if (const base::Duration wait = own->second.take(now); wait > base::Duration{}) return wait;
  }
  return rate_.take(now);
}

size_t Acceptor::most_of(const std::string& address) const {
  const auto own = limits_.of_address.find(address);
  return own != limits_.of_address.end() ? own->second : limits_.connections_per_address_max;
}

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
  bool told = false;  // that none can be accepted, and none was since
  for (int accepted = 1;; ++accepted) {
    if (accepted % kAcceptsPerTurn == 0) co_await base::give_way(shard_.executor());
    auto stream = bound.port->try_accept();
    if (!stream.ok()) {
      ++failed_;
      if (!std::exchange(told, true)) {
        shard_.complaints().warn("listener {}: connections wait, none can be accepted: {}", bound.listener,
                                 stream.error().message);
      }
      co_await io::sleep_until(shard_, shard_.clock().now() + kPauseAfterError);
      continue;
    }
    told = false;
    if (*stream == nullptr) {
      bound.port->notify_acceptable(&acceptable);
      co_await acceptable.wait();
      continue;
    }
    base::Duration wait = wait_for_rate(bound.listener);
    if (wait > base::Duration{}) {
      ++delayed_;
      shard_.complaints().reached(base::Limit::kConnectionRate,
                                  "listener {}: connections wait, too many come at a time", bound.listener);
    }
    while (wait > base::Duration{}) {
      co_await io::sleep_until(shard_, shard_.clock().now() + wait);
      wait = wait_for_rate(bound.listener);
    }
    take(bound, *std::move(stream));
  }
}

void Acceptor::take(const Bound& bound, std::unique_ptr<io::DetachedStream> stream) {
  const std::string& address = stream->peer_address();
  size_t& from_address = by_address_[address];
  size_t& on_listener = by_listener_[bound.listener];
  const auto own = limits_.listeners.find(bound.listener);
  const bool listener_full = own != limits_.listeners.end() && on_listener >= own->second.connections_max;
  const bool full = open_ >= limits_.connections_max || listener_full;
  if (full || from_address >= most_of(address)) {
    ++refused_;
    shard_.complaints().reached(full ? base::Limit::kConnections : base::Limit::kConnectionsPerAddress,
                                "listener {}: connection of {} refused: {} open, {} on this listener, {} from there",
                                bound.listener, address, open_, on_listener, from_address);
    if (from_address == 0) by_address_.erase(address);
    return;
  }
  ++open_;
  ++on_listener;
  ++from_address;
  const uint64_t id = next_id_++;
  ConnectionInfo info{id, bound.listener, bound.controller, address, stream->peer_port()};
  deliver_(base::ShardId{static_cast<uint32_t>(id % shard_.shard_count())}, std::move(stream), std::move(info));
}

void Acceptor::closed(const ConnectionInfo& info) {
  STELE_CHECK(open_ > 0);
  --open_;
  --by_listener_[info.listener];
  const auto entry = by_address_.find(info.client_address);
  STELE_CHECK(entry != by_address_.end());
  if (--entry->second == 0) by_address_.erase(entry);
}

void Acceptor::stop() { accepting_.cancel(); }

}  // namespace stele::server
