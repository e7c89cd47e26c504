#include "io/sim/sim_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <deque>
#include <system_error>

#include "base/bytes.h"
#include "base/check.h"
#include "io/file.h"
#include "io/sim/seeds.h"
#include "io/sim/sim_disk.h"

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

// Bytes that have arrived and are not read.
class Arrived {
 public:
  size_t size() const { return bytes_.size() - taken_; }
  bool empty() const { return size() == 0; }
  void add(base::ByteVector bytes) {
    if (empty()) {
      bytes_ = std::move(bytes);
      taken_ = 0;
    } else {
      bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(std::exchange(taken_, 0)));
      base::append(bytes_, bytes);
    }
  }
  void take(std::byte* into, size_t bytes) {
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(taken_), bytes, into);
    taken_ += bytes;
  }

 private:
  base::ByteVector bytes_;
  size_t taken_ = 0;
};

}  // namespace

// Faults of one direction between two hosts, each with its stream.
struct SimNetwork::Link {
  Link(const std::string& from, const std::string& to, uint64_t seed)
      : latency(derive_seed(seed, 1)),
        read_cut(derive_seed(seed, 2)),
        stall(derive_seed(seed, 3)),
        reset(derive_seed(seed, 4)),
        half_open(derive_seed(seed, 5)),
        refuse_connect(derive_seed(seed, 6)),
        accept_delay(derive_seed(seed, 7)),
        write_cut(derive_seed(seed, 8)),
        own_host(from == to) {}

  base::Duration draw_latency() {
    const double uniform = static_cast<double>(latency.below(uint64_t{1} << 32) + 1) / 4294967296.0;
    const double more = -std::log(uniform) * static_cast<double>(faults.latency_mean.count());
    return faults.latency_least + base::Duration{static_cast<int64_t>(more)};
  }

  NetworkFaults faults;
  Chance latency;
  Chance read_cut;
  Chance stall;
  Chance reset;
  Chance half_open;
  Chance refuse_connect;
  Chance accept_delay;
  Chance write_cut;
  bool own_host;
  BranchCount cut_off;
};

// Two pipes, one for each direction. Its streams come and go; events hold it.
struct SimNetwork::Connection {
  enum class End { kNone, kClosed, kReset };
  struct Segment {
    base::ByteVector bytes;
    End end = End::kNone;
  };
  // What one side sends.
  struct Pipe {
    Link* link = nullptr;
    std::string from;
    std::deque<Segment> travelling;
    size_t travelling_bytes = 0;
    size_t held = 0;  // of the travelling segments, the last ones: they wait for the link to heal
    Arrived arrived;
    base::MonoTime last_arrival;
    End end = End::kNone;      // has arrived behind all bytes
    bool reader_gone = false;  // the writer knows
    base::Signal* reader = nullptr;
    base::Signal* writer = nullptr;

    size_t room() const { return kPipeBytes - std::min(kPipeBytes, travelling_bytes + arrived.size()); }
    bool readable() const { return !arrived.empty() || end != End::kNone; }
  };

  explicit Connection(EventQueue& queue) : events(queue) {}

  EventQueue& events;
  std::array<Pipe, 2> pipes;  // by the side that sends
  bool silent = false;        // nothing passes any more
  bool broken = false;        // both sides have seen a reset
  std::string forgotten_by;   // the host whose kernel lost it

  static void send(const std::shared_ptr<Connection>& self, size_t side, Segment segment);
  static void schedule_arrival(const std::shared_ptr<Connection>& self, size_t side, base::Duration delay);
  void arrive(size_t side);
  void reset();
};

void SimNetwork::Connection::schedule_arrival(const std::shared_ptr<Connection>& self, size_t side,
                                              base::Duration delay) {
  Pipe& pipe = self->pipes[side];
  pipe.last_arrival = std::max(pipe.last_arrival, self->events.now() + delay);
  self->events.at(pipe.last_arrival, [self, side] { self->arrive(side); });
}

void SimNetwork::Connection::send(const std::shared_ptr<Connection>& self, size_t side, Segment segment) {
  if (self->broken) return;
  Pipe& pipe = self->pipes[side];
  Link& link = *pipe.link;
  pipe.travelling_bytes += segment.bytes.size();
  pipe.travelling.push_back(std::move(segment));
  if (self->silent) return;
  if (link.reset.comes_true(link.faults.reset)) {
    self->reset();
    return;
  }
  if (link.half_open.comes_true(link.faults.half_open)) {
    self->silent = true;
    return;
  }
  if (link.faults.cut_off) {
    ++pipe.held;
    link.cut_off.happened();
    return;
  }
  base::Duration delay = link.draw_latency();
  if (link.stall.comes_true(link.faults.stall)) delay += link.stall.up_to(link.faults.stall_longest);
  schedule_arrival(self, side, delay);
}

