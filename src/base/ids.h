// Distinct types for the numbers that name things. Mixing two of them does not compile.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace stele::base {

// An integer with a meaning. Explicit in and out; ordered; no arithmetic beyond what the named types below offer.
template <class Tag, class Rep>
class StrongId {
 public:
  using rep = Rep;
  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }
  friend constexpr auto operator<=>(StrongId, StrongId) = default;

 private:
  Rep value_{};
};

using BrokerId = StrongId<struct BrokerIdTag, int32_t>;
using PartitionIndex = StrongId<struct PartitionIndexTag, int32_t>;
using ProducerId = StrongId<struct ProducerIdTag, int64_t>;
using ProducerEpoch = StrongId<struct ProducerEpochTag, int16_t>;
using BrokerEpoch = StrongId<struct BrokerEpochTag, int64_t>;
using ShardId = StrongId<struct ShardIdTag, uint32_t>;

// Increases by one at each change of leader; -1 where none is known.
using LeaderEpoch = StrongId<struct LeaderEpochTag, int32_t>;
inline constexpr LeaderEpoch kNoLeaderEpoch{-1};
inline constexpr BrokerId kNoBroker{-1};
inline constexpr ProducerId kNoProducerId{-1};
inline constexpr ProducerEpoch kNoProducerEpoch{-1};

// Position of a record in a partition. Offset plus count is an Offset; Offset minus Offset is a count. Bytes of a peer
// or a disk hold any offset, so both wrap around like Java's long: what is taken from there is compared before it is
// believed.
class Offset {
 public:
  constexpr Offset() = default;
  constexpr explicit Offset(int64_t value) : value_(value) {}
  constexpr int64_t value() const { return value_; }
  friend constexpr auto operator<=>(Offset, Offset) = default;
  friend constexpr Offset operator+(Offset offset, int64_t count) {
    return Offset{static_cast<int64_t>(static_cast<uint64_t>(offset.value_) + static_cast<uint64_t>(count))};
  }
  friend constexpr int64_t operator-(Offset a, Offset b) {
    return static_cast<int64_t>(static_cast<uint64_t>(a.value_) - static_cast<uint64_t>(b.value_));
  }

 private:
  int64_t value_ = 0;
};
inline constexpr Offset kNoOffset{-1};

// Milliseconds since 1970, as the protocol carries them; -1 where a batch has none.
using Timestamp = StrongId<struct TimestampTag, int64_t>;
inline constexpr Timestamp kNoTimestamp{-1};

}  // namespace stele::base

template <class Tag, class Rep>
struct std::hash<stele::base::StrongId<Tag, Rep>> {
  size_t operator()(stele::base::StrongId<Tag, Rep> id) const noexcept { return std::hash<Rep>{}(id.value()); }
};
template <>
struct std::hash<stele::base::Offset> {
  size_t operator()(stele::base::Offset offset) const noexcept { return std::hash<int64_t>{}(offset.value()); }
};
