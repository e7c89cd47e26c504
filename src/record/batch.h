// A record batch as it lies on disk and on the wire: header fields, patching in place, walking over consecutive
// batches. Layout of magic 2 (Kafka's DefaultRecordBatch), offsets in bytes:
//    0 base offset i64       12 leader epoch i32   17 crc u32          27 base timestamp i64   43 producer id i64
//    8 length i32 (what      16 magic i8           21 attributes i16   35 max timestamp i64    51 producer epoch i16
//      follows this field)                         23 last offset delta i32                    53 base sequence i32
//   57 record count i32      61 records, one compressed stream if a codec is set
// The checksum covers everything from byte 21 on, so that base offset and leader epoch can be set without recomputing
// it. Magic 0 and 1 have the same first 12 bytes and the magic at the same place; see legacy.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"

namespace stele::record {

inline constexpr size_t kBatchHeaderSize = 61;  // of magic 2
inline constexpr size_t kLogOverhead = 12;      // base offset and length, before what `length` counts
inline constexpr size_t kUpToMagicSize = 17;    // bytes that must be there to know the magic
inline constexpr size_t kLegacyHeaderSizeV0 = 26;
inline constexpr size_t kLegacyHeaderSizeV1 = 34;
inline constexpr int8_t kMagic2 = 2;
inline constexpr int32_t kNoSequence = -1;

// Byte positions in a magic 2 header that are patched by others than this layer.
inline constexpr size_t kLengthAt = 8;
inline constexpr size_t kLeaderEpochAt = 12;
inline constexpr size_t kMagicAt = 16;
inline constexpr size_t kCrcAt = 17;
inline constexpr size_t kCrcStart = 21;

// Bits 0-2 of the attributes. A batch of an untrusted peer can hold 5 to 7, which is no codec: see is_known.
enum class Codec : uint8_t { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };
constexpr bool is_known(Codec codec) { return static_cast<uint8_t>(codec) <= 4; }
// "none", "gzip", ... as `compression.type` names them; "unknown" for 5 to 7.
std::string_view codec_name(Codec codec);
// The inverse; nothing for "producer" and unknown names.
std::optional<Codec> codec_of(std::string_view name);

enum class TimestampType : uint8_t { kCreateTime = 0, kLogAppendTime = 1 };

inline constexpr uint16_t kCodecMask = 0x07;
inline constexpr uint16_t kTimestampTypeBit = 0x08;
inline constexpr uint16_t kTransactionalBit = 0x10;
inline constexpr uint16_t kControlBit = 0x20;
inline constexpr uint16_t kDeleteHorizonBit = 0x40;
inline constexpr uint16_t kKnownAttributeBits = 0x7f;

// Sequence numbers wrap from 2^31-1 to 0, as Kafka's DefaultRecordBatch.incrementSequence does.
int32_t add_to_sequence(int32_t sequence, int32_t count);

// Fields of one batch, read in place. Does not own the bytes, checks nothing but what open() names.
class BatchView {
 public:
  // `bytes` starts with a batch and holds at least its header: kBatchHeaderSize for magic 2, less for 0 and 1. The view
  // covers the batch alone where it is there in full, else what is there (is_whole() is then false).
  // kCorruptMessage: fewer bytes than a header, a length that cannot be, a magic other than 0, 1, 2.
  static base::Result<BatchView> open(base::Bytes bytes);

  base::Bytes bytes() const { return bytes_; }
  // Bytes of the whole batch as its length field tells them; always positive.
  size_t size() const { return kLogOverhead + static_cast<size_t>(load<int32_t>(kLengthAt)); }
  bool is_whole() const { return bytes_.size() == size(); }
  int8_t magic() const { return load<int8_t>(kMagicAt); }
  bool is_legacy() const { return magic() < kMagic2; }

  // Magic 0 and 1: the offset in the header, which for a compressed wrapper is that of its last record.
  base::Offset base_offset() const { return base::Offset{load<int64_t>(0)}; }
  base::Offset last_offset() const { return base_offset() + (is_legacy() ? 0 : int64_t{last_offset_delta()}); }
  base::Offset next_offset() const { return last_offset() + 1; }
  base::LeaderEpoch leader_epoch() const {
    return is_legacy() ? base::kNoLeaderEpoch : base::LeaderEpoch{load<int32_t>(kLeaderEpochAt)};
  }
  uint32_t crc() const { return load<uint32_t>(is_legacy() ? 12 : kCrcAt); }
  // Requires is_whole(): a cut batch is never valid.
  bool crc_valid() const;