void SimNetwork::Connection::arrive(size_t side) {
  Pipe& pipe = pipes[side];
  if (silent || broken || pipe.travelling.empty()) return;
  Segment segment = std::move(pipe.travelling.front());
  pipe.travelling.pop_front();
  pipe.travelling_bytes -= segment.bytes.size();
  if (!segment.bytes.empty()) pipe.arrived.add(std::move(segment.bytes));
  if (segment.end != End::kNone) {
    pipe.end = segment.end;
    Pipe& back = pipes[1 - side];
    back.reader_gone = true;
    set_once(back.writer);
  }
  set_once(pipe.reader);
}

void SimNetwork::Connection::reset() {
  broken = true;
  for (Pipe& pipe : pipes) {
    pipe.travelling.clear();
    pipe.travelling_bytes = 0;
    pipe.held = 0;
    pipe.end = End::kReset;
    pipe.reader_gone = true;
    set_once(pipe.reader);
    set_once(pipe.writer);
  }
}

class SimStream final : public Stream {
 public:
  using Connection = SimNetwork::Connection;

  SimStream(SimNetwork& network, std::shared_ptr<Connection> connection, size_t side, std::string address,
            uint16_t port)
      : network_(network),
        connection_(std::move(connection)),
        side_(side),
        in_(connection_->pipes[1 - side]),
        out_(connection_->pipes[side]),
        address_(std::move(address)),
        port_(port) {}

  // What a kernel does for a process that closes or dies: bytes under way still arrive; unread ones mean a reset.
  ~SimStream() override {
    forget_signals();
    end(in_.arrived.empty() && in_.travelling_bytes == 0 ? Connection::End::kClosed : Connection::End::kReset);
  }

  TransferResult try_read(std::span<const iovec> into) override {
    if (shut_) return {Transfer::kEnd};
    size_t wanted = std::min(total_bytes(into), in_.arrived.size());
    if (in_.arrived.empty()) {
      if (in_.end == Connection::End::kReset) return {.status = Transfer::kError, .os_error = ECONNRESET};
      return {in_.end == Connection::End::kClosed ? Transfer::kEnd : Transfer::kWouldBlock};
    }
    SimNetwork::Link& link = *in_.link;
    if (wanted > 1 && link.read_cut.comes_true(link.faults.read_cut)) {
      const uint64_t largest = link.faults.read_cut_largest == 0 ? wanted : link.faults.read_cut_largest;
      wanted = 1 + link.read_cut.below(std::min<uint64_t>(wanted, largest));
    }
    size_t done = 0;
    for (const iovec& part : into) {
      const size_t bytes = std::min(part.iov_len, wanted - done);
      in_.arrived.take(static_cast<std::byte*>(part.iov_base), bytes);
      done += bytes;
    }
    if (in_.room() > 0) set_once(in_.writer);
    return {Transfer::kDone, done};
  }

  TransferResult try_write(std::span<const iovec> from) override {
    if (shut_ || out_.reader_gone) return {.status = Transfer::kError, .os_error = EPIPE};
    const size_t offered = total_bytes(from);
    size_t bytes = std::min(offered, out_.room());
    if (bytes == 0) return {offered == 0 ? Transfer::kDone : Transfer::kWouldBlock};
    if (out_.link->write_cut.comes_true(out_.link->faults.write_cut)) bytes = 1 + out_.link->write_cut.below(bytes);
    Connection::Segment segment;
    segment.bytes.reserve(bytes);
    for (const iovec& part : from) {
      const auto* start = static_cast<const std::byte*>(part.iov_base);
      base::append(segment.bytes, {start, std::min(part.iov_len, bytes - segment.bytes.size())});
    }
    learn_of_lost_peer();
    Connection::send(connection_, side_, std::move(segment));
    return {Transfer::kDone, bytes};
  }

  bool sends_files() const override { return true; }

