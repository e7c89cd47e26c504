#include "log/dump.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <type_traits>
#include <utility>

#include "log/batch_scanner.h"
#include "log/checkpoint.h"
#include "log/epoch_cache.h"
#include "log/file_names.h"
#include "log/meta_properties.h"
#include "log/offset_index.h"
#include "log/producer_snapshot.h"
#include "log/time_index.h"
#include "log/transaction_index.h"
#include "record/control.h"
#include "record/decompressor.h"
#include "record/legacy.h"
#include "record/reader.h"

namespace stele::log {

namespace {

using base::ErrorCode;

constexpr uint64_t kSmallFileMax = uint64_t{1} << 31;

std::string escape(std::string_view text, bool json) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\' || (json && c == '"')) {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += json ? fmt::format("\\u{:04x}", byte) : fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

DumpField text(std::string name, std::string value) { return dump_text(std::move(name), std::move(value)); }
DumpField flag(std::string name, bool value) { return dump_json(std::move(name), value ? "true" : "false"); }
template <class T>
DumpField number(std::string name, T value) {
  return dump_json(std::move(name), fmt::format("{}", value));
}
DumpField time_of(const record::BatchView& batch, base::Timestamp time) {
  const bool append_time = batch.timestamp_type() == record::TimestampType::kLogAppendTime;
  return number(append_time ? "LogAppendTime" : "CreateTime", time.value());
}

// Kafka's tool shows "[a,b]".
DumpField header_keys(record::HeadersView headers) {
  DumpField field = dump_json("headerKeys", "");
  record::HeaderView header;
  while (headers.next(header)) {
    const std::string_view key = base::as_text(header.key);
    const char* comma = field.value.empty() ? "" : ",";
    field.value += fmt::format("{}{}", comma, escape(key, false));
    field.json += fmt::format("{}\"{}\"", comma, escape(key, true));
  }
  field.value = fmt::format("[{}]", field.value);
  field.json = fmt::format("[{}]", field.json);
  return field;
}

// "<offset>-<epoch>.checkpoint" and "bootstrap.checkpoint" hold batches, unlike the checkpoints of a broker.
bool is_metadata_snapshot(std::string_view name) { return name.ends_with(".checkpoint"); }

bool is_properties(std::string_view name) { return name == kPartitionMetadataName || name == kMetaPropertiesName; }

// Where the batches of a segment begin, by last offset: what its index entries must agree with.
using BatchStarts = std::map<int64_t, uint64_t>;

struct Dump {
  io::Directory& directory;
  DumpOptions options;
  DumpSink sink;
  DumpReport report;
  base::Offset end{0};                           // offsets of the next segment are at or above it
  std::map<base::Offset, BatchStarts> starts{};  // by segment
  std::vector<EpochStart> epochs{};              // where the batches change theirs

