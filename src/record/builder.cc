#include "record/builder.h"

#include <array>

#include "base/check.h"
#include "base/varint.h"

namespace stele::record {

namespace {

void append_varint(base::ByteVector& out, int32_t value) {
  std::array<std::byte, base::kMaxVarint64> buffer;
  base::append(out, base::Bytes{buffer}.first(base::write_varint(buffer.data(), value)));
}

void append_varlong(base::ByteVector& out, int64_t value) {
  std::array<std::byte, base::kMaxVarint64> buffer;
  base::append(out, base::Bytes{buffer}.first(base::write_varlong(buffer.data(), value)));
}

void append_nullable(base::ByteVector& out, const NullableBytes& bytes) {
  append_varint(out, bytes ? static_cast<int32_t>(bytes->size()) : -1);
  if (bytes) base::append(out, *bytes);
}

size_t nullable_size(const NullableBytes& bytes) {
  return bytes ? base::varint_size(static_cast<int32_t>(bytes->size())) + bytes->size() : base::varint_size(-1);
}

}  // namespace

// Headers of a record to be written: either a list, or coded already.
struct BatchBuilder::Coded {
  int32_t count = 0;
  std::span<const HeaderView> list;
  base::Bytes coded;

  size_t size() const {
    size_t sum = base::varint_size(count) + coded.size();
    for (const HeaderView& header : list) sum += nullable_size(header.key) + nullable_size(header.value);
    return sum;
  }
  void append_to(base::ByteVector& out) const {
    append_varint(out, count);
    base::append(out, coded);
    for (const HeaderView& header : list) {
      append_nullable(out, header.key);
      append_nullable(out, header.value);
    }
  }
};

BatchBuilder::BatchBuilder(const BatchOptions& options) : options_(options), bytes_(kBatchHeaderSize) {
  STELE_CHECK(is_known(options.codec));
  if (options_.delete_horizon) base_timestamp_ = *options_.delete_horizon;
}

void BatchBuilder::add(const NewRecord& record) {
  add_at(count_ == 0 ? options_.base_offset : last_offset_ + 1, record);
}

void BatchBuilder::add_at(base::Offset offset, const NewRecord& record) {
  put(offset, record.timestamp, record.key, record.value,
      Coded{static_cast<int32_t>(record.headers.size()), record.headers, {}});
}

void BatchBuilder::add_at(base::Offset offset, const RecordView& record) {
  put(offset, record.timestamp, record.key, record.value, Coded{record.headers.count(), {}, record.headers.coded()});
}

void BatchBuilder::put(base::Offset offset, base::Timestamp timestamp, const NullableBytes& key,
                       const NullableBytes& value, const Coded& headers) {
  STELE_CHECK(count_ == 0 || offset > last_offset_, "offset {} after {}", offset.value(), last_offset_.value());
  const int64_t offset_delta = offset - options_.base_offset;
  STELE_CHECK(offset_delta >= 0 && offset_delta <= INT32_MAX, "offset delta {}", offset_delta);
  if (count_ == 0 && !options_.delete_horizon) base_timestamp_ = timestamp;
  const auto timestamp_delta =
      static_cast<int64_t>(static_cast<uint64_t>(timestamp.value()) - static_cast<uint64_t>(base_timestamp_.value()));
  const size_t body = 1 + base::varlong_size(timestamp_delta) + base::varint_size(static_cast<int32_t>(offset_delta)) +
                      nullable_size(key) + nullable_size(value) + headers.size();
  append_varint(bytes_, static_cast<int32_t>(body));
  bytes_.push_back(std::byte{0});
  append_varlong(bytes_, timestamp_delta);
  append_varint(bytes_, static_cast<int32_t>(offset_delta));
  append_nullable(bytes_, key);
  append_nullable(bytes_, value);
  headers.append_to(bytes_);
  ++count_;
  last_offset_ = offset;
  max_timestamp_ = std::max(max_timestamp_, timestamp);
}

base::Timestamp BatchBuilder::max_timestamp() const {
  return options_.timestamp_type == TimestampType::kLogAppendTime ? options_.append_time : max_timestamp_;
}

void BatchBuilder::set_last_offset(base::Offset offset) {
  STELE_CHECK(count_ > 0 && offset >= last_offset_);
  last_offset_ = offset;
}

void BatchBuilder::write_header() {
  auto attributes = static_cast<uint16_t>(options_.codec);
  if (options_.timestamp_type == TimestampType::kLogAppendTime) attributes |= kTimestampTypeBit;
  if (options_.is_transactional) attributes |= kTransactionalBit;
  if (options_.is_control) attributes |= kControlBit;
  if (options_.delete_horizon) attributes |= kDeleteHorizonBit;
  STELE_CHECK(bytes_.size() <= INT32_MAX, "a batch of {} bytes", bytes_.size());
  std::byte* at = bytes_.data();
  base::store_be(at, options_.base_offset.value());
  base::store_be(at + kLengthAt, static_cast<int32_t>(bytes_.size() - kLogOverhead));
  base::store_be(at + kLeaderEpochAt, options_.leader_epoch.value());
  base::store_be(at + kMagicAt, kMagic2);
  base::store_be(at + 21, attributes);
  base::store_be(at + 23, static_cast<int32_t>(last_offset_ - options_.base_offset));
  base::store_be(at + 27, base_timestamp_.value());
  base::store_be(at + 35, max_timestamp().value());
  base::store_be(at + 43, options_.producer_id.value());
  base::store_be(at + 51, options_.producer_epoch.value());
  base::store_be(at + 53, options_.base_sequence);
  base::store_be(at + 57, count_);
  update_crc(bytes_);
}

base::ByteVector BatchBuilder::build() && {
  if (count_ == 0) return {};
  if (options_.codec != Codec::kNone) {
    base::ByteVector compressed(kBatchHeaderSize);
    compress(options_.codec, options_.level, base::Bytes{bytes_}.subspan(kBatchHeaderSize), compressed);
    bytes_ = std::move(compressed);
  }
  write_header();
  return std::move(bytes_);
}

}  // namespace stele::record
