// Fills a group coordinator with the content of its partition of __consumer_offsets, batch by batch.
//
// Records that mean nothing to this coordinator (groups of KIP-848, share and streams groups, kinds to come) stay in
// the log and are passed over; so is a record whose checksum is right and whose content is not: one bad record must not
// take every group of its partition away. Both are counted, and logged at the end.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/log_sink.h"
#include "base/result.h"
#include "coordinator/group/group_coordinator.h"
#include "record/batch.h"
#include "record/decompressor.h"
#include "record/record.h"

namespace stele::coordinator {

class GroupLoader {
 public:
  // All outlive the loader.
  GroupLoader(GroupCoordinator& coordinator, record::Decompressor& decompressor, base::LogSink& log)
      : coordinator_(coordinator), decompressor_(decompressor), log_(log) {}

  // The next bytes of the log: whole batches, in order; a cut one at the end is left alone. Returns the bytes taken.
  // kCorruptMessage where they are no batches: the partition can't be loaded.
  base::Result<size_t> load(base::Bytes batches);
  // Logs what was passed over. Then the runtime's finish_loading().
  void finish(int32_t partition);

  int64_t records() const { return records_; }
  int64_t other_records() const { return other_records_; }
  int64_t bad_records() const { return bad_records_; }

 private:
  base::Result<void> load_batch(const record::BatchView& batch);
  void load_record(const record::BatchView& batch, const record::RecordView& record);

  GroupCoordinator& coordinator_;
  record::Decompressor& decompressor_;
  base::LogSink& log_;
  int64_t records_ = 0;
  int64_t other_records_ = 0;
  int64_t bad_records_ = 0;
};

}  // namespace stele::coordinator