  void line(DumpLine line) {
    if (!options.verify) sink(line);
  }
  void problem(const std::string& path, std::string what) {
    ++report.problems;
    sink({"problem", {text("file", path), text("problem", std::move(what))}});
  }
  base::Task<base::Result<void>> file(std::string path);
  base::Task<base::Result<void>> segment(std::string path, base::Offset base);
  void batch(const std::string& path, const LocatedBatch& batch);
  void epoch_of(const std::string& path, const record::BatchView& batch);
  void compare_epochs(const std::string& path, const std::vector<EpochStart>& written);
  void records(const std::string& path, const record::BatchView& batch);
  void record_line(const record::BatchView& batch, const record::RecordView& record);
  template <class Reader>
  void records_of(const std::string& path, const record::BatchView& batch, Reader&& reader);
  bool parse(const std::string& path, std::string_view name, base::Bytes bytes);
  bool parse_above(const std::string& path, std::string_view name, base::Bytes bytes);
  void offset_index(const std::string& path, base::Offset base, base::Bytes bytes);
  void time_index(const std::string& path, base::Offset base, base::Bytes bytes);
  void transaction_index(const std::string& path, base::Bytes bytes);
  void snapshot(const std::string& path, base::Bytes bytes);
  void text_file(const std::string& path, std::string_view name, std::string_view content);
};

base::Task<base::Result<void>> Dump::file(std::string path) {
  const size_t slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  ++report.files;
  if (const auto base = parse_offset_file_name(name, kLogSuffix)) co_return co_await segment(path, *base);
  if (is_metadata_snapshot(name)) {
    const base::Offset log_end = std::exchange(end, base::Offset{0});  // its offsets and epochs are its own
    const auto log_epochs = std::exchange(epochs, {});
    STELE_CO_TRY(co_await segment(path, base::kNoOffset));
    end = log_end;
    epochs = log_epochs;
    co_return base::Result<void>{};
  }
  STELE_CO_TRY_ASSIGN(const base::ByteVector bytes, co_await io::read_whole(directory, path, kSmallFileMax));
  report.bytes += bytes.size();
  line({"file", {text("file", path)}});
  if (!parse(path, name, bytes) && !parse_above(path, name, bytes)) {
    co_return base::Error{ErrorCode::kInvalidRequest, fmt::format("{} is no file of a log that can be read", path)};
  }
  co_return base::Result<void>{};
}

bool Dump::parse(const std::string& path, std::string_view name, base::Bytes bytes) {
  if (const auto index = parse_offset_file_name(name, kIndexSuffix)) {
    offset_index(path, *index, bytes);
  } else if (const auto times = parse_offset_file_name(name, kTimeIndexSuffix)) {
    time_index(path, *times, bytes);
  } else if (parse_offset_file_name(name, kTransactionIndexSuffix)) {
    transaction_index(path, bytes);
  } else if (parse_offset_file_name(name, kSnapshotSuffix)) {
    snapshot(path, bytes);
  } else if (name.ends_with("checkpoint") || is_properties(name) || name == kCleanShutdownName) {
    text_file(path, name, base::as_text(bytes));
  } else {
    return false;
  }
  return true;
}

bool Dump::parse_above(const std::string& path, std::string_view name, base::Bytes bytes) {
  if (!options.decode_file) return false;
  const auto found = options.decode_file(name, bytes);
  if (!found.ok()) {
    problem(path, found.error().message);
  } else if (*found) {
    line(**found);
  } else {
    return false;
  }
  return true;
}

// A file that was made large beforehand ends so: no batches, no damage.
base::Task<bool> only_zeros(io::File& file, uint64_t from, uint64_t end) {
  base::ByteVector piece(BatchScanner::kPiece);
  while (from < end) {
    const auto got = co_await file.read(from, piece);
    if (!got.ok() || *got == 0) co_return false;
    if (!std::ranges::all_of(base::Bytes{piece}.first(*got), [](std::byte b) { return b == std::byte{0}; }))
      co_return false;
    from += *got;
  }
  co_return true;
}

base::Task<base::Result<void>> Dump::segment(std::string path, base::Offset base) {
  STELE_CO_TRY_ASSIGN(std::unique_ptr<io::File> opened, co_await directory.open(path, io::OpenMode::kRead));
  const std::shared_ptr<io::File> file = std::move(opened);
  STELE_CO_TRY_ASSIGN(const uint64_t size, file->size());
  line({"file", {text("file", path), number("startingOffset", base.value())}});
  report.bytes += size;
  BatchStarts& batches = starts[base];
  end = std::max(end, base);
  BatchScanner scanner(file, 0, size);
  for (;;) {
    STELE_CO_TRY_ASSIGN(const bool more, co_await scanner.fill());
    if (!more) break;
    while (const auto located = scanner.take()) {
      batch(path, *located);
      batches[located->view.last_offset().value()] = located->position;
    }
  }
  if (scanner.position() < size && !co_await only_zeros(*file, scanner.position(), size)) {
    problem(path, fmt::format("{} bytes at {} are no batch: {}", size - scanner.position(), scanner.position(),
                              scanner.stop()));
  }
  co_return base::Result<void>{};
}

void Dump::batch(const std::string& path, const LocatedBatch& located) {
  const record::BatchView& view = located.view;
  ++report.batches;
  if (options.on_batch) options.on_batch(view.size());
  const bool valid = view.crc_valid();
  if (!valid) problem(path, fmt::format("the checksum of the batch at byte {} is wrong", located.position));
  const base::Offset lowest = view.is_legacy() ? view.last_offset() : view.base_offset();
  if (lowest < end) {
    problem(path, fmt::format("the batch at byte {} begins at offset {}, below {}", located.position, lowest.value(),
                              end.value()));
  }
  end = view.next_offset();
  epoch_of(path, view);
  line({"batch",
        {number("baseOffset", view.base_offset().value()), number("lastOffset", view.last_offset().value()),
         number("count", view.record_count()), number("baseSequence", view.base_sequence()),
         number("lastSequence", view.last_sequence()), number("producerId", view.producer_id().value()),
         number("producerEpoch", view.producer_epoch().value()),
         number("partitionLeaderEpoch", view.leader_epoch().value()), flag("isTransactional", view.is_transactional()),
         flag("isControl", view.is_control()), number("position", located.position),
         time_of(view, view.max_timestamp()), number("size", view.size()), number("magic", int{view.magic()}),
         text("compresscodec", std::string{record::codec_name(view.codec())}), number("crc", view.crc()),
         flag("isvalid", valid)}});
  if (valid && (options.records || options.verify)) records(path, view);
}

void Dump::epoch_of(const std::string& path, const record::BatchView& batch) {
  const base::LeaderEpoch epoch = batch.leader_epoch();
  if (epoch == base::kNoLeaderEpoch || (!epochs.empty() && epochs.back().epoch == epoch)) return;
  if (!epochs.empty() && epoch < epochs.back().epoch) {
    problem(path, fmt::format("leader epoch {} of the batch at offset {} comes after {}", epoch.value(),
                              batch.base_offset().value(), epochs.back().epoch.value()));
  }
  epochs.push_back({epoch, batch.base_offset()});
}

// What the batches say must be what the checkpoint says; it may begin later, where old segments are on their way out.
void Dump::compare_epochs(const std::string& path, const std::vector<EpochStart>& written) {
  const EpochCache cache{written};
  if (cache.entries().size() != written.size()) problem(path, "epochs or their start offsets do not rise");
  for (const EpochStart& seen : epochs) {
    const auto told = cache.epoch_at(seen.start);
    if (told && *told != seen.epoch) {
      problem(path, fmt::format("offset {} has leader epoch {} in its batch, {} here", seen.start.value(),
                                seen.epoch.value(), told->value()));
    }
  }
}

void Dump::records(const std::string& path, const record::BatchView& batch) {
  record::Decompressor decompressor;
  if (batch.is_legacy()) {
    records_of(path, batch, record::LegacyReader{batch, decompressor});
  } else {
    records_of(path, batch, record::RecordReader{batch, decompressor});
  }
}

template <class Reader>
void Dump::records_of(const std::string& path, const record::BatchView& batch, Reader&& reader) {
  for (;;) {
    const auto record = reader.next();
    if (!record.ok()) {
      problem(path, fmt::format("a record of the batch at offset {}: {}", batch.base_offset().value(),
                                record.error().message));
      return;
    }
    if (!record->has_value()) return;
    ++report.records;
    if (options.verify) continue;
    record_line(batch, **record);
  }
}

void Dump::record_line(const record::BatchView& batch, const record::RecordView& view) {
  DumpLine out{"record",
               {number("offset", view.offset.value()), time_of(batch, view.timestamp),
                number("keySize", view.key ? static_cast<int64_t>(view.key->size()) : -1),
                number("valueSize", view.value ? static_cast<int64_t>(view.value->size()) : -1),
                number("sequence", view.sequence), header_keys(view.headers)}};
  const auto marker = record::transaction_marker(view);
  if (batch.is_control() && marker.ok() && *marker) {
    out.fields.push_back(text("endTxnMarker", (*marker)->is_commit ? "COMMIT" : "ABORT"));
    out.fields.push_back(number("coordinatorEpoch", (*marker)->coordinator_epoch));
  } else if (!options.decode || !options.decode(batch, view, out)) {
    if (view.key) out.fields.push_back(text("key", std::string{base::as_text(*view.key)}));
    if (view.value) out.fields.push_back(text("payload", std::string{base::as_text(*view.value)}));
  }
  sink(out);
}

void Dump::offset_index(const std::string& path, base::Offset base, base::Bytes bytes) {
  const auto segment = starts.find(base);
  const auto parsed = OffsetIndex::parse(bytes, UINT64_MAX);
  if (!parsed.ok()) return problem(path, parsed.error().message);
  for (const OffsetIndexEntry& entry : *parsed) {
    const int64_t offset = base.value() + int64_t{entry.relative_offset};
    line({"index", {number("offset", offset), number("position", entry.position)}});
    if (segment == starts.end()) continue;
    // The batch that ends at the offset; where several were appended at once, older brokers name the first of them.
    auto at = segment->second.find(offset);
    while (at != segment->second.end() && at != segment->second.begin() && at->second > entry.position) --at;
    if (at == segment->second.end() || at->second != entry.position) {
      problem(path, fmt::format("no batch ends at offset {} and begins at byte {}", offset, entry.position));
    }
  }
}

void Dump::time_index(const std::string& path, base::Offset base, base::Bytes bytes) {
  const auto parsed = TimeIndex::parse(bytes);
  if (!parsed.ok()) return problem(path, parsed.error().message);
  const auto segment = starts.find(base);
  for (const TimeIndexEntry& entry : *parsed) {
    const int64_t offset = base.value() + int64_t{entry.relative_offset};
    line({"timeindex", {number("timestamp", entry.timestamp), number("offset", offset)}});
    if (segment != starts.end() && segment->second.lower_bound(offset) == segment->second.end()) {
      problem(path, fmt::format("offset {} lies behind the segment's end", offset));
    }
  }
}

void Dump::transaction_index(const std::string& path, base::Bytes bytes) {
  const auto parsed = parse_transaction_index(bytes);
  if (!parsed.ok()) return problem(path, parsed.error().message);
  for (const AbortedTransaction& entry : *parsed) {
    line({"txnindex",
          {number("producerId", entry.producer_id.value()), number("firstOffset", entry.first_offset.value()),
           number("lastOffset", entry.last_offset.value()),
           number("lastStableOffset", entry.last_stable_offset.value())}});
  }
}

void Dump::snapshot(const std::string& path, base::Bytes bytes) {
  const auto parsed = parse_producer_snapshot(bytes);
  if (!parsed.ok()) return problem(path, parsed.error().message);
  for (const ProducerSnapshotEntry& entry : *parsed) {
    line({"producer",
          {number("producerId", entry.producer_id.value()), number("producerEpoch", entry.epoch.value()),
           number("lastSequence", entry.last_sequence), number("lastOffset", entry.last_offset.value()),
           number("offsetDelta", entry.offset_delta), number("lastTimestamp", entry.timestamp.value()),
           number("coordinatorEpoch", entry.coordinator_epoch),
           number("currentTxnFirstOffset", entry.transaction_first_offset.value())}});
  }
}

void Dump::text_file(const std::string& path, std::string_view name, std::string_view content) {
  if (name == kEpochCheckpointName) {
    const auto parsed = parse_epoch_checkpoint(content);
    if (!parsed.ok()) return problem(path, parsed.error().message);
    compare_epochs(path, *parsed);
    for (const EpochStart& entry : *parsed) {
      line({"epoch", {number("leaderEpoch", entry.epoch.value()), number("startOffset", entry.start.value())}});
    }
  } else if (name == kCleanShutdownName) {
    const base::BrokerEpoch epoch = parse_clean_shutdown(content);
    line({"cleanshutdown", {number("brokerEpoch", epoch.value())}});
    if (epoch.value() < 0) problem(path, "not understood");
  } else if (is_properties(name)) {
    DumpLine out{"properties", {}};
    for (const auto& [key, value] : parse_properties(content)) out.fields.push_back(text(key, value));
    line(std::move(out));
    const bool good =
        name == kMetaPropertiesName ? parse_meta_properties(content).ok() : parse_partition_metadata(content).ok();
    if (!good) problem(path, "not understood");
  } else {
    const auto parsed = parse_offset_checkpoint(content);
    if (!parsed.ok()) return problem(path, parsed.error().message);
    for (const auto& [partition, offset] : *parsed) {
      line({"offset",
            {text("topic", partition.topic), number("partition", partition.partition.value()),
             number("offset", offset.value())}});
    }
  }
}

}  // namespace

DumpField dump_text(std::string name, std::string value) { return {std::move(name), std::move(value), true}; }
DumpField dump_json(std::string name, std::string value) { return {std::move(name), std::move(value), false}; }

std::string DumpLine::to_text() const {
  std::string out = kind == "record" ? "|" : "";
  for (const DumpField& field : fields) {
    if (!out.empty()) out += ' ';
    out += field.name + ": " + (field.quoted ? escape(field.value, false) : field.value);
  }
  return out;
}

bool is_log_dir_file(std::string_view name) {
  return name == kMetaPropertiesName || name == kRecoveryPointName || name == kLogStartName ||
         name == kHighWatermarkName || name == kCleanShutdownName || is_metadata_snapshot(name);
}

base::Task<base::Result<DumpReport>> dump_file(io::Directory& directory, std::string path, DumpOptions options,
                                               DumpSink sink) {
  Dump dump{directory, options, std::move(sink), {}, base::Offset{0}};
  STELE_CO_TRY(co_await dump.file(std::move(path)));
  dump.report.end = dump.end;
  co_return dump.report;
}

base::Task<base::Result<DumpReport>> dump_partition(io::Directory& log_dir, std::string name, DumpOptions options,
                                                    DumpSink sink) {
  Dump dump{log_dir, options, std::move(sink), {}, base::Offset{0}};
  STELE_CO_TRY_ASSIGN(const std::vector<io::Entry> entries, co_await log_dir.list(name));
  for (const bool logs : {true, false}) {  // the indexes are held against what the logs hold
    for (const io::Entry& entry : entries) {
      const std::string_view file = entry.name;
      if (parse_offset_file_name(file, kLogSuffix).has_value() != logs) continue;
      const bool known = logs || file == kEpochCheckpointName || file == kPartitionMetadataName ||
                         (options.decode_file && file == kQuorumStateName) ||
                         parse_offset_file_name(file, kIndexSuffix) || parse_offset_file_name(file, kTimeIndexSuffix) ||
                         parse_offset_file_name(file, kTransactionIndexSuffix) ||
                         parse_offset_file_name(file, kSnapshotSuffix) || is_metadata_snapshot(file);
      if (!known) continue;
      STELE_CO_TRY(co_await dump.file(name + "/" + entry.name));
    }
  }
  dump.report.end = dump.end;
  co_return dump.report;
}

}  // namespace stele::log
