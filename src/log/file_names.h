// Names of files and directories in a log dir, as Kafka's LogFileUtils and LocalLog form them.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/uuid.h"

namespace stele::log {

inline constexpr std::string_view kLogSuffix = ".log";
inline constexpr std::string_view kIndexSuffix = ".index";
inline constexpr std::string_view kTimeIndexSuffix = ".timeindex";
inline constexpr std::string_view kTransactionIndexSuffix = ".txnindex";
inline constexpr std::string_view kSnapshotSuffix = ".snapshot";
inline constexpr std::string_view kDeletedSuffix = ".deleted";
inline constexpr std::string_view kCleanedSuffix = ".cleaned";
inline constexpr std::string_view kSwapSuffix = ".swap";
inline constexpr std::string_view kEpochCheckpointName = "leader-epoch-checkpoint";
inline constexpr std::string_view kQuorumStateName = "quorum-state";  // of the metadata log; read a layer above
inline constexpr std::string_view kPartitionMetadataName = "partition.metadata";

// "00000000000000000532.log"
std::string offset_file_name(base::Offset base, std::string_view suffix);
// The offset of a name of exactly that form; nothing for any other name.
std::optional<base::Offset> parse_offset_file_name(std::string_view name, std::string_view suffix);

struct TopicPartition {
  std::string topic;
  base::PartitionIndex partition;
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
  // "topic-0"
  std::string to_string() const;
};

enum class DirectoryKind { kCurrent, kFuture, kDeleted, kStray };

struct PartitionDirectoryName {
  TopicPartition partition;
  DirectoryKind kind = DirectoryKind::kCurrent;
  friend bool operator==(const PartitionDirectoryName&, const PartitionDirectoryName&) = default;
};

// "topic-0", "topic-0.<32 hex digits>-future", and so with "-delete" and "-stray"; nothing for any other name.
std::optional<PartitionDirectoryName> parse_partition_directory(std::string_view name);
// The inverse. A long topic name is cut for kDeleted, as Kafka cuts it, so that the name has at most 255 bytes.
std::string partition_directory_name(const TopicPartition& partition, DirectoryKind kind, base::Uuid unique);

}  // namespace stele::log
