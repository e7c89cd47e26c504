#include "record/reader.h"

#include <algorithm>

#include "base/varint.h"

namespace stele::record {

using base::ErrorCode;

bool PieceSource::refill() {
  if (at_end_) return false;
  base::Result<base::Bytes> piece = decompressor_.next();
  if (!piece.ok()) {
    fault_ = std::move(piece).error();
    failed_ = true;
    at_end_ = true;
    return false;
  }
  piece_ = *piece;
  at_end_ = piece_.empty();
  return !at_end_;
}

bool PieceSource::skip(size_t count) {
  while (count > 0) {
    const base::Bytes here = peek();
    if (here.empty()) return false;
    const size_t step = std::min(count, here.size());
    take(step);
    count -= step;
  }
  return true;
}

template <class Unsigned>
bool PieceSource::unsigned_varint(Unsigned& value, size_t bytes_max) {
  value = 0;
  for (size_t i = 0; i < bytes_max; ++i) {
    const int byte = get();
    if (byte < 0) return false;
    value |= static_cast<Unsigned>(byte & 0x7f) << (7 * i);
    if ((byte & 0x80) == 0) return true;
  }
  return false;
}

bool PieceSource::varint(int32_t& value) {
  uint32_t raw = 0;
  if (!unsigned_varint(raw, base::kMaxVarint32)) return false;
  value = static_cast<int32_t>((raw >> 1) ^ (~(raw & 1) + 1));
  return true;
}

bool PieceSource::varlong(int64_t& value) {
  uint64_t raw = 0;
  if (!unsigned_varint(raw, base::kMaxVarint64)) return false;
  value = static_cast<int64_t>((raw >> 1) ^ (~(raw & 1) + 1));
  return true;
}

RecordReader::RecordReader(const BatchView& batch, Decompressor& decompressor)
    : context_(RecordContext::of(batch)), left_(batch.record_count()), source_(decompressor, fault_) {
  if (!batch.is_compressed()) {
    in_place_.emplace(batch);
  } else if (left_ > 0) {
    started_ = decompressor.start(batch.codec(), batch.payload());
  }
}

base::Result<std::optional<RecordView>> RecordReader::next() {
  return in_place_ ? in_place_->next() : next_compressed();
}

// What ended the stream early: its own fault, or just its end.
base::Error RecordReader::cut() const {
  if (source_.failed()) return fault_;
  return {ErrorCode::kInvalidRecord, "a compressed batch ends inside a record"};
}

base::Result<std::optional<RecordView>> RecordReader::next_compressed() {
  if (left_ < 0) return {ErrorCode::kInvalidRecord, fmt::format("a batch counts {} records", left_)};
  if (left_ == 0) return std::optional<RecordView>{};
  STELE_TRY(started_);
  int32_t length = 0;
  if (!source_.varint(length)) return cut();
  if (length < 0) return {ErrorCode::kInvalidRecord, fmt::format("a record has length {}", length)};
  const auto body_size = static_cast<size_t>(length);
  STELE_TRY_ASSIGN(const base::Bytes body, body_of(body_size));
  STELE_TRY_ASSIGN(const RecordView record, read_record_body(body, base::varint_size(length) + body_size, context_));
  // Looking for the end must not overwrite the piece that the record's views point into.
  if (--left_ == 0) {
    if (gathered_.data() != body.data()) gathered_.assign(body.begin(), body.end());
    STELE_TRY_ASSIGN(const RecordView last, read_record_body(gathered_, record.size, context_));
    if (source_.get() >= 0) return {ErrorCode::kInvalidRecord, "a compressed batch has bytes behind its last record"};
    if (source_.failed()) return fault_;
    return std::optional<RecordView>{last};
  }
  return std::optional<RecordView>{record};
}

base::Result<base::Bytes> RecordReader::body_of(size_t length) {
  const base::Bytes here = source_.peek();
  if (here.size() >= length) {
    source_.take(length);
    return here.first(length);
  }
  // The buffer grows with the bytes that arrive, never with the length that is claimed.
  gathered_.clear();
  while (gathered_.size() < length) {
    const base::Bytes piece = source_.peek();
    if (piece.empty()) return cut();
    const size_t step = std::min(length - gathered_.size(), piece.size());
    base::append(gathered_, piece.first(step));
    source_.take(step);
  }
  return base::Bytes{gathered_};
}

}  // namespace stele::record
