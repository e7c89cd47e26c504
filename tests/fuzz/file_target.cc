// The parsers of the small files of a log dir: what they accept must read the same once it is written back.
#include "base/check.h"
#include "base/crc32c.h"
#include "config/properties.h"
#include "fuzz/input.h"
#include "fuzz/target.h"
#include "log/checkpoint.h"
#include "log/epoch_cache.h"
#include "log/file_names.h"
#include "log/meta_properties.h"
#include "log/offset_index.h"
#include "log/producer_snapshot.h"
#include "log/time_index.h"
#include "log/transaction_index.h"
#include "metadata/quorum_state.h"

namespace stele::fuzz {

namespace {

template <class Parse, class Write>
void back_and_forth(const auto& content, Parse parse, Write write) {
  const auto first = parse(content);
  if (!first.ok()) return;
  const auto written = write(*first);
  const auto second = parse(written);
  STELE_CHECK(second.ok(), "what was written cannot be read: {}", second.error().message);
  STELE_CHECK(*second == *first, "what was read differs from what was written");
}

void offset_index(base::Bytes file) {
  constexpr uint64_t kLogBytes = 1 << 20;
  back_and_forth(
      file, [](base::Bytes bytes) { return log::OffsetIndex::parse(bytes, kLogBytes); },
      [](const auto& entries) { return log::OffsetIndex::encode(entries); });
}

void time_index(base::Bytes file) {
  back_and_forth(file, log::TimeIndex::parse, [](const auto& entries) { return log::TimeIndex::encode(entries); });
}

void transaction_index(base::Bytes file) {
  back_and_forth(file, log::parse_transaction_index, log::encode_transaction_index);
}

void producer_snapshot(base::Bytes file) {
  back_and_forth(file, log::parse_producer_snapshot, log::encode_producer_snapshot);
  if (file.size() < 10) return;
  base::ByteVector mended = exact(file);
  base::store_be(mended.data(), int16_t{1});
  base::store_be(mended.data() + 2, base::crc32c(base::Bytes{mended}.subspan(6)));
  back_and_forth(base::Bytes{mended}, log::parse_producer_snapshot, log::encode_producer_snapshot);
}

void offset_checkpoint(base::Bytes file) {
  back_and_forth(base::as_text(file), log::parse_offset_checkpoint, log::format_offset_checkpoint);
}

void epoch_checkpoint(base::Bytes file) {
  back_and_forth(base::as_text(file), log::parse_epoch_checkpoint, log::format_epoch_checkpoint);
  const auto epochs = log::parse_epoch_checkpoint(base::as_text(file));
  if (!epochs.ok()) return;
  log::EpochCache cache{*epochs};
  for (size_t i = 1; i < cache.entries().size(); ++i) {
    STELE_CHECK(cache.entries()[i - 1].epoch < cache.entries()[i].epoch);
    STELE_CHECK(cache.entries()[i - 1].start < cache.entries()[i].start);
  }
  cache.truncate_start(base::Offset{5});
  cache.truncate_end(base::Offset{50});
  (void)cache.end_offset_for(base::LeaderEpoch{3}, base::Offset{100});
}

void meta_properties(base::Bytes file) {
  back_and_forth(base::as_text(file), log::parse_meta_properties, [](const log::MetaProperties& properties) {
    return log::format_meta_properties(properties, "a day");
  });
  (void)log::parse_properties(base::as_text(file));
}

void partition_metadata(base::Bytes file) {
  back_and_forth(base::as_text(file), log::parse_partition_metadata, log::format_partition_metadata);
}

void clean_shutdown(base::Bytes file) { (void)log::parse_clean_shutdown(base::as_text(file)); }

void quorum_state(base::Bytes file) {
  const auto first = metadata::read_quorum_state(base::as_text(file));
  if (!first.ok()) return;
  const std::string written = metadata::write_quorum_state(*first);
  const auto second = metadata::read_quorum_state(written);
  STELE_CHECK(second.ok() && metadata::write_quorum_state(*second) == written, "quorum-state: {}", written);
}

void metadata_epochs(base::Bytes file) {
  back_and_forth(base::as_text(file), metadata::read_epochs, metadata::write_epochs);
}

void names(base::Bytes file) {
  const std::string_view name = base::as_text(file);
  if (const auto found = log::parse_partition_directory(name); found && found->kind == log::DirectoryKind::kCurrent) {
    STELE_CHECK(found->partition.to_string() == name, "{}", name);
  }
  if (const auto base = log::parse_offset_file_name(name, log::kLogSuffix)) {
    STELE_CHECK(log::offset_file_name(*base, log::kLogSuffix) == name, "{}", name);
  }
  if (const auto snapshot = metadata::parse_snapshot_name(name)) {
    STELE_CHECK(metadata::snapshot_name(snapshot->first, snapshot->second) == name, "{}", name);
  }
  if (const auto base = metadata::parse_segment_name(name)) {
    STELE_CHECK(metadata::segment_name(*base, ".log") == name, "{}", name);
  }
}

}  // namespace

// | kind of file | content
void small_file(base::Bytes bytes) {
  static constexpr void (*kReaders[])(base::Bytes) = {
      offset_index,    time_index,         transaction_index, producer_snapshot, offset_checkpoint, epoch_checkpoint,
      meta_properties, partition_metadata, clean_shutdown,    quorum_state,      metadata_epochs,   names,
  };
  Input input{bytes};
  const uint8_t kind = input.byte();
  const base::ByteVector content = exact(input.rest());
  kReaders[kind % std::size(kReaders)](content);
}

}  // namespace stele::fuzz
