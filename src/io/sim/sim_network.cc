#include "io/sim/sim_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"

namespace stele::io {

namespace {

constexpr size_t kPipeBytes = 64 * 1024;
constexpr size_t kBacklog = 128;

base::Error network_error(std::string_view operation, const Endpoint& endpoint, int os_error) {
  return base::Error{base::ErrorCode::kNetworkException,
                     fmt::format("cannot {} {}:{}: {}", operation, endpoint.host.empty() ? "*" : endpoint.host,
                                 endpoint.port, std::generic_category().message(os_error)),
                     os_error};
}

void set_once(base::Signal*& signal) {
  if (base::Signal* waiting = std::exchange(signal, nullptr)) waiting->set();
}

size_t total_bytes(std::span<const iovec> parts) {
  size_t bytes = 0;
  for (const iovec& part : parts) bytes += part.iov_len;
  return bytes;
}

// One direction of a connection.
struct Pipe {
  enum class End { kNone, kClosed, kReset };
  struct Segment {
    base::ByteVector bytes;
    End end = End::kNone;
  };

  std::deque<Segment> travelling;
  std::deque<std::byte> arrived;
  size_t travelling_bytes = 0;
  base::MonoTime last_arrival;
  End end = End::kNone;      // has arrived behind all bytes
  bool reader_gone = false;  // the writer knows
  base::Signal* reader = nullptr;
  base::Signal* writer = nullptr;

  size_t room() const { return kPipeBytes - std::min(kPipeBytes, travelling_bytes + arrived.size()); }
  bool readable() const { return !arrived.empty() || end != End::kNone; }

  void arrive() {
    Segment segment = std::move(travelling.front());
    travelling.pop_front();
    travelling_bytes -= segment.bytes.size();
    arrived.insert(arrived.end(), segment.bytes.begin(), segment.bytes.end());
    if (segment.end != End::kNone) end = segment.end;
    set_once(reader);
  }
};
using PipePointer = std::shared_ptr<Pipe>;

}  // namespace

class SimStream final : public Stream {
 public:
  SimStream(SimNetwork& network, PipePointer in, PipePointer out, std::string address, uint16_t port)
      : network_(network), in_(std::move(in)), out_(std::move(out)), address_(std::move(address)), port_(port) {}

  // What a kernel does for a process that closes or dies: bytes under way still arrive; unread ones mean a reset.
  ~SimStream() override {
    forget_signals();
    end(in_->arrived.empty() && in_->travelling_bytes == 0 ? Pipe::End::kClosed : Pipe::End::kReset);
  }

  TransferResult try_read(std::span<const iovec> into) override {
    if (shut_) return {Transfer::kEnd};
    size_t wanted = std::min(total_bytes(into), in_->arrived.size());
    if (in_->arrived.empty()) {
      if (in_->end == Pipe::End::kReset) return {.status = Transfer::kError, .os_error = ECONNRESET};
      return {in_->end == Pipe::End::kClosed ? Transfer::kEnd : Transfer::kWouldBlock};
    }
    if (wanted > 1 && network_.random_.below(4) == 0) wanted = 1 + network_.random_.below(wanted);
    size_t done = 0;
    for (const iovec& part : into) {
      const size_t bytes = std::min(part.iov_len, wanted - done);
      std::copy_n(in_->arrived.begin(), bytes, static_cast<std::byte*>(part.iov_base));
      in_->arrived.erase(in_->arrived.begin(), in_->arrived.begin() + static_cast<std::ptrdiff_t>(bytes));
      done += bytes;
    }
    if (in_->room() > 0) set_once(in_->writer);
    return {Transfer::kDone, done};
  }

  TransferResult try_write(std::span<const iovec> from) override {
    if (shut_ || out_->reader_gone) return {.status = Transfer::kError, .os_error = EPIPE};
    const size_t offered = total_bytes(from);
    const size_t bytes = std::min(offered, out_->room());
    if (bytes == 0) return {offered == 0 ? Transfer::kDone : Transfer::kWouldBlock};
    Pipe::Segment segment;
    segment.bytes.reserve(bytes);
    for (const iovec& part : from) {
      const auto* start = static_cast<const std::byte*>(part.iov_base);
      base::append(segment.bytes, {start, std::min(part.iov_len, bytes - segment.bytes.size())});
    }
    send(std::move(segment));
    return {Transfer::kDone, bytes};
  }

  void notify_readable(base::Signal* signal) override {
    in_->reader = signal;
    if (signal != nullptr && (shut_ || in_->readable())) set_once(in_->reader);
  }
  void notify_writable(base::Signal* signal) override {
    out_->writer = signal;
    if (signal != nullptr && (shut_ || out_->reader_gone || out_->room() > 0)) set_once(out_->writer);
  }

  void shutdown() override {
    if (std::exchange(shut_, true)) return;
    end(Pipe::End::kClosed);
    set_once(in_->reader);
    set_once(out_->writer);
  }

  const std::string& peer_address() const override { return address_; }
  uint16_t peer_port() const override { return port_; }

  void forget_signals() {
    in_->reader = nullptr;
    out_->writer = nullptr;
  }

 private:
  void send(Pipe::Segment segment) {
    out_->travelling_bytes += segment.bytes.size();
    out_->travelling.push_back(std::move(segment));
    out_->last_arrival = std::max(out_->last_arrival, network_.events_.now() + network_.latency());
    network_.events_.at(out_->last_arrival, [pipe = out_] { pipe->arrive(); });
  }

