#include "coordinator/group/group_loader.h"

#include <optional>

#include "coordinator/group/record_codec.h"
#include "record/control.h"
#include "record/reader.h"

namespace stele::coordinator {

base::Result<size_t> GroupLoader::load(base::Bytes batches) {
  record::BatchReader reader{batches};
  while (true) {
    STELE_TRY_ASSIGN(const auto batch, reader.next());
    if (!batch) return reader.position();
    STELE_TRY(load_batch(*batch));
  }
}

base::Result<void> GroupLoader::load_batch(const record::BatchView& batch) {
  if (batch.is_legacy()) {
    return {base::ErrorCode::kCorruptMessage, "__consumer_offsets holds batches older than magic 2"};
  }
  record::RecordReader reader{batch, decompressor_};
  while (true) {
    STELE_TRY_ASSIGN(const auto record, reader.next());
    if (!record) return {};
    load_record(batch, *record);
  }
}

void GroupLoader::load_record(const record::BatchView& batch, const record::RecordView& record) {
  ++records_;
  if (batch.is_control()) {
    auto type = record::control_type(record);
    if (!type.ok() || !*type) return;
    if (**type == record::ControlType::kCommit) coordinator_.end_transaction(batch.producer_id(), true);
    if (**type == record::ControlType::kAbort) coordinator_.end_transaction(batch.producer_id(), false);
    return;
  }
  if (!record.key) {
    ++bad_records_;
    return;
  }
  auto decoded = decode_group_record(*record.key, record.value);
  if (!decoded.ok()) {
    ++bad_records_;
    log_.error("__consumer_offsets: the record at offset {} can't be read and is passed over: {}",
               record.offset.value(), decoded.error().message);
  } else if (std::holds_alternative<OtherRecord>(*decoded)) {
    ++other_records_;
  } else {
    const base::ProducerId producer = batch.is_transactional() ? batch.producer_id() : base::kNoProducerId;
    coordinator_.replay(record.offset, producer, std::get<GroupLogRecord>(*decoded));
  }
}

void GroupLoader::finish(int32_t partition) {
  if (other_records_ > 0) {
    log_.warn(
        "__consumer_offsets-{}: {} records belong to groups of kinds that are not served here (consumer, share or "
        "streams protocol); they are kept in the log",
        partition, other_records_);
  }
  if (bad_records_ > 0) log_.error("__consumer_offsets-{}: {} records could not be read", partition, bad_records_);
}

}  // namespace stele::coordinator
