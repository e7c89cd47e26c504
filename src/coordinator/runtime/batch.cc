#include "coordinator/runtime/batch.h"

#include <optional>

#include "record/builder.h"

namespace stele::coordinator {

base::ByteVector encode_batch(std::span<const LogRecord> records, base::Timestamp now) {
  record::BatchOptions options;
  options.leader_epoch = base::LeaderEpoch{0};
  options.base_sequence = 0;
  record::BatchBuilder builder{options};
  for (const LogRecord& from : records) {
    record::NewRecord to;
    to.timestamp = now;
    to.key = base::Bytes{from.key};
    if (from.value) to.value = base::Bytes{*from.value};
    builder.add(to);
  }
  return std::move(builder).build();
}

}  // namespace stele::coordinator
