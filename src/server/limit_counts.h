// How often peers met a limit, by limit. Plain numbers of one shard; the sum over all is on /metrics.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace stele::server {

enum class Limit : uint8_t {
  kFrameBytes,
  kFrameTimeout,
  kWriteTimeout,
  kIdle,
  kRequestElements,
  kRequestsInFlight,
  kAnswerBytes,
  kFetchWaiters,
  kProduceWaiters,
  kFetchSessions,
  kRequestMemory,
  kHttpConnections,
  kHttpIdle,
};

// The options, in the order of the limits.
inline constexpr std::array kLimitOptions{
    "socket.request.max.bytes",
    "stele.connection.frame.timeout.ms",
    "stele.connection.write.timeout.ms",
    "connections.max.idle.ms",
    "stele.request.elements.max",
    "stele.connection.requests.max",
    "stele.connection.answers.bytes",
    "stele.fetch.waiters.max",
    "stele.produce.waiters.max",
    "stele.fetch.sessions.partitions.max",
    "stele.request.memory.max",
    "stele.http.connections.max",
    "stele.http.idle.ms",
};

class LimitCounts {
 public:
  void count(Limit limit) { ++met_[static_cast<size_t>(limit)]; }
  uint64_t of(Limit limit) const { return met_[static_cast<size_t>(limit)]; }
  void add(const LimitCounts& other) {
    for (size_t i = 0; i < met_.size(); ++i) met_[i] += other.met_[i];
  }

 private:
  std::array<uint64_t, kLimitOptions.size()> met_{};
};

}  // namespace stele::server
