// The batches of a coordinator's records, byte for byte as Apache Kafka's coordinators write them.
#pragma once

#include <span>

#include "base/bytes.h"
#include "base/ids.h"
#include "coordinator/runtime/coordinator_log.h"

namespace stele::coordinator {

// One uncompressed batch: producer id and epoch -1, base sequence 0, every record at `now`. Base offset and leader
// epoch are 0 and the log's to set. At least one record.
base::ByteVector encode_batch(std::span<const LogRecord> records, base::Timestamp now);

}  // namespace stele::coordinator