  uint16_t attributes() const { return is_legacy() ? load<uint8_t>(17) : load<uint16_t>(21); }
  Codec codec() const { return static_cast<Codec>(attributes() & kCodecMask); }
  bool is_compressed() const { return codec() != Codec::kNone; }
  TimestampType timestamp_type() const {
    return (attributes() & kTimestampTypeBit) != 0 ? TimestampType::kLogAppendTime : TimestampType::kCreateTime;
  }
  bool is_transactional() const { return !is_legacy() && (attributes() & kTransactionalBit) != 0; }
  bool is_control() const { return !is_legacy() && (attributes() & kControlBit) != 0; }
  bool has_delete_horizon() const { return !is_legacy() && (attributes() & kDeleteHorizonBit) != 0; }
  // When tombstones and markers of this batch may go; set by the cleaner in place of the base timestamp.
  std::optional<base::Timestamp> delete_horizon() const;

  int32_t last_offset_delta() const { return is_legacy() ? 0 : load<int32_t>(23); }
  base::Timestamp base_timestamp() const {
    return base::Timestamp{is_legacy() ? legacy_timestamp() : load<int64_t>(27)};
  }
  base::Timestamp max_timestamp() const {
    return base::Timestamp{is_legacy() ? legacy_timestamp() : load<int64_t>(35)};
  }
  base::ProducerId producer_id() const {
    return is_legacy() ? base::kNoProducerId : base::ProducerId{load<int64_t>(43)};
  }
  base::ProducerEpoch producer_epoch() const {
    return is_legacy() ? base::kNoProducerEpoch : base::ProducerEpoch{load<int16_t>(51)};
  }
  bool has_producer() const { return producer_id() > base::kNoProducerId; }
  int32_t base_sequence() const { return is_legacy() ? kNoSequence : load<int32_t>(53); }
  // kNoSequence where the batch has none.
  int32_t last_sequence() const;
  // As the header says; -1 for magic 0 and 1, which do not say it.
  int32_t record_count() const { return is_legacy() ? -1 : load<int32_t>(57); }
  // What follows the header, compressed or not. Requires is_whole() and magic 2.
  base::Bytes payload() const { return bytes_.subspan(kBatchHeaderSize); }

 private:
  explicit BatchView(base::Bytes bytes) : bytes_(bytes) {}
  template <class T>
  T load(size_t at) const {
    return base::load_be<T>(bytes_.data() + at);
  }
  int64_t legacy_timestamp() const { return magic() == 0 ? -1 : load<int64_t>(18); }

  base::Bytes bytes_;
};

// How a walk over batches ended.
enum class BatchEnd : uint8_t {
  kNotYet,     // more may follow
  kClean,      // exactly behind the last batch
  kCut,        // the bytes end inside a batch
  kBadLength,  // a length that no batch can have: too small for its header, or over the limit
  kBadMagic,
};

// Walks over consecutive batches, as a Fetch answer, a Produce request or a piece of a segment holds them.
class BatchReader {
 public:
  // `batch_bytes_max`: a batch longer than that is kBadLength, not kCut.
  explicit BatchReader(base::Bytes bytes, size_t batch_bytes_max = INT32_MAX)
      : bytes_(bytes), batch_bytes_max_(batch_bytes_max) {}

  // The next whole batch; nothing at the end, clean or cut (end() tells); kCorruptMessage for a bad length or magic,
  // and then for ever.
  base::Result<std::optional<BatchView>> next();
  BatchEnd end() const { return end_; }
  // Bytes of whole batches handed out so far: where the next batch starts, or the cut or bad one.
  size_t position() const { return position_; }

 private:
  base::Bytes bytes_;
  size_t batch_bytes_max_;
  size_t position_ = 0;
  BatchEnd end_ = BatchEnd::kNotYet;
};

// Patching a whole magic 2 batch in place. The caller has opened `batch` as a BatchView before and it is_whole().
// Outside the checksum:
void set_base_offset(base::MutableBytes batch, base::Offset offset);
void set_leader_epoch(base::MutableBytes batch, base::LeaderEpoch epoch);
// Inside it: sets the timestamp type bit and the max timestamp, then the checksum anew. Nothing is written where both
// already are so (Kafka's setMaxTimestamp).
void set_max_timestamp(base::MutableBytes batch, TimestampType type, base::Timestamp timestamp);
// Computes the checksum over what is there now.
void update_crc(base::MutableBytes batch);

}  // namespace stele::record
