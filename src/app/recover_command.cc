// stele log recover: puts what a crash left in the journal of a log dir into its segments, and removes the journal, so
// that Apache Kafka, which refuses a log dir with one, can start on it.
#include "app/recover_command.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/common_options.h"
#include "app/shard_work.h"
#include "log/journal_replay.h"
#include "log/log_dir.h"

namespace stele::app {

namespace {

constexpr size_t kAtOnce = 4;

struct RecoverArguments {
  std::vector<std::string> paths;
  bool json = false;
};

std::string text_of(const std::string& path, const log::JournalReplay& done, bool json) {
  if (json) {
    nlohmann::ordered_json document;
    document["kind"] = "log_dir";
    document["path"] = path;
    document["journal"] = done.found;
    document["records"] = done.records;
    document["partitions"] = done.partitions;
    return document.dump();
  }
  if (!done.found) return fmt::format("{}: no journal, nothing to do", path);
  return fmt::format("{}: {} records put back into {} partitions, the journal is removed", path,
                     human_count(static_cast<uint64_t>(done.records)), human_count(done.partitions));
}

base::Task<base::Result<log::JournalReplay>> recover(io::Shard& shard, std::string path) {
  STELE_CO_TRY_ASSIGN(const std::unique_ptr<log::LogDir> dir, co_await log::LogDir::open(shard, path));
  if (!dir->meta()) {
    co_return base::Error{base::ErrorCode::kInvalidRequest, fmt::format("{} is no log dir: no meta.properties", path)};
  }
  STELE_CO_TRY_ASSIGN(const bool found, co_await log::has_journals(*dir->directory()));
  if (!found) co_return log::JournalReplay{};
  STELE_CO_TRY(co_await dir->begin());
  co_return co_await log::replay_journals(shard, *dir, kAtOnce);
}

base::Task<int> recover_all(io::Shard& shard, const RecoverArguments& arguments) {
  for (const std::string& given : arguments.paths) {
    std::error_code error;
    const std::string path = std::filesystem::canonical(given, error).string();
    if (error) co_return report_usage(fmt::format("cannot read {}: {}", given, error.message()), arguments.json);
    const auto done = co_await recover(shard, path);
    if (!done.ok() && done.code() == base::ErrorCode::kInvalidRequest) {
      co_return report_usage(done.error().message, arguments.json);
    }
    if (!done.ok()) co_return report(done.error(), arguments.json);
    print_line(text_of(path, *done, arguments.json));
  }
  co_return kExitOk;
}

}  // namespace

void add_recover_command(CLI::App& log, Chosen& chosen) {
  auto arguments = std::make_shared<RecoverArguments>();
  CLI::App* recover = log.add_subcommand(
      "recover", "Empty the journal that a crash of a broker with stele.durability=synced left in log dirs");
  recover->add_option("path", arguments->paths, "log dirs; no broker runs on them")->required();
  add_json_option(*recover, arguments->json);
  recover->callback([&chosen, arguments] {
    chosen = [arguments] {
      return run_on_shard([&arguments](io::Shard& shard) { return recover_all(shard, *arguments); });
    };
  });
}

}  // namespace stele::app
