#include "record/replicated.h"

namespace stele::record {

using base::ErrorCode;

base::Result<ReplicatedBatches> check_replicated(base::Bytes records, base::LeaderEpoch epoch) {
  ReplicatedBatches found;
  BatchReader reader{records};
  while (true) {
    STELE_TRY_ASSIGN(const std::optional<BatchView> batch, reader.next());
    if (!batch || batch->leader_epoch() > epoch) return found;
    if (!batch->crc_valid()) {
      return {ErrorCode::kCorruptMessage, fmt::format("the batch at offset {} does not fit its checksum {:#x}",
                                                      batch->base_offset().value(), batch->crc())};
    }
    if (!is_known(batch->codec())) {
      return {ErrorCode::kCorruptMessage,
              fmt::format("the batch at offset {} has an unknown codec", batch->base_offset().value())};
    }
    if (batch->base_offset() < base::Offset{0} || batch->last_offset() < batch->base_offset()) {
      return {ErrorCode::kCorruptMessage,
              fmt::format("a batch has offsets {} to {}", batch->base_offset().value(), batch->last_offset().value())};
    }
    if (found.first_offset && batch->last_offset() <= found.last_offset) {
      return {ErrorCode::kCorruptMessage, fmt::format("the batch that ends at offset {} follows one that ends at {}",
                                                      batch->last_offset().value(), found.last_offset.value())};
    }
    if (!found.first_offset) found.first_offset = batch->base_offset();
    found.last_offset = batch->last_offset();
    if (batch->max_timestamp() > found.max_timestamp) {
      found.max_timestamp = batch->max_timestamp();
      found.offset_of_max_timestamp = found.last_offset;
    }
    found.size = reader.position();
  }
}

}  // namespace stele::record
