// The ordered log of the cluster's metadata, with leadership. One interface for every backend; metadata_log_suite.h is
// what all of them pass.
//
// An entry is one record batch of Kafka with leader epoch; its index is its base offset, and the next index is its last
// offset plus one. Snapshots are named by (next index, epoch of the last entry that they hold).
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/executor.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/task.h"

namespace stele::metadata {

struct SnapshotId {
  base::Offset end{0};
  base::LeaderEpoch epoch{0};
  friend auto operator<=>(const SnapshotId&, const SnapshotId&) = default;
};

struct Claim {
  base::LeaderEpoch epoch{0};
  // Behind the LeaderChange entry that the claim itself wrote, where the backend writes one.
  base::Offset next_index{0};
};

enum class AppendOutcome : uint8_t {
  kCommitted,  // on stable storage of the log, and seen by every later reader
  kFenced,     // a later claim has been made; nothing was written
  kConflict,   // next_index is not the log's next index; nothing was written
  kUnknown,    // it may or may not have been written: drop the state and claim anew
};

struct Entries {
  base::ByteVector batches;   // whole ones, end to end; empty at the end of the log
  base::Offset next_index{};  // where to read on
};

class MetadataLog {
 public:
  virtual ~MetadataLog() = default;

  // Makes the caller the only one who can append: every older epoch is fenced once this returns.
  virtual base::Task<base::Result<Claim>> claim() = 0;
  // Appends that are begun in order are carried out in that order, without waiting for each other; one that fails
  // fails all that were begun after it. An append whose awaiting frame is destroyed goes on.
  virtual base::Task<AppendOutcome> append(base::LeaderEpoch epoch, base::Offset next_index,
                                           base::ByteVector batch) = 0;

  // Committed entries from the one that holds index `from`; at least one where there is one, and no more than about
  // `bytes_max` bytes. OFFSET_OUT_OF_RANGE below start() or above the end.
  virtual base::Task<base::Result<Entries>> read(base::Offset from, size_t bytes_max) = 0;
  virtual base::Offset start() const = 0;
  virtual base::Offset end() const = 0;  // the next index of what is committed
  // Sets the signal when there may be more to read. One watcher; null takes it away. A hint: it can come too often.
  // Whether an append that finds the disk full waits for room instead of ending the log. Off at first.
  virtual void set_waits_for_space(bool waits) = 0;
  virtual void watch(base::Signal* signal) = 0;

  // In order; the newest last.
  virtual std::vector<SnapshotId> snapshots() const = 0;
  virtual base::Task<base::Result<base::ByteVector>> get_snapshot(SnapshotId id) = 0;
  // On stable storage on return; after a crash it is there whole or not at all. id.end is no more than end().
  virtual base::Task<base::Result<void>> put_snapshot(SnapshotId id, base::ByteVector content) = 0;
  // Lets go of what is older than the backend's retention allows and older than a snapshot. What is kept can always be
  // read: the newest snapshot, and every entry behind it.
  virtual base::Task<base::Result<void>> trim(base::Timestamp now) = 0;
};

}  // namespace stele::metadata
