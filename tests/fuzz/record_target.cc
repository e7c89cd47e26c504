// Record batches and old message sets: the readers, the validation of an append, the codecs.
#include "base/check.h"
#include "fuzz/input.h"
#include "fuzz/target.h"
#include "record/compressor.h"
#include "record/dump_for_test.h"
#include "record/replicated.h"
#include "record/validator.h"

namespace stele::fuzz {

namespace {

constexpr base::Timestamp kNow{1'700'000'001'000};
constexpr base::Offset kFirst{1000};

// Lets the length and the checksum of a first batch fit, as nobody guesses them.
void mend(base::ByteVector& bytes) {
  if (bytes.size() < record::kBatchHeaderSize) return;
  base::store_be(bytes.data() + record::kLengthAt, static_cast<int32_t>(bytes.size() - record::kLogOverhead));
  if (bytes[record::kMagicAt] == std::byte{2}) record::update_crc(bytes);
}

record::AppendRules rules_of(uint8_t choice) {
  record::AppendRules rules;
  rules.partition = "t-0";
  rules.compacted = (choice & 1) != 0;
  if ((choice & 2) != 0) rules.codec = static_cast<record::Codec>((choice >> 2) % 5);
  if ((choice & 32) != 0) rules.timestamp_type = record::TimestampType::kLogAppendTime;
  if ((choice & 64) != 0) rules.origin = record::AppendOrigin::kCoordinator;
  return rules;
}

// What was accepted must read back as its header says: this is what every consumer will do with it. Of a compressed
// batch that stays as it came Kafka does not look at the lengths of records, and neither do we.
void check_stored(base::Bytes stored, const record::ValidatedBatch& validated, const record::AppendRules& rules) {
  const auto batch = record::BatchView::open(stored);
  STELE_CHECK(batch.ok() && batch->is_whole() && batch->crc_valid(), "an accepted batch is damaged");
  if (rules.origin != record::AppendOrigin::kClient) return;
  STELE_CHECK(batch->base_offset() == kFirst && batch->record_count() == validated.record_count);
  STELE_CHECK(batch->last_offset_delta() + 1 == validated.record_count);
  if (batch->is_compressed() && !validated.needs_rebuild) return;
  record::Decompressor decompressor;
  record::RecordReader reader{*batch, decompressor};
  for (int32_t i = 0; i < validated.record_count; ++i) {
    const auto record = reader.next();
    STELE_CHECK(record.ok() && *record, "record {} of {}: {}", i, validated.record_count,
                record.ok() ? "missing" : record.error().message);
    STELE_CHECK((*record)->offset == kFirst + i, "record {} has offset {}", i, (*record)->offset.value());
  }
}

}  // namespace

void record_batches(base::Bytes bytes) {
  base::ByteVector batches = exact(bytes);
  (void)record::dump(batches);
  const auto replicated = record::check_replicated(batches, base::LeaderEpoch{5});
  STELE_CHECK(!replicated.ok() || replicated->size <= batches.size());
  mend(batches);
  (void)record::dump(batches);
}

// | rules | 1: as it is, else mended | batch
void append_batch(base::Bytes bytes) {
  Input input{bytes};
  const record::AppendRules rules = rules_of(input.byte());
  const bool as_it_is = input.byte() == 1;
  base::ByteVector batch = exact(input.rest());
  if (!as_it_is) mend(batch);
  record::Decompressor decompressor{{.output_bytes_max = 8 << 20}};
  const auto validated = record::validate_append(batch, rules, kNow, decompressor);
  if (!validated) {
    STELE_CHECK(validated.error().code != base::ErrorCode::kNone);
    return;
  }
  if (validated->needs_rebuild) {
    const auto rebuilt = record::rebuild(*validated, rules, kNow, kFirst, base::LeaderEpoch{1}, decompressor);
    if (rebuilt && !rebuilt->bytes.empty()) check_stored(rebuilt->bytes, *validated, rules);
    return;
  }
  const base::MutableBytes stored = base::MutableBytes{batch}.first(validated->bytes.size());
  record::stamp(stored, *validated, kFirst, base::LeaderEpoch{1});
  check_stored(stored, *validated, rules);
}

// | codec | magic | stream
void decompress(base::Bytes bytes) {
  Input input{bytes};
  const auto codec = static_cast<record::Codec>(input.byte() & 7);
  const auto magic = static_cast<int8_t>(input.byte() % 3);
  const record::DecompressionLimits limits{.output_bytes_max = 4 << 20, .ratio_max = 1024, .ratio_from = 1 << 20};
  record::Decompressor decompressor{limits};
  const base::ByteVector stream = exact(input.rest());
  base::ByteVector whole;
  bool ended = false;
  if (decompressor.start(codec, stream, magic).ok()) {
    for (auto piece = decompressor.next(); piece.ok(); piece = decompressor.next()) {
      ended = piece->empty();
      if (ended) break;
      base::append(whole, *piece);
      STELE_CHECK(whole.size() <= limits.output_bytes_max, "{} bytes came out", whole.size());
    }
  }
  decompressor.finish();
  STELE_CHECK(decompressor.memory() <= 4 * record::kWindowKept, "{} bytes are kept", decompressor.memory());
  if (!ended || codec == record::Codec::kNone) return;
  base::ByteVector again;
  record::compress(codec, record::kDefaultLevel, whole, again);
  STELE_CHECK(decompressor.start(codec, again).ok());
  size_t at = 0;
  for (auto piece = decompressor.next(); piece.ok() && !piece->empty(); piece = decompressor.next()) {
    STELE_CHECK(base::as_text(base::Bytes{whole}.subspan(at, piece->size())) == base::as_text(*piece));
    at += piece->size();
  }
  STELE_CHECK(at == whole.size(), "{} of {} bytes came back", at, whole.size());
}

}  // namespace stele::fuzz
