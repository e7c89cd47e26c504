// Message sets of magic 0 and 1, which old segments still hold. Read only: nothing writes them any more. One message:
//   offset i64 | length i32 | crc u32 (CRC-32 of what follows) | magic i8 | attributes i8 | timestamp i64 (magic 1) |
//   key length i32, key | value length i32, value
// With a codec set the message is a wrapper: its value is a compressed run of messages. Inside a wrapper of magic 0
// their offsets are absolute; of magic 1 they count from 0, and the wrapper has the offset of the last one.
#pragma once

#include <optional>

#include "base/result.h"
#include "record/batch.h"
#include "record/decompressor.h"
#include "record/reader.h"
#include "record/record.h"

namespace stele::record {

// The records of one message or wrapper, with absolute offsets.
class LegacyReader {
 public:
  // `message` is whole and of magic 0 or 1. `decompressor` serves this reader alone until it is done with. A wrapper of
  // magic 1 is decompressed twice, as only its last message tells where its offsets begin.
  LegacyReader(const BatchView& message, Decompressor& decompressor) : message_(message), decompressor_(decompressor) {}
  LegacyReader(const LegacyReader&) = delete;
  LegacyReader& operator=(const LegacyReader&) = delete;

  // The next record, valid until the next call; nothing after the last one, and at a message that is cut inside a
  // wrapper, as Kafka ends there. kCorruptMessage for bad lengths, kInvalidRecord for a wrapper without messages or
  // inside another, kUnknownServerError for a broken stream.
  base::Result<std::optional<RecordView>> next();

 private:
  base::Result<std::optional<RecordView>> next_inner();
  base::Result<void> open_wrapper(base::Bytes wrapped);
  base::Result<int64_t> first_offset_of_wrapper(base::Bytes wrapped);

  BatchView message_;
  Decompressor& decompressor_;
  base::Error fault_;
  std::optional<PieceSource> source_;  // inside a wrapper
  int64_t inner_base_ = 0;             // what is added to the offsets inside
  bool done_ = false;
  base::ByteVector gathered_;  // one inner message
};

}  // namespace stele::record
