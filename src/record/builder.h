// Writes record batches of magic 2, byte for byte as Kafka's MemoryRecordsBuilder does where nothing is compressed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/ids.h"
#include "record/batch.h"
#include "record/compressor.h"
#include "record/record.h"

namespace stele::record {

// A record to be written. Views only: the bytes are copied by BatchBuilder::add.
struct NewRecord {
  base::Timestamp timestamp = base::kNoTimestamp;
  NullableBytes key = std::nullopt;
  NullableBytes value = std::nullopt;
  std::span<const HeaderView> headers = {};
};

struct BatchOptions {
  base::Offset base_offset{};
  base::LeaderEpoch leader_epoch = base::kNoLeaderEpoch;
  Codec codec = Codec::kNone;
  int32_t level = kDefaultLevel;  // see compressor.h
  TimestampType timestamp_type = TimestampType::kCreateTime;
  base::Timestamp append_time = base::kNoTimestamp;  // the max timestamp of a LogAppendTime batch
  base::ProducerId producer_id = base::kNoProducerId;
  base::ProducerEpoch producer_epoch = base::kNoProducerEpoch;
  int32_t base_sequence = kNoSequence;  // __consumer_offsets batches carry 0 without a producer, as Kafka writes them
  bool is_transactional = false;
  bool is_control = false;
  std::optional<base::Timestamp> delete_horizon = std::nullopt;  // stands in place of the base timestamp
};

class BatchBuilder {
 public:
  explicit BatchBuilder(const BatchOptions& options);

  // At the next offset: base offset first, then one more each time.
  void add(const NewRecord& record);
  // At an offset above that of every record so far. Within 2^31 of the base offset.
  void add_at(base::Offset offset, const NewRecord& record);
  // Copies a record that was read, headers included, to another offset.
  void add_at(base::Offset offset, const RecordView& record);

  int32_t record_count() const { return count_; }
  // Bytes of the batch before compression.
  size_t uncompressed_size() const { return bytes_.size(); }
  base::Timestamp max_timestamp() const;
  base::Offset last_offset() const { return last_offset_; }
  // Lets the last offset lie behind that of the last record, as the cleaner needs. Not below it.
  void set_last_offset(base::Offset offset);

  // The batch; empty bytes where nothing was added. The builder is done after that.
  base::ByteVector build() &&;

 private:
  struct Coded;
  void put(base::Offset offset, base::Timestamp timestamp, const NullableBytes& key, const NullableBytes& value,
           const Coded& headers);
  void write_header();

  BatchOptions options_;
  base::ByteVector bytes_;  // header, then the records so far
  int32_t count_ = 0;
  base::Offset last_offset_ = base::kNoOffset;
  base::Timestamp base_timestamp_ = base::kNoTimestamp;
  base::Timestamp max_timestamp_ = base::kNoTimestamp;
};

}  // namespace stele::record
