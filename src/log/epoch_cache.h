// Which leader epoch began at which offset: the content of leader-epoch-checkpoint. Kafka's LeaderEpochFileCache.
// Invariants: epochs and start offsets both rise strictly. A core: changed in memory, written by its log.
#pragma once

#include <optional>
#include <vector>

#include "base/ids.h"
#include "log/checkpoint.h"

namespace stele::log {

struct EpochEnd {
  base::LeaderEpoch epoch;
  base::Offset end;  // exclusive
  friend bool operator==(const EpochEnd&, const EpochEnd&) = default;
};

class EpochCache {
 public:
  EpochCache() = default;
  // Entries out of order are dropped, as Kafka's assign drops them.
  explicit EpochCache(const std::vector<EpochStart>& entries);

  // `epoch` begins at `start`. Conflicting later entries go. Answers whether anything changed.
  bool assign(base::LeaderEpoch epoch, base::Offset start);
  // Drops epochs that begin at or past `end`.
  bool truncate_end(base::Offset end);
  // Lets the epoch at `start` begin there, and drops all before it.
  bool truncate_start(base::Offset start);
  void clear() { entries_.clear(); }

  std::optional<base::LeaderEpoch> latest() const;
  // Epoch of the record at `offset`; nothing below the first entry.
  std::optional<base::LeaderEpoch> epoch_at(base::Offset offset) const;
  // The largest known epoch <= `epoch` and the start of the one behind it, or the log's end. An epoch below all known
  // ones is answered with itself and the start of the first. Nothing where none is known or `epoch` is above the
  // latest.
  std::optional<EpochEnd> end_offset_for(base::LeaderEpoch epoch, base::Offset log_end) const;
  const std::vector<EpochStart>& entries() const { return entries_; }

 private:
  std::vector<EpochStart> entries_;
};

}  // namespace stele::log
