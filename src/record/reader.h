// Reads the records of a batch of any codec, one after the other, decompressing in pieces.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "record/batch.h"
#include "record/decompressor.h"
#include "record/record.h"

namespace stele::record {

// Decompressed bytes as a stream. After the end or an error get() gives nothing; failed() tells them apart.
class PieceSource {
 public:
  PieceSource(Decompressor& decompressor, base::Error& fault) : decompressor_(decompressor), fault_(fault) {}

  // The bytes at hand, at least one unless the stream is at its end or failed.
  base::Bytes peek() {
    if (piece_.empty()) refill();
    return piece_;
  }
  void take(size_t count) { piece_ = piece_.subspan(count); }
  // The next byte; -1 at the end, as Java's InputStream.read.
  int get() {
    if (piece_.empty() && !refill()) return -1;
    const auto byte = std::to_integer<int>(piece_.front());
    piece_ = piece_.subspan(1);
    return byte;
  }
  // False where the stream ends before `count` bytes.
  bool skip(size_t count);
  bool varint(int32_t& value);
  bool varlong(int64_t& value);
  bool failed() const { return failed_; }

 private:
  bool refill();
  template <class Unsigned>
  bool unsigned_varint(Unsigned& value, size_t bytes_max);

  Decompressor& decompressor_;
  base::Error& fault_;  // set where failed()
  base::Bytes piece_;
  bool at_end_ = false;
  bool failed_ = false;
};

// The records of one whole batch of magic 2. `decompressor` serves this reader alone until it is done with. Records are
// gathered into a buffer of the reader's own only where they cross from one piece into the next.
class RecordReader {
 public:
  RecordReader(const BatchView& batch, Decompressor& decompressor);
  RecordReader(const RecordReader&) = delete;
  RecordReader& operator=(const RecordReader&) = delete;

  // The next record, valid until the next call; nothing after the last one. kInvalidRecord for a bad record, and for
  // bytes behind the last one; kUnknownServerError for a broken stream; kMessageTooLarge over a limit of the
  // decompressor.
  base::Result<std::optional<RecordView>> next();

 private:
  base::Result<std::optional<RecordView>> next_compressed();
  base::Result<base::Bytes> body_of(size_t length);
  base::Error cut() const;

  RecordContext context_;
  int32_t left_;
  std::optional<RecordIterator> in_place_;  // where nothing is compressed
  base::Error fault_;
  base::Result<void> started_;
  PieceSource source_;
  base::ByteVector gathered_;
};

}  // namespace stele::record