  void end(Pipe::End how) {
    if (std::exchange(ended_, true)) return;
    send({.bytes = {}, .end = how});
    network_.events_.after(network_.latency(), [pipe = in_] {
      pipe->reader_gone = true;
      set_once(pipe->writer);
    });
  }

  SimNetwork& network_;
  PipePointer in_;
  PipePointer out_;
  std::string address_;
  uint16_t port_;
  bool shut_ = false;
  bool ended_ = false;
};

namespace {

class SimDetached final : public DetachedStream {
 public:
  explicit SimDetached(std::unique_ptr<Stream> stream) : stream_(std::move(stream)) {}
  const std::string& peer_address() const override { return stream_->peer_address(); }
  uint16_t peer_port() const override { return stream_->peer_port(); }
  std::unique_ptr<Stream> take() { return std::move(stream_); }

 private:
  std::unique_ptr<Stream> stream_;
};

}  // namespace

struct SimNetwork::ListenerState {
  std::deque<std::unique_ptr<Stream>> waiting;
  base::Signal* acceptable = nullptr;
};

class SimListener final : public Listener {
 public:
  SimListener(SimNetwork& network, SimNetwork::Place place, std::shared_ptr<SimNetwork::ListenerState> state)
      : network_(network), place_(std::move(place)), state_(std::move(state)) {}
  ~SimListener() override {
    network_.listeners_.erase(place_);
    state_->acceptable = nullptr;
    state_->waiting.clear();
  }

  base::Result<std::unique_ptr<DetachedStream>> try_accept() override {
    if (state_->waiting.empty()) return std::unique_ptr<DetachedStream>{};
    auto stream = std::make_unique<SimDetached>(std::move(state_->waiting.front()));
    state_->waiting.pop_front();
    return std::unique_ptr<DetachedStream>{std::move(stream)};
  }
  void notify_acceptable(base::Signal* signal) override {
    state_->acceptable = signal;
    if (signal != nullptr && !state_->waiting.empty()) set_once(state_->acceptable);
  }
  uint16_t port() const override { return place_.second; }

 private:
  SimNetwork& network_;
  SimNetwork::Place place_;
  std::shared_ptr<SimNetwork::ListenerState> state_;
};

void SimNetwork::add_host(const std::string& name) {
  const bool added = addresses_.emplace(name, fmt::format("10.0.0.{}", addresses_.size() + 1)).second;
  STELE_CHECK(added, "two hosts of the name {}", name);
}

std::string SimNetwork::resolve(const std::string& own_host, const std::string& host) const {
  if (host.empty() || host == "localhost" || host == "127.0.0.1" || host == "::1" || host == "0.0.0.0") return own_host;
  for (const auto& [name, address] : addresses_) {
    if (host == name || host == address) return name;
  }
  return "";
}

base::Duration SimNetwork::latency() { return std::chrono::microseconds(20 + random_.below(200)); }

base::Result<std::unique_ptr<Listener>> SimNetwork::listen(const std::string& own_host, const Endpoint& endpoint) {
  if (resolve(own_host, endpoint.host) != own_host) return network_error("listen on", endpoint, EADDRNOTAVAIL);
  const Place place{own_host, endpoint.port != 0 ? endpoint.port : free_port()};
  auto [at, added] = listeners_.emplace(place, std::make_shared<ListenerState>());
  if (!added) return network_error("listen on", endpoint, EADDRINUSE);
  return std::unique_ptr<Listener>{std::make_unique<SimListener>(*this, place, at->second)};
}

void SimNetwork::connect(const std::string& own_host, const Endpoint& endpoint, Connected connected) {
  const std::string host = resolve(own_host, endpoint.host);
  events_.after(latency(), [this, host, own_host, endpoint, done = std::move(connected)]() mutable {
    const auto found = listeners_.find({host, endpoint.port});
    if (host.empty() || found == listeners_.end() || found->second->waiting.size() >= kBacklog) {
      done(network_error("connect to", endpoint, host.empty() ? EHOSTUNREACH : ECONNREFUSED));
      return;
    }
    auto there = std::make_shared<Pipe>();
    auto back = std::make_shared<Pipe>();
    found->second->waiting.push_back(
        std::make_unique<SimStream>(*this, there, back, addresses_[own_host], free_port()));
    set_once(found->second->acceptable);
    auto stream = std::make_unique<SimStream>(*this, back, there, addresses_[host], endpoint.port);
    events_.after(latency(), [held = std::unique_ptr<Stream>{std::move(stream)}, done = std::move(done)]() mutable {
      done(std::move(held));
    });
  });
}

std::unique_ptr<Stream> SimNetwork::adopt(std::unique_ptr<DetachedStream> stream) {
  auto* detached = dynamic_cast<SimDetached*>(stream.get());
  STELE_CHECK(detached != nullptr, "adopts what this world detached");
  return detached->take();
}

std::unique_ptr<DetachedStream> SimNetwork::detach(std::unique_ptr<Stream> stream) {
  auto* sim = dynamic_cast<SimStream*>(stream.get());
  STELE_CHECK(sim != nullptr, "detaches what this world made");
  sim->forget_signals();
  return std::make_unique<SimDetached>(std::move(stream));
}

}  // namespace stele::io
