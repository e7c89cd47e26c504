#include "record/control.h"

#include "record/builder.h"

namespace stele::record {

using base::ErrorCode;

namespace {

constexpr size_t kMarkerValueSize = 6;

base::ByteVector build(const BatchOptions& options, base::Timestamp timestamp, ControlType type, base::Bytes value) {
  const ControlKey key = control_key(type);
  BatchBuilder builder{options};
  builder.add({.timestamp = timestamp, .key = base::Bytes{key}, .value = value});
  return std::move(builder).build();
}

BatchOptions control_options(const ControlBatchOptions& options) {
  BatchOptions batch;
  batch.base_offset = options.base_offset;
  batch.leader_epoch = options.leader_epoch;
  batch.is_control = true;
  return batch;
}

}  // namespace

ControlKey control_key(ControlType type) {
  ControlKey key{};
  base::store_be(key.data() + 2, static_cast<int16_t>(type));
  return key;
}

base::Result<std::optional<ControlType>> control_type(const RecordView& record) {
  if (!record.key || record.key->size() < sizeof(ControlKey)) {
    return {ErrorCode::kInvalidRecord, "the key of a control record is too short"};
  }
  const auto version = base::load_be<int16_t>(record.key->data());
  if (version < 0) return {ErrorCode::kInvalidRecord, fmt::format("a control record has version {}", version)};
  const auto type = base::load_be<int16_t>(record.key->data() + 2);
  if (type < 0 || type > static_cast<int16_t>(ControlType::kKRaftVoters)) return std::optional<ControlType>{};
  return std::optional<ControlType>{static_cast<ControlType>(type)};
}

base::ByteVector build_control_batch(const ControlBatchOptions& options, ControlType type, base::Bytes value) {
  return build(control_options(options), options.timestamp, type, value);
}

base::ByteVector build_marker_batch(const ControlBatchOptions& options, base::ProducerId producer,
                                    base::ProducerEpoch epoch, TransactionMarker marker) {
  BatchOptions batch = control_options(options);
  batch.producer_id = producer;
  batch.producer_epoch = epoch;
  batch.is_transactional = true;
  std::array<std::byte, kMarkerValueSize> value{};
  base::store_be(value.data() + 2, marker.coordinator_epoch);
  return build(batch, options.timestamp, marker.is_commit ? ControlType::kCommit : ControlType::kAbort, value);
}

base::Result<std::optional<TransactionMarker>> transaction_marker(const RecordView& record) {
  STELE_TRY_ASSIGN(const std::optional<ControlType> type, control_type(record));
  if (type != ControlType::kCommit && type != ControlType::kAbort) return std::optional<TransactionMarker>{};
  if (!record.value || record.value->size() < kMarkerValueSize) {
    return {ErrorCode::kInvalidRecord, "the value of a transaction marker is too short"};
  }
  const auto version = base::load_be<int16_t>(record.value->data());
  if (version < 0) return {ErrorCode::kInvalidRecord, fmt::format("a transaction marker has version {}", version)};
  const auto epoch = base::load_be<int32_t>(record.value->data() + 2);
  return std::optional<TransactionMarker>{{type == ControlType::kCommit, epoch}};
}

}  // namespace stele::record
