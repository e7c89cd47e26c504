// A 128-bit id in Kafka's text form: URL-safe base64 without padding, 22 characters. Topics, log dirs and clusters have
// one.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace stele::base {

class Random;

struct Uuid {
  uint64_t high = 0;
  uint64_t low = 0;

  friend constexpr auto operator<=>(const Uuid&, const Uuid&) = default;
  constexpr bool is_zero() const { return high == 0 && low == 0; }

  // Version 4, never one of the reserved ids and never with a leading '-' in its text (Uuid.randomUuid of Kafka).
  static Uuid make_random(Random& random);
  // Nothing where the text is not the form of 16 bytes.
  static std::optional<Uuid> parse(std::string_view text);
  std::string to_string() const;
};

using TopicId = Uuid;
using DirectoryId = Uuid;

inline constexpr Uuid kZeroUuid{};
// Reserved log dir ids of KIP-858 (org.apache.kafka.common.DirectoryId).
inline constexpr DirectoryId kMigratingDirectory{0, 0};
inline constexpr DirectoryId kUnassignedDirectory{0, 1};
inline constexpr DirectoryId kLostDirectory{0, 2};
// The topic id of __cluster_metadata.
inline constexpr TopicId kMetadataTopicId{0, 1};

}  // namespace stele::base

template <>
struct std::hash<stele::base::Uuid> {
  size_t operator()(const stele::base::Uuid& id) const noexcept { return id.high * 0x9e3779b97f4a7c15ULL ^ id.low; }
};
