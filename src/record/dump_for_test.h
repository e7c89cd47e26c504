// For tests: what we read in a run of batches, as the line of text that tests/peers/record_oracle/Dump.java writes for
// what Kafka reads in them.
#pragma once

#include <fmt/format.h>

#include <string>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "record/batch.h"
#include "record/control.h"
#include "record/legacy.h"
#include "record/reader.h"

namespace stele::record {

inline std::string dump_bytes(const NullableBytes& bytes) {
  constexpr size_t kShown = 64;
  if (!bytes) return "-";
  if (bytes->size() > kShown) return fmt::format("#{}:{:x}", bytes->size(), base::crc32c(*bytes));
  return "." + base::to_hex(*bytes);
}

inline std::string dump_record(const BatchView& batch, const RecordView& record) {
  std::string out = fmt::format(" ; {} {} {} {} {}", record.offset.value(), record.timestamp.value(), record.sequence,
                                dump_bytes(record.key), dump_bytes(record.value));
  HeadersView headers = record.headers;
  for (HeaderView header; headers.next(header);) {
    out += fmt::format(" {}={}", base::to_hex(header.key), dump_bytes(header.value));
  }
  if (!batch.is_control()) return out;
  const auto type = control_type(record);
  if (!type.ok()) return out + " " + type.error().message;
  out += fmt::format(" type={}", *type ? static_cast<int>(**type) : -1);
  const auto marker = transaction_marker(record);
  if (marker.ok() && *marker) out += fmt::format(" coordinator={}", (*marker)->coordinator_epoch);
  return out;
}

template <class Reader>
std::string dump_records(const BatchView& batch, Reader reader) {
  std::string out;
  while (true) {
    const auto record = reader.next();
    if (!record.ok()) return out + " ; " + record.error().message;
    if (!*record) return out;
    out += dump_record(batch, **record);
  }
}

inline std::string dump_batch(const BatchView& batch, Decompressor& decompressor) {
  std::string out = fmt::format("v{}", batch.magic());
  if (!batch.is_legacy()) out += fmt::format(" base={}", batch.base_offset().value());
  out += fmt::format(
      " last={} epoch={} valid={:d} codec={} append={:d} txn={:d} control={:d} max={} pid={}/{} seq={}/{} count={}",
      batch.last_offset().value(), batch.leader_epoch().value(), batch.crc_valid(), codec_name(batch.codec()),
      batch.timestamp_type() == TimestampType::kLogAppendTime, batch.is_transactional(), batch.is_control(),
      batch.max_timestamp().value(), batch.producer_id().value(), batch.producer_epoch().value(), batch.base_sequence(),
      batch.last_sequence(), batch.record_count());
  if (const auto horizon = batch.delete_horizon()) out += fmt::format(" horizon={}", horizon->value());
  if (batch.is_legacy()) {
    LegacyReader reader{batch, decompressor};
    return out + dump_records<LegacyReader&>(batch, reader);
  }
  RecordReader reader{batch, decompressor};
  return out + dump_records<RecordReader&>(batch, reader);
}

inline std::string dump(base::Bytes bytes) {
  std::string out;
  Decompressor decompressor;
  BatchReader reader{bytes};
  while (true) {
    const auto batch = reader.next();
    if (!batch.ok()) return out + " | " + batch.error().message;
    if (!*batch) return out;
    if (!out.empty()) out += " | ";
    out += dump_batch(**batch, decompressor);
  }
}

}  // namespace stele::record
