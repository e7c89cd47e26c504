#include "app/broker_command.h"

#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <thread>

#include "app/broker_process.h"
#include "app/command.h"
#include "config/broker_config.h"
#include "io/stderr_log.h"
#include "io/world.h"

namespace stele::app {

namespace {

// Kafka's files are many; the default soft limit is for programs that use select().
void raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void say(const BrokerArguments& arguments, base::LogLevel level, const std::string& text) {
  if (arguments.json) {
    io::StderrLog{base::LogLevel::kInfo, io::LogForm::kJson}.write(level, text);
  } else {
    std::fprintf(stderr, "%s %s\n", level == base::LogLevel::kError ? "error:" : "warning:", text.c_str());
  }
}

std::shared_ptr<const config::BrokerConfig> load_config(const BrokerArguments& arguments) {
  config::ConfigMap overrides;
  if (!arguments.data_dir.empty()) overrides.emplace("log.dirs", arguments.data_dir);
  config::BrokerConfig::Loaded loaded;
  if (arguments.config_path.empty()) {
    loaded = config::BrokerConfig::without_file(overrides);
  } else {
    std::ifstream file{arguments.config_path};
    if (!file) {
      say(arguments, base::LogLevel::kError, arguments.config_path + " cannot be read");
      return nullptr;
    }
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    loaded = config::BrokerConfig::load(text, overrides);
  }
  for (const config::Finding& finding : loaded.findings) {
    say(arguments, finding.is_error() ? base::LogLevel::kError : base::LogLevel::kWarn, config::to_text(finding));
  }
  if (!loaded.config) return nullptr;
  for (const std::string& shortfall : config::replication_shortfalls(*loaded.config, 1)) {
    say(arguments, base::LogLevel::kError, shortfall);
  }
  return std::make_shared<const config::BrokerConfig>(*std::move(loaded.config));
}

// This machine's name, as Kafka tells it to clients; without a configuration file "localhost", as the one that Kafka
// ships has it.
MachineFacts machine_facts(const config::BrokerConfig& config) {
  MachineFacts facts;
  if (const long allowed = sysconf(_SC_OPEN_MAX); allowed > 0) facts.open_files_allowed = static_cast<size_t>(allowed);
  std::array<char, 256> name{};
  if (config.from_file() && gethostname(name.data(), name.size() - 1) == 0) facts.host_name = name.data();
  return facts;
}

base::Task<void> run_control(io::World& world, BrokerProcess& process, int& exit_code) {
  exit_code = co_await process.run([&world](base::Signal& signal) { world.notify_termination(signal); });
  world.stop();
}

base::Task<void> run_other(io::Shard& shard) {
  base::Signal never{shard.executor()};
  co_await never.wait();
}

}  // namespace

int run_broker(const BrokerArguments& arguments) {
  const auto config = load_config(arguments);
  if (config == nullptr) return kExitConfig;
  raise_file_limit();
  std::signal(SIGPIPE, SIG_IGN);  // a log line to a closed pipe is no reason to die
  io::WorldOptions options;
  options.shards = static_cast<uint32_t>(config->number("stele.shards"));
  if (options.shards == 0) options.shards = std::max(1U, std::thread::hardware_concurrency());
  options.offload_threads =
      static_cast<uint32_t>(config->number("stele.log.dir.threads") * static_cast<int64_t>(config->log_dirs().size()));
  options.catch_termination = true;
  options.send_buffer_bytes = config->number("socket.send.buffer.bytes");
  io::StderrLog json_log{options.log_level, io::LogForm::kJson};
  if (arguments.json) options.log = &json_log;
  io::World world{options};
  std::vector<io::Shard*> shards;
  for (uint32_t i = 0; i < options.shards; ++i) shards.push_back(&world.shard(base::ShardId{i}));
  BrokerProcess process{std::move(shards), config, machine_facts(*config)};
  if (arguments.json) {
    process.on_ready([](const StartReport& report) {
      print_line(report.to_json());
      std::fflush(stdout);
    });
  }
  int exit_code = kExitFailed;
  world.start([&](io::Shard& shard) {
    return shard.id() == broker::kControlShard ? run_control(world, process, exit_code) : run_other(shard);
  });
  world.join();
  return exit_code;
}

void add_broker_command(CLI::App& program, Chosen& chosen) {
  auto arguments = std::make_shared<BrokerArguments>();
  CLI::App* broker = program.add_subcommand("broker", "Run a broker until SIGTERM or SIGINT");
  broker->add_option("--config", arguments->config_path,
                     "server.properties; without one, Kafka's defaults for one node");
  broker->add_option("--data", arguments->data_dir, "where the data goes, instead of log.dirs");
  broker->add_flag("--json", arguments->json,
                   "log lines as JSON on standard error; once it serves, a document about it on standard output");
  broker->callback([arguments, &chosen] { chosen = [arguments]() -> int { return run_broker(*arguments); }; });
}

}  // namespace stele::app
