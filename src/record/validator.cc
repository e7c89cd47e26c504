#include "record/validator.h"

#include <algorithm>

#include "base/check.h"
#include "base/varint.h"
#include "record/builder.h"
#include "record/reader.h"
#include "record/record.h"
#include "record/record_rules.h"

namespace stele::record {

using base::ErrorCode;

namespace {

std::unexpected<Rejection> reject(ErrorCode code, std::string message) {
  return std::unexpected(Rejection{code, std::move(message), {}, false});
}

std::unexpected<Rejection> reject(base::Error error) { return reject(error.code, std::move(error.message)); }

int32_t size_of(const NullableBytes& bytes) { return bytes ? static_cast<int32_t>(bytes->size()) : -1; }

RecordFacts facts_of(const RecordView& record) {
  return {record.offset.value(), record.timestamp, size_of(record.key), size_of(record.value)};
}

// What Kafka's broker checks before it looks into a Produce request's batch (ProduceRequest.validateRecords): a single
// batch of magic 2, of a codec that this version of the request knows.
std::expected<BatchView, Rejection> only_batch(base::Bytes records, const AppendRules& rules) {
  const auto version = rules.produce_version;
  BatchReader reader{records};
  const base::Result<std::optional<BatchView>> first = reader.next();
  if (!first.ok()) return reject(first.error());
  if (!*first) {
    return reject(
        ErrorCode::kInvalidRecord,
        fmt::format("Produce requests with version {} must have at least one record batch per partition", version));
  }
  const BatchView batch = **first;
  if (batch.magic() != kMagic2) {
    return reject(
        ErrorCode::kInvalidRecord,
        fmt::format("Produce requests with version {} are only allowed to contain record batches with magic version 2",
                    version));
  }
  constexpr int16_t kFirstVersionWithZstd = 7;
  if (version < kFirstVersionWithZstd && batch.codec() == Codec::kZstd) {
    return reject(
        ErrorCode::kUnsupportedCompressionType,
        fmt::format("Produce requests with version {} are not allowed to use ZStandard compression", version));
  }
  const base::Result<std::optional<BatchView>> second = reader.next();
  if (!second.ok()) return reject(second.error());
  if (*second) {
    return reject(
        ErrorCode::kInvalidRecord,
        fmt::format("Produce requests with version {} are only allowed to contain exactly one record batch per "
                    "partition",
                    version));
  }
  return batch;
}

// UnifiedLog.analyzeAndValidateRecords, in its order.
std::optional<Rejection> check_whole(const BatchView& batch, const AppendRules& rules) {
  if (rules.origin == AppendOrigin::kClient && batch.base_offset() != base::Offset{0}) {
    return Rejection{ErrorCode::kInvalidRecord,
                     fmt::format("The baseOffset of the record batch in the append to {} should be 0, but it is {}",
                                 rules.partition, batch.base_offset().value()),
                     {}};
  }
  if (batch.size() > rules.batch_bytes_max) {
    return Rejection{ErrorCode::kMessageTooLarge,
                     fmt::format("The record batch size in the append to {} is {} bytes which exceeds the maximum "
                                 "configured value of {}.",
                                 rules.partition, batch.size(), rules.batch_bytes_max),
                     {}};
  }
  if (!batch.crc_valid()) {
    return Rejection{
        ErrorCode::kCorruptMessage,
        fmt::format("Record is corrupt (stored crc = {}) in topic partition {}.", batch.crc(), rules.partition),
        {}};
  }
  if (!is_known(batch.codec())) {
    return Rejection{ErrorCode::kUnknownServerError,
                     fmt::format("Unknown compression type id: {}", static_cast<int>(batch.codec())),
                     {}};
  }
  return std::nullopt;
}

// LogValidator.validateBatch.
std::optional<std::string> fault_of_client_header(const BatchView& batch, std::string_view partition) {
  const int64_t span = int64_t{batch.last_offset_delta()} + 1;
  if (span <= 0) {
    return fmt::format("Batch has an invalid offset range: [{}, {}] in topic partition {}", batch.base_offset().value(),
                       batch.last_offset().value(), partition);
  }
  if (batch.record_count() <= 0) {
    return fmt::format("Invalid reported count for record batch: {} in topic partition {}", batch.record_count(),
                       partition);
  }
  if (span != batch.record_count()) {
    return fmt::format("Inconsistent batch offset range [{}, {}] and count of records {} in topic partition {}",
                       batch.base_offset().value(), batch.last_offset().value(), batch.record_count(), partition);
  }
  if (batch.is_control()) {
    return fmt::format("Clients are not allowed to write control records in topic partition {}", partition);
  }
  if (batch.has_producer() && batch.base_sequence() < 0) {
    return fmt::format("Invalid sequence number {} in record batch with producerId {} in topic partition {}",
                       batch.base_sequence(), batch.producer_id().value(), partition);
  }
  return std::nullopt;
}

// A varint in [at, end), most of which have one byte. Null where it is cut or too long.
template <class Signed>
const std::byte* read_zigzag(const std::byte* at, const std::byte* end, Signed& value) {
  if (at != end && std::to_integer<uint8_t>(*at) < 0x80) {
    const auto raw = std::to_integer<uint8_t>(*at);
    value = static_cast<Signed>(raw >> 1) ^ -static_cast<Signed>(raw & 1);
    return at + 1;
  }
  const base::Bytes rest{at, end};
  size_t used = 0;
  if constexpr (sizeof(Signed) == sizeof(int32_t)) {
    used = base::read_varint(rest, value);
  } else {
    used = base::read_varlong(rest, value);
  }
  return used == 0 ? nullptr : at + used;
}

// The common record, without headers and whole in `bytes`, read with as little work as can be. Bytes used; 0 for any
// other, good or bad, which is then to be read with care. `length_counts`: the length field must fit (see scan_record).
size_t read_plain_record(base::Bytes bytes, const RecordContext& context, bool length_counts, RecordFacts& facts) {
  const std::byte* end = bytes.data() + bytes.size();
  int32_t length = 0;
  const std::byte* body = read_zigzag(bytes.data(), end, length);
  if (body == nullptr || body == end) return 0;
  int64_t timestamp_delta = 0;
  int32_t offset_delta = 0;
  const std::byte* at = read_zigzag(body + 1, end, timestamp_delta);
  if (at == nullptr) return 0;
  at = read_zigzag(at, end, offset_delta);
  for (int32_t* size : {&facts.key_size, &facts.value_size}) {
    if (at == nullptr) return 0;
    at = read_zigzag(at, end, *size);
    if (at == nullptr || *size > end - at) return 0;
    at += std::max(*size, 0);
  }
  if (at == end || *at != std::byte{0}) return 0;
  ++at;
  if (length_counts && at - body != length) return 0;
  facts.timestamp =
      context.append_time.value_or(base::Timestamp{wrapping_add(context.base_timestamp.value(), timestamp_delta)});
  facts.offset = wrapping_add(context.base_offset.value(), offset_delta);
  return static_cast<size_t>(at - bytes.data());
}

// Reads one record of a compressed batch without keeping its bytes (DefaultRecord.readPartiallyFrom): its length field
// and what lies between its headers and the next record are not compared, which is why the deltas are.
bool scan_record(PieceSource& source, const RecordContext& context, RecordFacts& facts, std::string_view& fault) {
  fault = "a compressed batch ends inside a record";
  int32_t length = 0;
  if (!source.varint(length)) return false;
  source.get();  // attributes; at the end of the stream the next read fails
  int64_t timestamp_delta = 0;
  int32_t offset_delta = 0;
  if (!source.varlong(timestamp_delta) || !source.varint(offset_delta)) return false;
  facts.timestamp =
      context.append_time.value_or(base::Timestamp{wrapping_add(context.base_timestamp.value(), timestamp_delta)});
  facts.offset = wrapping_add(context.base_offset.value(), offset_delta);
  const auto skip_bytes = [&source](int32_t& size) {
    return source.varint(size) && source.skip(static_cast<size_t>(std::max(size, 0)));
  };
  if (!skip_bytes(facts.key_size) || !skip_bytes(facts.value_size)) return false;
  int32_t header_count = 0;
  if (!source.varint(header_count)) return false;
  if (header_count < 0) {
    fault = "a record has a negative number of headers";
    return false;
  }
  for (int32_t i = 0; i < header_count; ++i) {
    int32_t size = 0;
    if (!source.varint(size)) return false;
    if (size < 0) {
      fault = "a record header has a negative key length";
      return false;
    }
    if (!source.skip(static_cast<size_t>(size)) || !skip_bytes(size)) return false;
  }
  return true;
}

std::optional<Rejection> scan_compressed(const BatchView& batch, RecordRules& rules, Decompressor& decompressor) {
  base::Error broken;
  if (base::Result<void> started = decompressor.start(batch.codec(), batch.payload()); !started.ok()) {
    return Rejection{started.error().code, started.error().message, {}};
  }
  PieceSource source{decompressor, broken};
  const RecordContext context = RecordContext::of(batch);
  for (int32_t i = 0; i < batch.record_count(); ++i) {
    RecordFacts facts;
    if (const size_t used = read_plain_record(source.peek(), context, false, facts); used != 0) {
      source.take(used);
      rules.check(facts);
      continue;
    }
    std::string_view fault;
    if (!scan_record(source, context, facts, fault)) {
      if (source.failed()) return Rejection{broken.code, broken.message, {}};
      return Rejection{ErrorCode::kInvalidRecord, std::string{fault}, {}};
    }
    rules.check(facts);
  }
  const bool more = source.get() >= 0;
  if (source.failed()) return Rejection{broken.code, broken.message, {}};
  if (more) return Rejection{ErrorCode::kInvalidRecord, "a compressed batch has bytes behind its last record", {}};
  return std::nullopt;
}

// The records of an uncompressed batch: what RecordIterator reads, and where it finds fault.
std::optional<Rejection> scan_in_place(const BatchView& batch, RecordRules& rules) {
  const RecordContext context = RecordContext::of(batch);
  base::Bytes rest = batch.payload();
  if (batch.record_count() < 0) {
    return Rejection{ErrorCode::kInvalidRecord, fmt::format("a batch counts {} records", batch.record_count()), {}};
  }
  for (int32_t i = 0; i < batch.record_count(); ++i) {
    RecordFacts facts;
    size_t used = read_plain_record(rest, context, true, facts);
    if (used == 0) {
      const base::Result<RecordView> record = read_record(rest, context);
      if (!record.ok()) return Rejection{record.error().code, record.error().message, {}};
      facts = facts_of(*record);
      used = record->size;
    }
    rest = rest.subspan(used);
    rules.check(facts);
  }
  if (rest.empty()) return std::nullopt;
  return Rejection{
      ErrorCode::kInvalidRecord, fmt::format("a batch has {} bytes behind its last record", rest.size()), {}};
}

// The records of a compressed batch in full, as rebuild() will read them.
std::optional<Rejection> scan_full(const BatchView& batch, RecordRules& rules, Decompressor& decompressor) {
  RecordReader records{batch, decompressor};
  while (true) {
    const base::Result<std::optional<RecordView>> record = records.next();
    if (!record.ok()) return Rejection{record.error().code, record.error().message, {}};
    if (!*record) return std::nullopt;
    rules.check(facts_of(**record));
  }
}

std::optional<Rejection> scan(const BatchView& batch, RecordRules& rules, bool full, Decompressor& decompressor) {
  if (batch.record_count() == 0) return std::nullopt;
  if (!batch.is_compressed()) return scan_in_place(batch, rules);
  return full ? scan_full(batch, rules, decompressor) : scan_compressed(batch, rules, decompressor);
}

// What Kafka's builder refuses to write, although it would have stored it untouched. It answers -1.
std::optional<std::string> fault_of_rebuild(const BatchView& batch, const RecordRules& rules) {
  if (rules.has_negative_timestamp()) return "Invalid negative timestamp";
  if (batch.is_transactional() && batch.producer_id() == base::kNoProducerId) {
    return "Cannot write transactional messages without a valid producer ID";
  }
  if (batch.producer_id() == base::kNoProducerId) return std::nullopt;
  if (batch.producer_epoch() == base::kNoProducerEpoch) return "Invalid negative producer epoch";
  if (batch.base_sequence() < 0) return "Invalid negative sequence number used";
  return std::nullopt;
}

}  // namespace

std::expected<ValidatedBatch, Rejection> validate_append(base::Bytes records, const AppendRules& rules,
                                                         base::Timestamp now, Decompressor& decompressor) {
  auto found = only_batch(records, rules);
  if (!found) {
    found.error().of_request = true;
    return std::unexpected(std::move(found).error());
  }
  const BatchView batch = *found;
  if (auto rejection = check_whole(batch, rules)) return std::unexpected(std::move(*rejection));
  if (rules.origin == AppendOrigin::kClient) {
    if (auto fault = fault_of_client_header(batch, rules.partition)) {
      return reject(ErrorCode::kInvalidRecord, std::move(*fault));
    }
  }
  ValidatedBatch validated;
  validated.bytes = batch.bytes();
  validated.timestamp_type = rules.timestamp_type;
  // Control records stay uncompressed unless they came compressed.
  const bool keeps_codec = !rules.codec || (batch.is_control() && !batch.is_compressed());
  validated.codec = keeps_codec ? batch.codec() : *rules.codec;
  validated.needs_rebuild = validated.codec != batch.codec();

  RecordRules checked{batch, rules, now, batch.is_compressed() && !validated.needs_rebuild};
  auto rejection = scan(batch, checked, validated.needs_rebuild, decompressor);
  decompressor.finish();
  if (rejection) return std::unexpected(std::move(*rejection));
  const bool bad_offsets = batch.is_compressed() && !validated.needs_rebuild && !checked.offsets_are_consecutive();
  const auto rebuild_fault = validated.needs_rebuild ? fault_of_rebuild(batch, checked) : std::nullopt;
  validated.record_count = checked.count();
  const bool append_time = rules.timestamp_type == TimestampType::kLogAppendTime;
  validated.max_timestamp = append_time ? now : checked.max_timestamp();
  if (auto errors = std::move(checked).rejection()) return std::unexpected(std::move(*errors));
  if (bad_offsets) {
    return reject(ErrorCode::kUnknownServerError, "the offsets inside a compressed batch do not count up from 0");
  }
  if (rebuild_fault) return reject(ErrorCode::kUnknownServerError, *rebuild_fault);
  return validated;
}

StampedBatch stamp(base::MutableBytes batch, const ValidatedBatch& validated, base::Offset first_offset,
                   base::LeaderEpoch epoch) {
  STELE_CHECK(!validated.needs_rebuild);
  STELE_CHECK(batch.size() == validated.bytes.size(), "{} bytes, validated {}", batch.size(), validated.bytes.size());
  StampedBatch stamped;
  stamped.last_offset = first_offset + (validated.record_count - 1);
  const auto last_delta = base::load_be<int32_t>(batch.data() + 23);
  set_base_offset(batch, stamped.last_offset + -int64_t{last_delta});
  set_leader_epoch(batch, epoch);
  set_max_timestamp(batch, validated.timestamp_type, validated.max_timestamp);
  stamped.max_timestamp = validated.max_timestamp;
  return stamped;
}

std::expected<RebuiltBatch, Rejection> rebuild(const ValidatedBatch& validated, const AppendRules& rules,
                                               base::Timestamp now, base::Offset first_offset, base::LeaderEpoch epoch,
                                               Decompressor& decompressor) {
  const auto opened = BatchView::open(validated.bytes);
  STELE_CHECK(opened.ok() && opened->is_whole());
  const BatchView& batch = *opened;
  BatchOptions options;
  options.base_offset = first_offset;
  options.leader_epoch = epoch;
  options.codec = validated.codec;
  options.level = rules.level;
  options.timestamp_type = rules.timestamp_type;
  options.append_time = now;
  options.producer_id = batch.producer_id();
  options.producer_epoch = batch.producer_epoch();
  options.base_sequence = batch.base_sequence();
  options.is_transactional = batch.is_transactional();
  BatchBuilder builder{options};
  {
    RecordReader records{batch, decompressor};
    for (int32_t i = 0; i < validated.record_count; ++i) {
      const base::Result<std::optional<RecordView>> record = records.next();
      if (!record.ok()) return reject(record.error());
      builder.add_at(first_offset + i, **record);
      if (builder.uncompressed_size() > decompressor.limits().rebuild_bytes_max) {
        decompressor.note_limit(base::Limit::kRebuiltBytes);
        return reject(ErrorCode::kMessageTooLarge,
                      fmt::format("a batch of {} bytes unfolds to more than {} bytes, too many to write it anew with "
                                  "another codec (stele.batch.rebuilt.bytes.max)",
                                  batch.size(), decompressor.limits().rebuild_bytes_max));
      }
    }
  }
  decompressor.finish();
  RebuiltBatch rebuilt;
  rebuilt.stamped.last_offset = first_offset + (validated.record_count - 1);
  rebuilt.stamped.max_timestamp = validated.max_timestamp;
  rebuilt.bytes = std::move(builder).build();
  if (rebuilt.bytes.size() > rules.batch_bytes_max) {
    return reject(ErrorCode::kMessageTooLarge,
                  fmt::format("Message batch size is {} bytes in append to partition {} which exceeds the maximum "
                              "configured size of {}.",
                              rebuilt.bytes.size(), rules.partition, rules.batch_bytes_max));
  }
  return rebuilt;
}

}  // namespace stele::record
