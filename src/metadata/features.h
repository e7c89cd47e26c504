// The features of a cluster and what each metadata.version lets a record look like (MetadataVersion and Feature of
// Apache Kafka 4.3.1).
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace stele::metadata {

inline constexpr char kMetadataVersionFeature[] = "metadata.version";
inline constexpr char kElrFeature[] = "eligible.leader.replicas.version";
inline constexpr char kGroupFeature[] = "group.version";
inline constexpr char kShareFeature[] = "share.version";
inline constexpr char kStreamsFeature[] = "streams.version";
inline constexpr char kTransactionFeature[] = "transaction.version";
inline constexpr char kKraftFeature[] = "kraft.version";

// The finalized level of metadata.version. Records are written in the form of that level, never a newer one.
struct MetadataVersion {
  int16_t level = 0;
  friend auto operator<=>(const MetadataVersion&, const MetadataVersion&) = default;

  bool supports_elr() const { return level >= 23; }
  bool supports_cordoned_dirs() const { return level >= 30; }
  int16_t partition_record_version() const { return supports_elr() ? 2 : 1; }
  int16_t register_broker_record_version() const { return supports_cordoned_dirs() ? 4 : 3; }
};

// 4.0-IV0, the lowest level that Stele starts on, and 4.3-IV0, which `format` writes and is the highest it knows.
inline constexpr MetadataVersion kMetadataVersionMin{22};
inline constexpr MetadataVersion kMetadataVersionLatest{30};

// "4.3-IV0"; "" for a level that Stele does not know.
std::string_view metadata_version_name(MetadataVersion version);
// From "4.3-IV0", or from "4.3", which means the newest level of that release. Nothing for other text.
std::optional<MetadataVersion> parse_metadata_version(std::string_view text);

struct SupportedFeature {
  std::string_view name;
  int16_t min = 0;
  int16_t max = 0;
  // The lowest metadata.version at which formatting gives level `max`; below that level 0.
  int16_t since = 0;
};

// What a broker and a controller register with (the range of metadata.version starts at 3.3-IV3, as Kafka's does).
std::span<const SupportedFeature> supported_features();
// In the order in which a formatted bootstrap.checkpoint has them: metadata.version first, then by name, without
// kraft.version.
struct FeatureLevel {
  std::string name;
  int16_t level = 0;
};

}  // namespace stele::metadata
