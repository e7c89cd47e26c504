#include "load/produce.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <bit>
#include <cstring>

namespace stele::bench {

namespace {

constexpr int64_t kLostAfterNs = 60'000'000'000;
constexpr size_t kConnectsAtOnce = 32;
constexpr size_t kOpenLoopRing = 16384;  // requests of a connection that may be under way when answers stall
constexpr size_t kRequestsPerWrite = 64;

// The error codes of a Produce 7 answer, after the correlation id.
void check_answer(base::Bytes answer) {
  FrameReader in(answer);
  for (auto topics = in.get<int32_t>(); topics > 0; --topics) {
    in.text();
    for (auto partitions = in.get<int32_t>(); partitions > 0; --partitions) {
      const auto partition = in.get<int32_t>();
      const auto error = in.get<int16_t>();
      if (error != 0) fail(fmt::format("produce to partition {}: error {}", partition, error));
      in.skip(24);
    }
  }
}

}  // namespace

Producers::Producers(const std::string& address, int connections, int in_flight,
                     std::span<const PreparedRequest> requests, pid_t pid, bool bare)
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      window_(static_cast<size_t>(in_flight)),
      pid_(pid),
      requests_(requests),
      connections_(static_cast<size_t>(connections)) {
  ::prctl(PR_SET_TIMERSLACK, 1);
  for (size_t i = 0; i < connections_.size(); ++i) {
    Connection& connection = connections_[i];
    connection.fd = connect_to(address);
    // Connections are accepted in their order: once this one has its answer, those before it wait no more. Kafka lets
    // 50 wait (socket.listen.backlog.size); what comes beyond that is tried again a second later.
    if (!bare && i % kConnectsAtOnce == kConnectsAtOnce - 1) Caller(address).call(FrameWriter(18, 0).done());
    ::fcntl(connection.fd, F_SETFL, ::fcntl(connection.fd, F_GETFL) | O_NONBLOCK);
    connection.next = i * requests.size() / connections_.size() % requests.size();
    connection.ring.resize(std::bit_ceil(window_));
    epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.u64 = i}};
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event) != 0) fail("epoll_ctl");
  }
}

Producers::~Producers() {
  for (const Connection& connection : connections_) ::close(connection.fd);
  ::close(epoll_);
}

void Producers::begin(Phase& out) {
  phase_ = &out;
  out.before = usage(pid_);
}

void Producers::end(Phase& out) {
  out.after = usage(pid_);
  out.resident = resident_bytes(pid_);
  phase_ = nullptr;
}

bool Producers::enqueue(Connection& connection, int64_t due) {
  if (connection.queued - connection.answered == connection.ring.size()) return false;
  Slot& slot = connection.ring[connection.queued & (connection.ring.size() - 1)];
  slot.due = due;
  slot.request = &requests_[connection.next];
  std::memcpy(slot.head.data(), slot.request->frame.data(), kFrameHead);
  base::store_be(slot.head.data() + kCorrelationAt, static_cast<int32_t>(connection.queued & 0x7fffffff));
  if (++connection.next == requests_.size()) connection.next = 0;
  ++connection.queued;
  ++unanswered_;
  return true;
}

void Producers::write(Connection& connection) {
  while (connection.written < connection.queued) {
    std::array<iovec, 2 * kRequestsPerWrite> parts;
    size_t count = 0, skip = connection.part, total = 0;
    for (uint64_t i = connection.written; i < connection.queued && count + 2 <= parts.size(); ++i) {
      Slot& slot = connection.ring[i & (connection.ring.size() - 1)];
      const size_t size = slot.request->frame.size();
      if (skip < kFrameHead) parts[count++] = {slot.head.data() + skip, kFrameHead - skip};
      const size_t from = std::max(skip, kFrameHead);
      parts[count++] = {const_cast<std::byte*>(slot.request->frame.data()) + from, size - from};  // NOLINT: only read
      total += size - skip;
      skip = 0;
    }
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    const ssize_t sent = ::sendmsg(connection.fd, &message, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EAGAIN) return;
      fail(fmt::format("send: {}", std::strerror(errno)));
    }
    advance(connection, static_cast<size_t>(sent));
    if (static_cast<size_t>(sent) < total) return;  // the socket is full; EPOLLOUT tells when it is not
  }
}