  TransferResult try_send(const FileRange& range, size_t skip) override {
    const auto* file = dynamic_cast<const SimSharedFile*>(range.file.get());
    STELE_CHECK(file != nullptr, "sends what this world opened");
    if (shut_ || out_.reader_gone) return {.status = Transfer::kError, .os_error = EPIPE};
    if (file->cuts() != range.cuts) return {.status = Transfer::kError, .os_error = ESTALE};
    const auto bytes = file->peek(range.offset + skip, range.bytes - skip);
    if (!bytes) return {.status = Transfer::kError, .os_error = EAGAIN};
    if (bytes->empty()) return {Transfer::kEnd};
    const iovec part{const_cast<std::byte*>(bytes->data()), bytes->size()};  // NOLINT: it is only read
    return try_write({&part, 1});
  }

  void notify_readable(base::Signal* signal) override {
    in_.reader = signal;
    if (signal != nullptr && (shut_ || in_.readable())) set_once(in_.reader);
  }
  void notify_writable(base::Signal* signal) override {
    out_.writer = signal;
    if (signal != nullptr && (shut_ || out_.reader_gone || out_.room() > 0)) set_once(out_.writer);
  }

  void shutdown() override {
    if (std::exchange(shut_, true)) return;
    end(Connection::End::kClosed);
    set_once(in_.reader);
    set_once(out_.writer);
  }

  const std::string& peer_address() const override { return address_; }
  uint16_t peer_port() const override { return port_; }

  void forget_signals() {
    in_.reader = nullptr;
    out_.writer = nullptr;
  }

 private:
  void end(Connection::End how) {
    if (!std::exchange(ended_, true)) Connection::send(connection_, side_, {.bytes = {}, .end = how});
  }

  // A kernel that came back answers a reset to what it does not know.
  void learn_of_lost_peer() {
    const std::string& host = connection_->forgotten_by;
    if (host.empty() || host == out_.from || network_.without_power_.contains(host)) return;
    network_.events_.after(out_.link->draw_latency(), [connection = connection_] { connection->reset(); });
  }

  SimNetwork& network_;
  std::shared_ptr<Connection> connection_;
  size_t side_;
  Connection::Pipe& in_;
  Connection::Pipe& out_;
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
  bool closed = false;
};

