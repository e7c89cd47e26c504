#include "record/legacy.h"

#include <algorithm>
#include <array>

namespace stele::record {

using base::ErrorCode;

namespace {

// Reads exactly what `out` holds; false at the end of the stream.
bool read_exactly(PieceSource& source, base::MutableBytes out) {
  while (!out.empty()) {
    const base::Bytes here = source.peek();
    if (here.empty()) return false;
    const size_t step = std::min(here.size(), out.size());
    std::ranges::copy(here.first(step), out.begin());
    source.take(step);
    out = out.subspan(step);
  }
  return true;
}

struct InnerHeader {
  int64_t offset = 0;
  size_t length = 0;
};

// The offset and the length of the next message inside a wrapper; nothing at the end.
base::Result<std::optional<InnerHeader>> read_inner_header(PieceSource& source, const base::Error& fault) {
  std::array<std::byte, kLogOverhead> header;
  if (!read_exactly(source, header)) {
    if (source.failed()) return fault;
    return std::optional<InnerHeader>{};
  }
  const auto length = base::load_be<int32_t>(header.data() + kLengthAt);
  if (length < static_cast<int32_t>(kLegacyHeaderSizeV0 - kLogOverhead)) {
    return {ErrorCode::kCorruptMessage, fmt::format("a message inside a wrapper has length {}", length)};
  }
  return std::optional<InnerHeader>{{base::load_be<int64_t>(header.data()), static_cast<size_t>(length)}};
}

// A length and as many bytes; advances `rest`. -1 is null.
base::Result<NullableBytes> read_field(base::Bytes& rest) {
  if (rest.size() < sizeof(int32_t)) return {ErrorCode::kCorruptMessage, "a message is cut"};
  const auto length = base::load_be<int32_t>(rest.data());
  rest = rest.subspan(sizeof(int32_t));
  if (length < 0) return NullableBytes{};
  if (static_cast<size_t>(length) > rest.size()) {
    return {ErrorCode::kCorruptMessage, fmt::format("a message has a field of {} bytes in {}", length, rest.size())};
  }
  const base::Bytes field = rest.first(static_cast<size_t>(length));
  rest = rest.subspan(field.size());
  return NullableBytes{field};
}

base::Result<RecordView> read_message(const BatchView& message) {
  RecordView record;
  record.offset = message.base_offset();
  record.timestamp = message.max_timestamp();
  record.attributes = static_cast<uint8_t>(message.attributes());
  record.size = message.size();
  const size_t header = message.magic() == 0 ? kLegacyHeaderSizeV0 : kLegacyHeaderSizeV1;
  base::Bytes rest = message.bytes().subspan(header - 2 * sizeof(int32_t));
  STELE_TRY_ASSIGN(record.key, read_field(rest));
  STELE_TRY_ASSIGN(record.value, read_field(rest));
  return record;
}

}  // namespace

base::Result<std::optional<RecordView>> LegacyReader::next() {
  if (done_) return std::optional<RecordView>{};
  if (source_) return next_inner();
  STELE_TRY_ASSIGN(const RecordView record, read_message(message_));
  if (!message_.is_compressed()) {
    done_ = true;
    return std::optional<RecordView>{record};
  }
  if (message_.codec() == Codec::kZstd) return {ErrorCode::kInvalidRecord, "an old message is compressed with zstd"};
  if (!record.value) return {ErrorCode::kInvalidRecord, "a wrapper of messages has no value"};
  STELE_TRY(open_wrapper(*record.value));
  return next_inner();
}

base::Result<void> LegacyReader::open_wrapper(base::Bytes wrapped) {
  if (message_.magic() == 1) {
    STELE_TRY_ASSIGN(inner_base_, first_offset_of_wrapper(wrapped));
  }
  STELE_TRY(decompressor_.start(message_.codec(), wrapped, message_.magic()));
  source_.emplace(decompressor_, fault_);
  return {};
}

base::Result<int64_t> LegacyReader::first_offset_of_wrapper(base::Bytes wrapped) {
  STELE_TRY(decompressor_.start(message_.codec(), wrapped, message_.magic()));
  base::Error fault;
  PieceSource source{decompressor_, fault};
  std::optional<int64_t> last;
  while (true) {
    STELE_TRY_ASSIGN(const std::optional<InnerHeader> header, read_inner_header(source, fault));
    if (!header || !source.skip(header->length)) break;
    last = header->offset;
  }
  if (source.failed()) return fault;
  if (!last) return {ErrorCode::kInvalidRecord, "a wrapper holds no messages"};
  // Some old librdkafka left the wrapper's offset at 0: the offsets inside are then absolute.
  const int64_t outer = message_.base_offset().value();
  if (outer == 0) return int64_t{0};
  if (outer < *last) {
    return {ErrorCode::kInvalidRecord, fmt::format("a wrapper has offset {}, the last message in it {}", outer, *last)};
  }
  return outer - *last;
}

base::Result<std::optional<RecordView>> LegacyReader::next_inner() {
  const bool first = gathered_.empty();
  STELE_TRY_ASSIGN(const std::optional<InnerHeader> header, read_inner_header(*source_, fault_));
  if (header) {
    gathered_.assign(kLogOverhead, std::byte{0});
    // The buffer grows with the bytes that arrive, never with the length that is claimed.
    while (gathered_.size() < kLogOverhead + header->length) {
      const base::Bytes piece = source_->peek();
      if (piece.empty()) break;
      const size_t step = std::min(kLogOverhead + header->length - gathered_.size(), piece.size());
      base::append(gathered_, piece.first(step));
      source_->take(step);
    }
    if (source_->failed()) return fault_;
  }
  if (!header || gathered_.size() < kLogOverhead + header->length) {
    done_ = true;
    if (first) return {ErrorCode::kInvalidRecord, "a wrapper holds no messages"};
    return std::optional<RecordView>{};
  }
  const auto offset = static_cast<uint64_t>(inner_base_) + static_cast<uint64_t>(header->offset);
  base::store_be(gathered_.data(), static_cast<int64_t>(offset));
  base::store_be(gathered_.data() + kLengthAt, static_cast<int32_t>(header->length));
  STELE_TRY_ASSIGN(const BatchView inner, BatchView::open(gathered_));
  if (!inner.is_legacy()) return {ErrorCode::kCorruptMessage, "a batch of magic 2 lies inside an old wrapper"};
  if (inner.is_compressed()) return {ErrorCode::kInvalidRecord, "a message inside a wrapper is compressed"};
  STELE_TRY_ASSIGN(RecordView record, read_message(inner));
  const bool append_time = message_.timestamp_type() == TimestampType::kLogAppendTime;
  if (inner.magic() == 1 && message_.magic() == 1 && append_time) record.timestamp = message_.max_timestamp();
  return std::optional<RecordView>{record};
}

}  // namespace stele::record
