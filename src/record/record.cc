#include "record/record.h"

#include "base/varint.h"

namespace stele::record {

using base::ErrorCode;

namespace {

// Reads forward in a record; `ok` turns false at the first thing that does not fit, and stays so.
struct Cursor {
  base::Bytes rest;
  bool ok = true;

  void take(size_t used) {
    if (used == 0) {
      ok = false;
    } else {
      rest = rest.subspan(used);
    }
  }
  int32_t varint() {
    int32_t value = 0;
    if (ok) take(base::read_varint(rest, value));
    return value;
  }
  int64_t varlong() {
    int64_t value = 0;
    if (ok) take(base::read_varlong(rest, value));
    return value;
  }
  uint8_t byte() {
    if (rest.empty()) ok = false;
    if (!ok) return 0;
    const auto value = std::to_integer<uint8_t>(rest.front());
    rest = rest.subspan(1);
    return value;
  }
  NullableBytes bytes(int32_t length) {
    if (!ok || length < 0) return std::nullopt;
    if (static_cast<size_t>(length) > rest.size()) {
      ok = false;
      return std::nullopt;
    }
    const base::Bytes value = rest.first(static_cast<size_t>(length));
    rest = rest.subspan(static_cast<size_t>(length));
    return value;
  }
  NullableBytes bytes() { return bytes(varint()); }
};

base::Error invalid(std::string text) { return {ErrorCode::kInvalidRecord, std::move(text)}; }

// Walks over coded headers; an empty sentence if they are sound.
std::string_view check_headers(Cursor& body, int32_t count) {
  for (int32_t i = 0; i < count && body.ok; ++i) {
    const int32_t key_length = body.varint();
    if (body.ok && key_length < 0) return "a record header has a negative key length";
    body.bytes(key_length);
    body.bytes();
  }
  return {};
}

}  // namespace

bool HeadersView::next(HeaderView& header) {
  if (given_ == count_) return false;
  ++given_;
  Cursor cursor{coded_.subspan(position_)};
  header.key = cursor.bytes().value_or(base::Bytes{});
  header.value = cursor.bytes();
  position_ = coded_.size() - cursor.rest.size();
  return true;
}

RecordContext RecordContext::of(const BatchView& batch) {
  RecordContext context{batch.base_offset(), batch.base_timestamp(), batch.base_sequence(), std::nullopt};
  if (batch.timestamp_type() == TimestampType::kLogAppendTime) context.append_time = batch.max_timestamp();
  return context;
}

base::Result<RecordView> read_record(base::Bytes bytes, const RecordContext& context) {
  int32_t length = 0;
  const size_t prefix = base::read_varint(bytes, length);
  if (prefix == 0) {
    if (bytes.size() < base::kMaxVarint32) return invalid("a batch ends inside the length of a record");
    return {ErrorCode::kUnknownServerError, "the length of a record is no number of 32 bits"};
  }
  if (length < 0 || static_cast<size_t>(length) > bytes.size() - prefix) {
    return invalid(fmt::format("a record has length {}, but {} bytes are left", length, bytes.size() - prefix));
  }
  const auto body = static_cast<size_t>(length);
  return read_record_body(bytes.subspan(prefix, body), prefix + body, context);
}

base::Result<RecordView> read_record_body(base::Bytes bytes, size_t size, const RecordContext& context) {
  Cursor body{bytes};
  RecordView record;
  record.size = size;
  record.attributes = body.byte();
  record.timestamp_delta = body.varlong();
  record.offset_delta = body.varint();
  record.key = body.bytes();
  record.value = body.bytes();
  const int32_t header_count = body.varint();
  if (body.ok && (header_count < 0 || static_cast<size_t>(header_count) > body.rest.size())) {
    return invalid(fmt::format("a record has {} headers in {} bytes", header_count, body.rest.size()));
  }
  const base::Bytes headers = body.rest;
  if (const std::string_view fault = check_headers(body, header_count); !fault.empty())
    return invalid(std::string{fault});
  if (!body.ok) return invalid("a record ends inside one of its fields");
  if (!body.rest.empty()) return invalid(fmt::format("a record has {} bytes behind its headers", body.rest.size()));
  record.headers = HeadersView{header_count, headers};
  // Deltas of an untrusted peer may overflow: they wrap, as Java's arithmetic does.
  const auto timestamp =
      static_cast<uint64_t>(context.base_timestamp.value()) + static_cast<uint64_t>(record.timestamp_delta);
  record.timestamp = context.append_time.value_or(base::Timestamp{static_cast<int64_t>(timestamp)});
  const auto offset = static_cast<uint64_t>(context.base_offset.value()) +
                      static_cast<uint64_t>(static_cast<int64_t>(record.offset_delta));
  record.offset = base::Offset{static_cast<int64_t>(offset)};
  if (context.base_sequence >= 0) record.sequence = add_to_sequence(context.base_sequence, record.offset_delta);
  return record;
}

base::Result<std::optional<RecordView>> RecordIterator::next() {
  if (left_ < 0) return invalid(fmt::format("a batch counts {} records", left_));
  if (left_ == 0) return std::optional<RecordView>{};
  STELE_TRY_ASSIGN(const RecordView record, read_record(rest_, context_));
  rest_ = rest_.subspan(record.size);
  if (--left_ == 0 && !rest_.empty()) {
    return invalid(fmt::format("a batch has {} bytes behind its last record", rest_.size()));
  }
  return std::optional<RecordView>{record};
}

}  // namespace stele::record