void Producers::advance(Connection& connection, size_t sent) {
  while (sent > 0) {
    const Slot& slot = connection.ring[connection.written & (connection.ring.size() - 1)];
    const size_t rest = slot.request->frame.size() - connection.part;
    if (sent < rest) {
      connection.part += sent;
      return;
    }
    sent -= rest;
    connection.part = 0;
    ++connection.written;
  }
}

void Producers::take(Connection& connection, base::Bytes answer, int64_t now) {
  if (connection.answered == connection.queued) fail("an answer to no request");
  const Slot& slot = connection.ring[connection.answered & (connection.ring.size() - 1)];
  const auto wanted = static_cast<int32_t>(connection.answered & 0x7fffffff);
  if (base::load_be<int32_t>(answer.data()) != wanted) fail("answers out of order");
  check_answer(answer.subspan(4));
  phase_->latency.record(now - slot.due);
  ++phase_->requests;
  phase_->records += slot.request->records;
  phase_->batch_bytes += slot.request->batch_bytes;
  phase_->uncompressed_bytes += slot.request->uncompressed_bytes;
  ++connection.answered;
  --unanswered_;
}

void Producers::fill(Connection& connection) {
  if (left_ == 0 || connection.queued - connection.answered == window_) return;
  const int64_t now = now_ns();
  while (left_ > 0 && connection.queued - connection.answered < window_ && enqueue(connection, now)) --left_;
}

void Producers::turn(int64_t until) {
  std::array<epoll_event, 256> events;
  const int64_t wait = until > 0 ? std::max<int64_t>(until - now_ns(), 0) : kLostAfterNs;
  const timespec timeout{wait / 1'000'000'000, wait % 1'000'000'000};
  const int count = ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &timeout, nullptr);
  if (count < 0 && errno != EINTR) fail(fmt::format("epoll: {}", std::strerror(errno)));
  if (count == 0 && until == 0) fail(fmt::format("{} answers are lost", unanswered()));
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<size_t>(i)];
    Connection& connection = connections_[event.data.u64];
    if (event.events & ~(EPOLLIN | EPOLLOUT)) fail("a connection broke");
    if (event.events & EPOLLIN) {
      const int64_t now = now_ns();
      const bool open =
          connection.inbox.drain(connection.fd, [&](base::Bytes answer) { take(connection, answer, now); });
      if (!open) fail("the broker closed a connection");
      fill(connection);
    }
    write(connection);
  }
}

void Producers::drain() {
  while (unanswered_ > 0) turn(0);
}

void Producers::closed(int64_t count, Phase& out) {
  begin(out);
  left_ = count;
  for (size_t turns = 0; turns < window_ && left_ > 0; ++turns) {
    for (Connection& connection : connections_) {
      if (left_ > 0 && enqueue(connection, now_ns())) --left_;
    }
  }
  for (Connection& connection : connections_) write(connection);
  drain();
  end(out);
}

void Producers::open(double rate, double seconds, Phase& out) {
  for (Connection& connection : connections_) {
    if (connection.queued != connection.answered) fail("the loop before has left requests");
    connection.queued = connection.written = connection.answered = 0;
    connection.ring.resize(std::max(connection.ring.size(), kOpenLoopRing));
  }
  begin(out);
  left_ = 0;
  const int64_t start = now_ns();
  const auto total = static_cast<int64_t>(rate * seconds);
  size_t on = 0;
  for (int64_t sent = 0; sent < total;) {
    const int64_t now = now_ns();
    int64_t due = 0;
    while (sent < total && (due = start + static_cast<int64_t>(static_cast<double>(sent) / rate * 1e9)) <= now) {
      if (!enqueue(connections_[on], due)) fail("the broker does not keep up with this rate");
      write(connections_[on]);
      on = (on + 1) % connections_.size();
      ++sent;
    }
    if (sent < total) turn(due);
  }
  drain();
  end(out);
}

}  // namespace stele::bench
