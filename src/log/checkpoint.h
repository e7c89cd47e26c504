// The text checkpoints: "0\n<n>\n" and n lines, numbers in decimal, fields one blank apart. Kafka's
// CheckpointFile.java.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "log/file_names.h"

namespace stele::log {

inline constexpr std::string_view kRecoveryPointName = "recovery-point-offset-checkpoint";
inline constexpr std::string_view kLogStartName = "log-start-offset-checkpoint";
inline constexpr std::string_view kHighWatermarkName = "replication-offset-checkpoint";

// Of a log dir: "topic partition offset" for each partition.
using OffsetMap = std::map<TopicPartition, base::Offset>;
std::string format_offset_checkpoint(const OffsetMap& offsets);
// An empty file is an empty checkpoint. kCorruptMessage: a wrong version or count, a line that is none.
base::Result<OffsetMap> parse_offset_checkpoint(std::string_view text);

// Of a partition: "epoch start-offset" for each leader epoch.
struct EpochStart {
  base::LeaderEpoch epoch;
  base::Offset start;
  friend bool operator==(const EpochStart&, const EpochStart&) = default;
};
std::string format_epoch_checkpoint(const std::vector<EpochStart>& epochs);
base::Result<std::vector<EpochStart>> parse_epoch_checkpoint(std::string_view text);

}  // namespace stele::log
