// The log under a coordinator: one partition of an internal topic, seen through the few things a coordinator needs.
// Declared here, implemented by broker/ on a partition and by tests in memory.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"

namespace stele::coordinator {

// The time of one turn: deadlines are monotonic, what is stored is wall time.
struct Now {
  base::MonoTime mono;
  base::Timestamp wall;
};

struct LogRecord {
  base::ByteVector key;
  std::optional<base::ByteVector> value;  // none is a tombstone

  friend bool operator==(const LogRecord&, const LogRecord&) = default;
};

class CoordinatorLog {
 public:
  virtual ~CoordinatorLog() = default;

  // Appends the records as one batch (producer id -1, epoch -1, base sequence 0: as Kafka's coordinators write), in the
  // order of the calls, and returns the offset of the first one. The offset is assigned at once; the write and its
  // replication go on, and the owner of the runtime is told of them by committed() or failed().
  // An error means that nothing was appended and nothing will be. kMessageTooLarge, kRecordListTooLarge and
  // kKafkaStorageError (a full disk, say, where what is known can still be told) are answered to the one command; any
  // other means that the log is not ours any more.
  virtual base::Result<base::Offset> append(base::LeaderEpoch epoch, base::Timestamp now,
                                            std::span<const LogRecord> records) = 0;
};

}  // namespace stele::coordinator
