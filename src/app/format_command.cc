// stele format: makes empty log dirs those of a new cluster, as kafka-storage format does.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "app/command.h"
#include "app/common_options.h"
#include "app/shard_work.h"
#include "config/broker_config.h"
#include "log/log_dir.h"
#include "log/meta_properties.h"
#include "metadata/format.h"

namespace stele::app {

namespace {

struct FormatArguments {
  std::string config_path;
  std::string cluster_id;
  std::string release = "4.3";
  bool standalone = false;
  bool ignore_formatted = false;
  bool json = false;
};

constexpr uint64_t kMetaBytesMax = 1 << 20;

// False for an empty log dir. kInvalidConfig for one with files that are no cluster's.
base::Task<base::Result<bool>> is_formatted(io::Directory& directory) {
  STELE_CO_TRY_ASSIGN(const std::vector<io::Entry> entries, co_await directory.list());
  if (std::ranges::find(entries, log::kMetaPropertiesName, &io::Entry::name) != entries.end()) co_return true;
  for (const io::Entry& entry : entries) {
    if (log::is_blank_entry(entry)) continue;
    co_return base::Error{
        base::ErrorCode::kInvalidConfig,
        fmt::format("{} is not empty: it holds '{}' but no meta.properties. Name an empty directory in "
                    "log.dirs, or move these files away",
                    directory.path(), entry.name),
        ENOTEMPTY};
  }
  co_return false;
}

struct BlankDir {
  std::unique_ptr<io::Directory> directory;
  bool has_metadata = false;  // the metadata log goes there
};

metadata::Format format_of(const FormatArguments& arguments, const config::BrokerConfig& config) {
  metadata::Format format;
  format.cluster_id = arguments.cluster_id;
  format.node = base::BrokerId{config.node_id()};
  format.version = *metadata::parse_metadata_version(arguments.release);
  return format;
}

base::Task<base::Result<void>> format_dirs(io::Shard& shard, FormatArguments arguments,
                                           const config::BrokerConfig& config) {
  if (arguments.cluster_id.empty()) arguments.cluster_id = base::Uuid::make_random(shard.random()).to_string();
  std::vector<BlankDir> blank;
  const std::string metadata_path = config.metadata_log_dir();
  std::vector<std::string> paths = config.log_dirs();
  if (std::ranges::find(paths, metadata_path) == paths.end()) paths.push_back(metadata_path);
  for (const std::string& path : paths) {
    STELE_CO_TRY_ASSIGN(auto directory, co_await shard.open_directory(path, true));
    STELE_CO_TRY_ASSIGN(const bool formatted, co_await is_formatted(*directory));
    if (!formatted) {
      blank.push_back({std::move(directory), path == metadata_path});
    } else if (arguments.ignore_formatted) {
      STELE_CO_TRY_ASSIGN(const auto text,
                          co_await io::read_whole(*directory, std::string{log::kMetaPropertiesName}, kMetaBytesMax));
      STELE_CO_TRY_ASSIGN(const log::MetaProperties meta, log::parse_meta_properties(base::as_text(text)));
      arguments.cluster_id = meta.cluster_id;
    } else {
      co_return base::Error{base::ErrorCode::kInvalidConfig,
                            fmt::format("{} is formatted already; --ignore-formatted leaves it as it is", path),
                            EEXIST};
    }
  }
  const auto& controllers = config.listeners().controllers;
  for (const auto& [directory, has_metadata] : blank) {
    metadata::Format format = format_of(arguments, config);
    format.directory = base::Uuid::make_random(shard.random());
    if (arguments.standalone && has_metadata && !controllers.empty()) {
      const config::Endpoint& at = controllers.front();
      format.standalone = metadata::Voter{.node = format.node,
                                          .listener = at.listener,
                                          .host = at.host.empty() ? "localhost" : at.host,
                                          .port = static_cast<uint16_t>(at.port)};
    }
    STELE_CO_TRY(co_await metadata::format_log_dir(*directory, format, shard.clock().wall()));
    nlohmann::ordered_json document;
    document["log_dir"] = directory->path();
    document["cluster_id"] = arguments.cluster_id;
    document["directory_id"] = format.directory.to_string();
    document["metadata_version"] = metadata::metadata_version_name(format.version);
    print_line(arguments.json ? document.dump()
                              : fmt::format("formatted {}: cluster {}, directory {}, metadata.version {}",
                                            directory->path(), arguments.cluster_id, format.directory.to_string(),
                                            metadata::metadata_version_name(format.version)));
  }
  if (blank.empty() && !arguments.json) print_line("all log dirs are formatted already");
  co_return base::Result<void>{};
}

base::Task<int> format_and_report(io::Shard& shard, const FormatArguments& arguments,
                                  const config::BrokerConfig& config) {
  const auto done = co_await format_dirs(shard, arguments, config);
  co_return done.ok() ? kExitOk : report(done.error(), arguments.json);
}

int run(const FormatArguments& arguments) {
  const auto version = metadata::parse_metadata_version(arguments.release);
  if (!version) {
    return report_usage(fmt::format("'{}' is no release from 4.0 to 4.3", arguments.release), arguments.json);
  }
  // Kafka takes any text; it stands in a line of meta.properties.
  if (std::ranges::any_of(arguments.cluster_id, [](unsigned char c) { return c <= ' ' || c >= 0x7f; })) {
    return report_usage("a cluster id has no blanks and no other letters than those of ASCII", arguments.json);
  }
  std::ifstream file{arguments.config_path};
  if (!file) {
    return report_usage(fmt::format("cannot read {}: {}", arguments.config_path, std::strerror(errno)), arguments.json);
  }
  std::stringstream content;
  content << file.rdbuf();
  const auto loaded = config::BrokerConfig::load(content.str());
  for (const config::Finding& finding : loaded.findings) {
    if (finding.is_error())
      report_usage(fmt::format("{}: {}", arguments.config_path, to_text(finding)), arguments.json);
  }
  if (!loaded.config) return kExitUsage;
  return run_on_shard([&](io::Shard& shard) { return format_and_report(shard, arguments, *loaded.config); });
}

}  // namespace

void add_format_command(CLI::App& program, Chosen& chosen) {
  CLI::App* command = program.add_subcommand("format", "Make empty log dirs those of a new cluster");
  auto arguments = std::make_shared<FormatArguments>();
  command->add_option("-c,--config", arguments->config_path, "server.properties that names the log dirs")->required();
  command->add_option("-t,--cluster-id", arguments->cluster_id, "id of the cluster; a new one where not given");
  command->add_flag("-s,--standalone", arguments->standalone,
                    "keep the one voter in the log, where others can join it later");
  command->add_option("-r,--release-version", arguments->release, "release or metadata.version to write, from 4.0 on")
      ->capture_default_str();
  command->add_flag("-g,--ignore-formatted", arguments->ignore_formatted,
                    "leave log dirs alone that are formatted already");
  add_json_option(*command, arguments->json);
  command->callback([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace stele::app
