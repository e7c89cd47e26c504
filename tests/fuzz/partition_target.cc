// A whole partition's directory, as a crash or a stranger left it: recovered, read, appended to, closed, opened again.
#include "base/check.h"
#include "fuzz/input.h"
#include "fuzz/mend.h"
#include "fuzz/one_host.h"
#include "fuzz/target.h"
#include "log/dump.h"
#include "log/partition_log.h"
#include "record/builder.h"

namespace stele::fuzz {

namespace {

const std::string kName = "t-0";

std::string file_name(Input& input) {
  static constexpr std::string_view kSuffixes[] = {".log",        ".index",        ".timeindex",     ".txnindex",
                                                   ".snapshot",   ".log.deleted",  ".log.cleaned",   ".log.swap",
                                                   ".index.swap", ".snapshot.tmp", ".index.deleted", ".timeindex.swap"};
  const uint8_t kind = input.byte() % 16;
  if (kind < std::size(kSuffixes)) return log::offset_file_name(base::Offset{input.byte()}, kSuffixes[kind]);
  if (kind == 12) return std::string{log::kEpochCheckpointName};
  if (kind == 13) return std::string{log::kPartitionMetadataName};
  return kind == 14 ? "00000000000000000000.log" : "something.else";
}

struct How {
  int64_t recovery_point = 0;
  int64_t log_start = 0;
  bool clean = false;
};

base::Task<base::Result<std::unique_ptr<log::PartitionLog>>> open(io::Shard& shard, How how) {
  auto directory = co_await shard.open_directory("/data", false);
  STELE_CHECK(directory.ok());
  log::OpenArgs args;
  args.shard = &shard;
  args.log_dir = std::move(directory).value();
  args.name = kName;
  args.options.segment_bytes = 4096;
  args.options.index_bytes = 1024;
  args.options.index_interval_bytes = 64;
  args.recovery_point = base::Offset{how.recovery_point};
  args.log_start_offset = base::Offset{how.log_start};
  args.clean = how.clean;
  co_return co_await log::PartitionLog::open(std::move(args));
}

base::Task<void> read_all(log::PartitionLog& log) {
  for (base::Offset at = log.log_start_offset(); at < log.written_end();) {
    const auto read = co_await log.read(at, 1 << 16, log.written_end(), true);
    if (!read.ok() || read->batches.empty()) co_return;
    STELE_CHECK(read->next_offset > at, "reading stands still at {}", at.value());
    record::BatchReader batches{read->batches};
    while (true) {
      const auto batch = batches.next();
      STELE_CHECK(batch.ok(), "bytes that are no batch are served");
      if (!*batch) break;
    }
    STELE_CHECK(batches.end() == record::BatchEnd::kClean, "a cut batch is served");
    at = read->next_offset;
  }
}

base::Task<void> look_around(log::PartitionLog& log) {
  const base::Offset end = log.written_end();
  STELE_CHECK(log.log_start_offset() <= end, "the log starts at {} and ends at {}", log.log_start_offset().value(),
              end.value());
  co_await read_all(log);
  (void)co_await log.offset_for_timestamp(base::Timestamp{1'700'000'000'000}, end);
  (void)co_await log.offset_of_max_timestamp();
  (void)co_await log.aborted_transactions(log.log_start_offset(), end);
  (void)log.end_offset_for_epoch(base::LeaderEpoch{3});
}

// A partition that opened takes a batch, and has it after a clean stop.
base::Task<void> use(io::Shard& shard, How how, base::Offset& end) {
  auto opened = co_await open(shard, how);
  if (!opened.ok()) co_return;
  log::PartitionLog& log = **opened;
  co_await look_around(log);
  record::BatchBuilder builder{{}};
  builder.add({.timestamp = base::Timestamp{1'700'000'000'000}, .value = base::as_bytes("new")});
  base::ByteVector batch = std::move(builder).build();
  const auto appended = log.append({batch, base::LeaderEpoch{9}, log::Origin::kClient, base::Timestamp{1}});
  if (appended.ok()) {
    const auto written = co_await log.wait_written(appended->last_offset);
    STELE_CHECK(written.ok(), "{}", written.error().message);
  }
  if ((co_await log.close_clean()).ok()) end = log.written_end();
}

base::Task<void> use_again(io::Shard& shard, How how, base::Offset end) {
  auto opened = co_await open(shard, how);
  STELE_CHECK(opened.ok(), "a partition that was closed clean does not open: {}", opened.error().message);
  STELE_CHECK((*opened)->written_end() == end, "it ends at {} and ended at {}", (*opened)->written_end().value(),
              end.value());
  co_await look_around(**opened);
  (void)co_await (*opened)->truncate_to(base::Offset{end.value() / 2});
  co_await look_around(**opened);
}

base::Task<void> dump(io::Shard& shard) {
  auto directory = co_await shard.open_directory("/data", false);
  STELE_CHECK(directory.ok());
  (void)co_await log::dump_partition(**directory, kName, {.records = true, .verify = false, .on_batch = {}},
                                     [](const log::DumpLine& line) { (void)line.to_text(); });
}

}  // namespace

// | 1: clean | recovery point | log start | then files: kind and base | 1: as it is, else mended | content
void partition_directory(base::Bytes bytes) {
  Input input{bytes};
  How how;
  how.clean = input.byte() == 1;
  how.recovery_point = input.byte();
  how.log_start = input.byte();
  OneHost host;
  host.make_directory("/data/" + kName);
  while (!input.empty()) {
    const std::string name = file_name(input);
    const bool as_it_is = input.byte() == 1;
    base::ByteVector content = exact(input.piece());
    if (!as_it_is && name.ends_with(".log")) mend(content);
    host.put("/data/" + kName + "/" + name, content);
  }
  host.run(dump);
  base::Offset end = base::kNoOffset;
  host.run<How, base::Offset&>(use, how, end);
  how.clean = true;
  how.recovery_point = end.value();
  if (end != base::kNoOffset) host.run<How, base::Offset>(use_again, how, end);
}

}  // namespace stele::fuzz
