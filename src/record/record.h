// One record of a magic 2 batch, and the walk over the records of a batch. Form (Kafka's DefaultRecord):
//   length varint | attributes i8 | timestamp delta varlong | offset delta varint | key length varint, key |
//   value length varint, value | header count varint | {key length varint, key, value length varint, value}
// Lengths of -1 (any negative one, when read) stand for null; a header's key is never null.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "record/batch.h"

namespace stele::record {

// Null and empty differ: nullopt and a view of no bytes.
using NullableBytes = std::optional<base::Bytes>;

struct HeaderView {
  base::Bytes key;
  NullableBytes value;
};

// The headers of a record, still coded; they have been checked as a whole before this was made.
class HeadersView {
 public:
  HeadersView() = default;
  HeadersView(int32_t count, base::Bytes coded) : count_(count), coded_(coded) {}
  int32_t count() const { return count_; }
  // The next header; false when all have been given.
  bool next(HeaderView& header);
  // As they stand in the record, without the count.
  base::Bytes coded() const { return coded_; }

 private:
  int32_t count_ = 0;
  int32_t given_ = 0;
  size_t position_ = 0;
  base::Bytes coded_;
};

// Views into the bytes that were read; valid as long as those.
struct RecordView {
  base::Offset offset;
  base::Timestamp timestamp;
  int32_t sequence = kNoSequence;
  uint8_t attributes = 0;
  int32_t offset_delta = 0;
  int64_t timestamp_delta = 0;
  NullableBytes key;
  NullableBytes value;
  HeadersView headers;
  // Bytes of the record as coded, its length field included.
  size_t size = 0;
};

// What turns deltas into values: the fields of the batch that a record depends on.
struct RecordContext {
  base::Offset base_offset;
  base::Timestamp base_timestamp;
  int32_t base_sequence = kNoSequence;
  // Set where the batch carries LogAppendTime: every record then has that time.
  std::optional<base::Timestamp> append_time;

  static RecordContext of(const BatchView& batch);
};

// Reads the record at the start of `bytes`. kInvalidRecord (87) with a sentence where Kafka says so: a cut record, a
// length that does not match its content, a negative header count, a null header key.
base::Result<RecordView> read_record(base::Bytes bytes, const RecordContext& context);
// The same for what follows the length field, which is `size` minus the body's size long.
base::Result<RecordView> read_record_body(base::Bytes body, size_t size, const RecordContext& context);

// Walks over the records of one uncompressed batch in place. See reader.h for batches of any codec.
class RecordIterator {
 public:
  // `batch` is whole, magic 2, and not compressed. As many records are given as its header counts.
  explicit RecordIterator(const BatchView& batch)
      : context_(RecordContext::of(batch)), rest_(batch.payload()), left_(batch.record_count()) {}

  // The next record; nothing after the last one. kInvalidRecord for a bad record, a negative count, and for bytes
  // behind the last record.
  base::Result<std::optional<RecordView>> next();

 private:
  RecordContext context_;
  base::Bytes rest_;
  int32_t left_;
};

}  // namespace stele::record