class SimListener final : public Listener {
 public:
  SimListener(SimNetwork& network, SimNetwork::Place place, std::shared_ptr<SimNetwork::ListenerState> state)
      : network_(network), place_(std::move(place)), state_(std::move(state)) {}
  ~SimListener() override {
    network_.listeners_.erase(place_);
    state_->acceptable = nullptr;
    state_->closed = true;
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

SimNetwork::SimNetwork(EventQueue& events, uint64_t seed) : events_(events), seed_(seed) {}
SimNetwork::~SimNetwork() = default;

void SimNetwork::add_host(const std::string& name) {
  const bool added = addresses_.emplace(name, fmt::format("10.0.0.{}", addresses_.size() + 1)).second;
  STELE_CHECK(added, "two hosts of the name {}", name);
}

SimNetwork::Link& SimNetwork::link(const std::string& from, const std::string& to) {
  auto& known = links_[{from, to}];
  if (known == nullptr) {
    known = std::make_unique<Link>(from, to, derive_seed(seed_, hash_of(from + ">" + to)));
    if (from != to) known->faults = faults_;
  }
  return *known;
}

const NetworkFaults& SimNetwork::faults_of(const std::string& from, const std::string& to) {
  return link(from, to).faults;
}

void SimNetwork::set_faults(const NetworkFaults& faults) {
  faults_ = faults;
  for (const auto& [hosts, link] : links_) {
    if (link->own_host) continue;
    link->faults = faults;
    if (!faults.cut_off) heal(*link);
  }
}

void SimNetwork::set_faults(const std::string& from, const std::string& to, const NetworkFaults& faults) {
  Link& between = link(from, to);
  between.faults = faults;
  if (!faults.cut_off) heal(between);
}

void SimNetwork::set_cut_off(const std::string& from, const std::string& to, bool cut_off) {
  NetworkFaults faults = faults_of(from, to);
  faults.cut_off = cut_off;
  set_faults(from, to, faults);
}

void SimNetwork::heal(Link& link) {
  for (const auto& entry : connections_) {
    const auto connection = entry.lock();
    if (connection == nullptr) continue;
    for (size_t side = 0; side < 2; ++side) {
      Connection::Pipe& pipe = connection->pipes[side];
      if (pipe.link != &link) continue;
      for (; pipe.held > 0; --pipe.held) Connection::schedule_arrival(connection, side, link.draw_latency());
    }
  }
}

void SimNetwork::count(std::map<std::string, BranchCount>& counts) const {
  const auto add = [&counts](const char* name, const Chance& chance) { counts[name] += chance.count(); };
  for (const auto& [hosts, link] : links_) {
    add("net.read_cut", link->read_cut);
    add("net.write_cut", link->write_cut);
    add("net.stall", link->stall);
    add("net.reset", link->reset);
    add("net.half_open", link->half_open);
    add("net.refuse_connect", link->refuse_connect);
    counts["net.cut_off"] += link->cut_off;
  }
}

void SimNetwork::lose_power(const std::string& host) {
  without_power_.insert(host);
  for (const auto& entry : connections_) {
    const auto connection = entry.lock();
    if (connection == nullptr || (connection->pipes[0].from != host && connection->pipes[1].from != host)) continue;
    connection->silent = true;
    connection->forgotten_by = host;
  }
}

std::string SimNetwork::resolve(const std::string& own_host, const std::string& host) const {
  if (host.empty() || host == "localhost" || host == "127.0.0.1" || host == "::1" || host == "0.0.0.0") return own_host;
  for (const auto& [name, address] : addresses_) {
    if (host == name || host == address) return name;
  }
  return "";
}

base::Result<std::unique_ptr<Listener>> SimNetwork::listen(const std::string& own_host, const Endpoint& endpoint) {
  if (resolve(own_host, endpoint.host) != own_host) return network_error("listen on", endpoint, EADDRNOTAVAIL);
  const Place place{own_host, endpoint.port != 0 ? endpoint.port : free_port()};
  auto [at, added] = listeners_.emplace(place, std::make_shared<ListenerState>());
  if (!added) return network_error("listen on", endpoint, EADDRINUSE);
  return std::unique_ptr<Listener>{std::make_unique<SimListener>(*this, place, at->second)};
}

void SimNetwork::connect(const std::string& own_host, const Endpoint& endpoint, Connected connected) {
  const std::string host = resolve(own_host, endpoint.host);
  Link& out = link(own_host, host);
  if (out.faults.cut_off || link(host, own_host).faults.cut_off || without_power_.contains(host)) {
    out.cut_off.happened();
    events_.after(out.faults.connect_timeout, [endpoint, done = std::move(connected)]() mutable {
      done(network_error("connect to", endpoint, ETIMEDOUT));
    });
    return;
  }
  const bool refused = out.refuse_connect.comes_true(out.faults.refuse_connect);
  events_.after(out.draw_latency(), [this, host, own_host, endpoint, refused, done = std::move(connected)]() mutable {
    const auto found = listeners_.find({host, endpoint.port});
    if (refused || host.empty() || found == listeners_.end() || found->second->waiting.size() >= kBacklog) {
      done(network_error("connect to", endpoint, host.empty() ? EHOSTUNREACH : ECONNREFUSED));
      return;
    }
    establish(own_host, host, endpoint.port, std::move(done));
  });
}

void SimNetwork::establish(const std::string& own_host, const std::string& host, uint16_t port, Connected connected) {
  auto connection = std::make_shared<Connection>(events_);
  connection->pipes[0].link = &link(own_host, host);
  connection->pipes[0].from = own_host;
  connection->pipes[1].link = &link(host, own_host);
  connection->pipes[1].from = host;
  if (connections_.size() >= connections_looked_at_) {
    std::erase_if(connections_, [](const auto& entry) { return entry.expired(); });
    connections_looked_at_ = 16 + 2 * connections_.size();
  }
  connections_.push_back(connection);

  Link& out = *connection->pipes[0].link;
  const base::Duration accept_delay = out.accept_delay.up_to(out.faults.accept_delay_longest);
  std::unique_ptr<Stream> there = std::make_unique<SimStream>(*this, connection, 1, addresses_[own_host], free_port());
  const auto offer = [](ListenerState& listener, std::unique_ptr<Stream> stream) {
    if (listener.closed) return;
    listener.waiting.push_back(std::move(stream));
    set_once(listener.acceptable);
  };
  const auto listener = listeners_[{host, port}];
  if (accept_delay == base::Duration{}) {
    offer(*listener, std::move(there));
  } else {
    events_.after(accept_delay,
                  [listener, offer, held = std::move(there)]() mutable { offer(*listener, std::move(held)); });
  }
  std::unique_ptr<Stream> here = std::make_unique<SimStream>(*this, connection, 0, addresses_[host], port);
  events_.after(connection->pipes[1].link->draw_latency(),
                [held = std::move(here), done = std::move(connected)]() mutable { done(std::move(held)); });
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
