// The limits that peers can meet, each named by the option that sets it, and how often each was met.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace stele::base {

enum class Limit : uint8_t {
  kConnections,
  kConnectionsPerAddress,
  kConnectionRate,
  kIdle,
  kFrameBytes,
  kFrameTimeout,
  kWriteTimeout,
  kRequestsInFlight,
  kAnswerBytes,
  kRequestElements,
  kRequestMemory,
  kMemoryData,
  kMemoryControl,
  kMemoryGroups,
  kFetchWaiters,
  kProduceWaiters,
  kFetchSessionSlots,
  kFetchSessionPartitions,
  kFetchSessionsPartitions,
  kDecompressedBytes,
  kRebuiltBytes,
  kProducerIds,
  kOpenFiles,
  kPartitions,
  kRequestPartitions,
  kConfigResources,
  kGroups,
  kGroupSize,
  kGroupMembersBytes,
  kGroupOffsets,
  kOffsetMetadata,
  kHttpConnections,
  kHttpIdle,
};

// In the order of the limits. tests/checks/limits.py looks for each among the options, in the documentation and in the
// tests.
inline constexpr std::array kLimitOptions{
    "max.connections",
    "max.connections.per.ip",
    "max.connection.creation.rate",
    "connections.max.idle.ms",
    "socket.request.max.bytes",
    "stele.connection.frame.timeout.ms",
    "stele.connection.write.timeout.ms",
    "stele.connection.requests.max",
    "stele.connection.answers.bytes",
    "stele.request.elements.max",
    "stele.request.memory.max",
    "stele.memory.data.bytes",
    "stele.memory.control.bytes",
    "stele.memory.groups.bytes",
    "stele.fetch.waiters.max",
    "stele.produce.waiters.max",
    "max.incremental.fetch.session.cache.slots",
    "stele.fetch.session.partitions.max",
    "stele.fetch.sessions.partitions.max",
    "stele.batch.decompressed.bytes.max",
    "stele.batch.rebuilt.bytes.max",
    "stele.producer.ids.max",
    "stele.open.files.max",
    "stele.partitions.max",
    "stele.request.partitions.max",
    "stele.config.resources.max",
    "stele.groups.max",
    "group.max.size",
    "stele.group.members.bytes.max",
    "stele.group.offsets.max",
    "offset.metadata.max.bytes",
    "stele.http.connections.max",
    "stele.http.idle.ms",
};
static_assert(kLimitOptions.size() == static_cast<size_t>(Limit::kHttpIdle) + 1);

constexpr std::string_view option_of(Limit limit) { return kLimitOptions[static_cast<size_t>(limit)]; }

// Plain numbers of one shard; the sum over all is on /metrics.
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

}  // namespace stele::base
