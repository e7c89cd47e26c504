// stele log dump|verify: Kafka's files, read without a broker. Nothing is changed. (recover: recover_command.cc)
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "app/command.h"
#include "app/common_options.h"
#include "app/progress.h"
#include "app/record_decoder.h"
#include "app/record_line.h"
#include "app/recover_command.h"
#include "app/shard_work.h"
#include "log/checkpoint.h"
#include "log/dump.h"
#include "log/file_names.h"

namespace stele::app {

namespace {

struct LogArguments {
  std::vector<std::string> paths;
  bool verify = false;
  bool records = false;
  bool json = false;
  bool quiet = false;
  bool raw = false;
  std::optional<Decoder> decoder;  // whatever the names of directories say
};

using Json = nlohmann::ordered_json;
constexpr uint64_t kCheckpointBytesMax = uint64_t{1} << 30;

// Keys and values of records are any bytes; JSON is text.
std::string json_of(const log::DumpLine& line) {
  Json document;
  document["kind"] = line.kind;
  for (const log::DumpField& field : line.fields) {
    if (field.quoted) {
      const bool is_text = is_utf8(field.value);
      document[is_text ? field.name : field.name + "_base64"] = is_text ? field.value : base64(field.value);
    } else {
      document[field.name] = Json::parse(field.json.empty() ? field.value : field.json, nullptr, false);
    }
  }
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string text_of(const log::DumpLine& line) {
  if (line.kind == "problem") return fmt::format("{}: {}", line.fields.at(0).value, line.fields.at(1).value);
  return line.to_text();
}

// Walks over what the arguments name and adds up what was found.
class LogReader {
 public:
  LogReader(io::Shard& shard, const LogArguments& arguments)
      : shard_(shard), arguments_(arguments), progress_("batches", arguments.quiet || arguments.json) {
    options_.records = arguments.records;
    options_.verify = arguments.verify;
    if (!arguments.raw) {
      options_.decode = [this](const record::BatchView& batch, const record::RecordView& record, log::DumpLine& line) {
        return decode_record(decoder_, batch, record, line);
      };
    }
    options_.decode_file = decode_quorum_file;
    options_.on_batch = [this](uint64_t bytes) {
      progress_.add(1, bytes);
      progress_.show();
    };
  }

  base::Task<int> run() {
    std::vector<std::filesystem::path> paths;
    uint64_t bytes = 0;
    for (const std::string& given : arguments_.paths) {
      std::error_code error;
      paths.push_back(std::filesystem::canonical(given, error));
      if (error) co_return report_usage(fmt::format("cannot read {}: {}", given, error.message()), arguments_.json);
      bytes += bytes_below(paths.back());
    }
    progress_.expect_bytes(bytes);
    for (const std::filesystem::path& path : paths) {
      const auto done = co_await read(path);
      progress_.finish();
      if (!done.ok() && done.code() == base::ErrorCode::kInvalidRequest) {
        co_return report_usage(done.error().message, arguments_.json);
      }
      if (!done.ok()) co_return report(done.error(), arguments_.json);
    }
    co_return conclude();
  }

 private:
  static uint64_t bytes_below(const std::filesystem::path& path) {
    std::error_code error;
    if (std::filesystem::is_regular_file(path, error)) return std::filesystem::file_size(path, error);
    uint64_t bytes = 0;
    for (std::filesystem::recursive_directory_iterator at{path, error}, end; !error && at != end; at.increment(error)) {
      if (at->path().extension() == log::kLogSuffix) bytes += at->file_size(error);
    }
    return bytes;
  }

  base::Task<base::Result<void>> read(std::filesystem::path path) {
    std::error_code error;
    const bool partition = log::parse_partition_directory(path.filename().string()).has_value();
    if (std::filesystem::is_directory(path, error) && !partition) co_return co_await read_log_dir(path);
    STELE_CO_TRY_ASSIGN(const auto directory, co_await shard_.open_directory(path.parent_path().string(), false));
    above_ = path.parent_path();
    const bool whole = std::filesystem::is_directory(path, error);
    choose_decoder(whole ? path : above_, path.filename().string());
    const auto found = whole ? co_await log::dump_partition(*directory, path.filename().string(), options_, sink())
                             : co_await log::dump_file(*directory, path.filename().string(), options_, sink());
    co_return add(found);
  }

  base::Task<base::Result<void>> read_log_dir(std::filesystem::path path) {
    STELE_CO_TRY_ASSIGN(const auto directory, co_await shard_.open_directory(path.string(), false));
    STELE_CO_TRY_ASSIGN(const std::vector<io::Entry> entries, co_await directory->list());
    above_ = path;
    bool known = false;
    log::OffsetMap ends;
    for (const io::Entry& entry : entries) {
      const auto partition = log::parse_partition_directory(entry.name);
      base::Result<log::DumpReport> found = log::DumpReport{};
      choose_decoder(entry.name, entry.name);
      if (entry.directory && partition && partition->kind != log::DirectoryKind::kDeleted) {
        found = co_await log::dump_partition(*directory, entry.name, options_, sink());
      } else if (!entry.directory && log::is_log_dir_file(entry.name)) {
        found = co_await log::dump_file(*directory, entry.name, options_, sink());
      } else {
        continue;
      }
      known = true;
      STELE_CO_TRY(add(found));
      if (partition && partition->kind == log::DirectoryKind::kCurrent) ends[partition->partition] = found->end;
    }
    if (arguments_.verify) STELE_CO_TRY(co_await compare_checkpoints(*directory, ends));
    if (!known) {
      co_return base::Error{base::ErrorCode::kInvalidRequest,
                            fmt::format("{} is neither a log dir nor the directory of a partition", path.string())};
    }
    co_return base::Result<void>{};
  }

  void choose_decoder(const std::filesystem::path& directory, std::string_view file) {
    decoder_ = arguments_.decoder.value_or(decoder_for(directory.filename().string(), file));
  }

  // No checkpoint may promise more of a partition than its log holds.
  base::Task<base::Result<void>> compare_checkpoints(io::Directory& directory, const log::OffsetMap& ends) {
    for (const std::string_view name : {log::kRecoveryPointName, log::kLogStartName, log::kHighWatermarkName}) {
      const auto bytes = co_await io::read_whole(directory, std::string{name}, kCheckpointBytesMax);
      if (!bytes.ok() && bytes.error().os_error == ENOENT) continue;
      if (!bytes.ok()) co_return bytes.error();
      const auto offsets = log::parse_offset_checkpoint(base::as_text(*bytes));
      if (!offsets.ok()) continue;  // told already
      for (const auto& [partition, offset] : *offsets) {
        const auto end = ends.find(partition);
        if (end == ends.end() || offset <= end->second) continue;
        ++total_.problems;
        const std::string what = fmt::format("{} has offset {}, but its log ends at {}", partition.to_string(),
                                             offset.value(), end->second.value());
        sink()({"problem", {{"file", std::string{name}, true}, {"problem", what, true}}});
      }
    }
    co_return base::Result<void>{};
  }

  base::Result<void> add(const base::Result<log::DumpReport>& found) {
    if (!found.ok()) return found.error();
    total_.files += found->files;
    total_.bytes += found->bytes;
    total_.batches += found->batches;
    total_.records += found->records;
    total_.problems += found->problems;
    return {};
  }

  log::DumpSink sink() {
    return [this](const log::DumpLine& line) {
      progress_.finish();
      if (line.kind != "problem" && line.kind != "file")
        return print_line(arguments_.json ? json_of(line) : text_of(line));
      log::DumpLine whole = line;  // with the place of the file, which the log layer does not know
      whole.fields.at(0).value = (above_ / whole.fields.at(0).value).string();
      print_line(arguments_.json ? json_of(whole) : text_of(whole));
    };
  }

  int conclude() {
    if (arguments_.json && arguments_.verify) {
      Json document;
      document["kind"] = "summary";
      document["files"] = total_.files;
      document["bytes"] = total_.bytes;
      document["batches"] = total_.batches;
      document["records"] = total_.records;
      document["problems"] = total_.problems;
      document["seconds"] = progress_.seconds();
      print_line(document.dump());
    } else if (arguments_.verify) {
      print_line(fmt::format("{} files, {} batches with {} records, {} in {:.1f} s: {}", human_count(total_.files),
                             human_count(total_.batches), human_count(total_.records),
                             human_bytes(static_cast<double>(total_.bytes)), progress_.seconds(), verdict()));
    }
    return total_.problems == 0 ? kExitOk : kExitRefused;
  }

  std::string verdict() const {
    if (total_.problems == 0) return "no damage";
    return fmt::format("DAMAGED, {} problem{}", human_count(total_.problems), total_.problems == 1 ? "" : "s");
  }

  io::Shard& shard_;
  const LogArguments& arguments_;
  Progress progress_;
  log::DumpOptions options_;
  Decoder decoder_ = Decoder::kNone;
  log::DumpReport total_;
  std::filesystem::path above_;  // what the names of files in lines are relative to
};

base::Task<int> read_logs(io::Shard& shard, const LogArguments& arguments) {
  LogReader reader{shard, arguments};
  co_return co_await reader.run();
}

int run(const LogArguments& arguments) {
  return run_on_shard([&arguments](io::Shard& shard) { return read_logs(shard, arguments); });
}

// Files are told by the directory they lie in; these are for copies of them, with the names of kafka-dump-log.
void add_decoder_options(CLI::App& dump, const std::shared_ptr<LogArguments>& arguments) {
  constexpr std::array<std::pair<const char*, Decoder>, 4> kDecoders{
      {{"--cluster-metadata-decoder", Decoder::kMetadata},
       {"--offsets-decoder", Decoder::kOffsets},
       {"--transaction-log-decoder", Decoder::kTransactions},
       {"--share-group-state-decoder", Decoder::kShareGroups}}};
  for (const auto& [name, decoder] : kDecoders) {
    dump.add_flag_callback(
        name,
        [arguments, decoder] {
          arguments->records = true;
          arguments->decoder = decoder;
        },
        "records as of that internal topic, wherever the file lies");
  }
}

}  // namespace

void add_log_commands(CLI::App& program, Chosen& chosen) {
  CLI::App* log = program.add_subcommand("log", "Read and recover the files of a log, without a broker");
  log->require_subcommand(1);
  auto arguments = std::make_shared<LogArguments>();
  CLI::App* dump = log->add_subcommand("dump", "Print what files hold: segments, indexes, snapshots, checkpoints");
  dump->add_flag("-r,--records", arguments->records, "the records of each batch too; those of internal topics decoded");
  dump->add_flag("--raw", arguments->raw, "records of internal topics as bytes");
  add_decoder_options(*dump, arguments);
  CLI::App* verify = log->add_subcommand("verify", "Check that files are whole and agree with each other");
  verify->add_flag("-q,--quiet", arguments->quiet, "no progress");
  for (CLI::App* command : {dump, verify}) {
    command->add_option("path", arguments->paths, "files, directories of partitions, or whole log dirs")->required();
    add_json_option(*command, arguments->json);
    command->callback([&chosen, arguments, command, verify] {
      arguments->verify = command == verify;
      chosen = [arguments] { return run(*arguments); };
    });
  }
  add_recover_command(*log, chosen);
}

}  // namespace stele::app
