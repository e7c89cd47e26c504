#include "record/batch.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/crc32c.h"

namespace stele::record {

using base::ErrorCode;

std::string_view codec_name(Codec codec) {
  switch (codec) {
    case Codec::kNone:
      return "none";
    case Codec::kGzip:
      return "gzip";
    case Codec::kSnappy:
      return "snappy";
    case Codec::kLz4:
      return "lz4";
    case Codec::kZstd:
      return "zstd";
  }
  return "unknown";
}

std::optional<Codec> codec_of(std::string_view name) {
  for (const Codec codec : {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    if (codec_name(codec) == name) return codec;
  }
  // Kafka's name in configurations for "store without compression".
  if (name == "uncompressed") return Codec::kNone;
  return std::nullopt;
}

int32_t add_to_sequence(int32_t sequence, int32_t count) {
  constexpr int64_t kRange = int64_t{std::numeric_limits<int32_t>::max()} + 1;
  const int64_t sum = int64_t{sequence} + count;
  return static_cast<int32_t>(sum >= kRange ? sum - kRange : sum);
}

namespace {

size_t header_size(int8_t magic) {
  switch (magic) {
    case 0:
      return kLegacyHeaderSizeV0;
    case 1:
      return kLegacyHeaderSizeV1;
    default:
      return kBatchHeaderSize;
  }
}

bool is_magic(int8_t magic) { return magic >= 0 && magic <= kMagic2; }

}  // namespace

base::Result<BatchView> BatchView::open(base::Bytes bytes) {
  if (bytes.size() < kUpToMagicSize) return {ErrorCode::kCorruptMessage, "a batch is cut inside its header"};
  const BatchView view{bytes};
  if (!is_magic(view.magic())) {
    return {ErrorCode::kCorruptMessage, fmt::format("a batch has magic {}, which is none of 0, 1, 2", view.magic())};
  }
  const size_t header = header_size(view.magic());
  const auto length = base::load_be<int32_t>(bytes.data() + kLengthAt);
  if (length < 0 || kLogOverhead + static_cast<size_t>(length) < header) {
    return {ErrorCode::kCorruptMessage, fmt::format("a batch has length {}, less than its header", length)};
  }
  if (bytes.size() < header) return {ErrorCode::kCorruptMessage, "a batch is cut inside its header"};
  return BatchView{bytes.first(std::min(bytes.size(), view.size()))};
}

bool BatchView::crc_valid() const {
  if (!is_whole()) return false;
  if (!is_legacy()) return base::crc32c(bytes_.subspan(kCrcStart)) == crc();
  const base::Bytes covered = bytes_.subspan(kMagicAt);
  const auto* data = reinterpret_cast<const Bytef*>(covered.data());
  return ::crc32(0, data, static_cast<uInt>(covered.size())) == crc();
}

std::optional<base::Timestamp> BatchView::delete_horizon() const {
  if (!has_delete_horizon()) return std::nullopt;
  return base_timestamp();
}

int32_t BatchView::last_sequence() const {
  const int32_t first = base_sequence();
  return first == kNoSequence ? kNoSequence : add_to_sequence(first, last_offset_delta());
}

base::Result<std::optional<BatchView>> BatchReader::next() {
  const base::Bytes rest = bytes_.subspan(position_);
  if (rest.empty()) {
    end_ = BatchEnd::kClean;
    return std::optional<BatchView>{};
  }
  if (rest.size() >= kLogOverhead) {
    const auto length = base::load_be<int32_t>(rest.data() + kLengthAt);
    // Magic 0 has the shortest header; the exact bound is checked once the magic is known.
    const bool possible = length >= static_cast<int32_t>(kLegacyHeaderSizeV0 - kLogOverhead) &&
                          static_cast<size_t>(length) + kLogOverhead <= batch_bytes_max_;
    if (!possible) {
      end_ = BatchEnd::kBadLength;
      return {ErrorCode::kCorruptMessage, fmt::format("a batch at byte {} has length {}", position_, length)};
    }
  }
  if (rest.size() < kUpToMagicSize) {
    end_ = BatchEnd::kCut;
    return std::optional<BatchView>{};
  }
  const auto magic = base::load_be<int8_t>(rest.data() + kMagicAt);
  const size_t size = kLogOverhead + static_cast<size_t>(base::load_be<int32_t>(rest.data() + kLengthAt));
  if (is_magic(magic) && size >= header_size(magic) && rest.size() < size) {
    end_ = BatchEnd::kCut;
    return std::optional<BatchView>{};
  }
  base::Result<BatchView> view = BatchView::open(rest);
  if (!view.ok()) {
    end_ = is_magic(magic) ? BatchEnd::kBadLength : BatchEnd::kBadMagic;
    return {view.code(), fmt::format("at byte {}: {}", position_, view.error().message)};
  }
  position_ += view->size();
  return std::optional<BatchView>{*view};
}

void set_base_offset(base::MutableBytes batch, base::Offset offset) { base::store_be(batch.data(), offset.value()); }

void set_leader_epoch(base::MutableBytes batch, base::LeaderEpoch epoch) {
  STELE_CHECK(batch.size() >= kBatchHeaderSize);
  base::store_be(batch.data() + kLeaderEpochAt, epoch.value());
}

void set_max_timestamp(base::MutableBytes batch, TimestampType type, base::Timestamp timestamp) {
  STELE_CHECK(batch.size() >= kBatchHeaderSize);
  const auto attributes = base::load_be<uint16_t>(batch.data() + 21);
  const uint16_t type_bit = type == TimestampType::kLogAppendTime ? kTimestampTypeBit : 0;
  if ((attributes & kTimestampTypeBit) == type_bit && base::load_be<int64_t>(batch.data() + 35) == timestamp.value()) {
    return;
  }
  // Kafka writes the attributes anew from what it knows of them: unknown bits do not survive a rewrite.
  const auto kept = attributes & kKnownAttributeBits & ~kTimestampTypeBit;
  base::store_be(batch.data() + 21, static_cast<uint16_t>(kept | type_bit));
  base::store_be(batch.data() + 35, timestamp.value());
  update_crc(batch);
}

void update_crc(base::MutableBytes batch) {
  STELE_CHECK(batch.size() >= kBatchHeaderSize);
  base::store_be(batch.data() + kCrcAt, base::crc32c(batch.subspan(kCrcStart)));
}

}  // namespace stele::record
