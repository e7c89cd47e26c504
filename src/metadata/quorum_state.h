// The small files beside the segments of the metadata log: quorum-state and leader-epoch-checkpoint.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace stele::metadata {

// Version 0 names the voters of a static quorum, version 1 (kraft.version 1) leaves them to the log.
struct QuorumState {
  int data_version = 0;
  base::BrokerId leader{-1};
  base::LeaderEpoch epoch{0};
  std::vector<base::BrokerId> voters;  // version 0 only
};

// Kafka's text, one line without an end of line.
std::string write_quorum_state(const QuorumState& state);
base::Result<QuorumState> read_quorum_state(std::string_view text);

struct EpochStart {
  base::LeaderEpoch epoch{0};
  base::Offset start{0};
  friend bool operator==(const EpochStart&, const EpochStart&) = default;
};
// "0\n<n>\n" and a line "epoch start" for each.
std::string write_epochs(const std::vector<EpochStart>& epochs);
base::Result<std::vector<EpochStart>> read_epochs(std::string_view text);

// "00000000000000000012-0000000003.checkpoint" and back.
std::string snapshot_name(base::Offset end, base::LeaderEpoch epoch);
std::optional<std::pair<base::Offset, base::LeaderEpoch>> parse_snapshot_name(std::string_view name);
// "00000000000000000012.log" and back.
std::string segment_name(base::Offset base, std::string_view suffix);
std::optional<base::Offset> parse_segment_name(std::string_view name);

}  // namespace stele::metadata
