// The program `stele`: one command line for the broker and for those who look after it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string_view>

#include "app/command.h"

int main(int argc, char** argv) {
  CLI::App program{
      "Stele: a replicated log that speaks Kafka's protocol, on Kafka's own files.\n"
      "Exit codes: 0 done, 1 refused or damaged, 2 wrong usage; of a broker also 3 configuration, 4 port, 5 lock, 6 "
      "disk.",
      "stele"};
  program.set_version_flag("--version", "stele " STELE_VERSION " (speaks the protocol of Apache Kafka 4.3.1)");
  program.set_help_all_flag("--help-all", "the help of all commands");
  program.require_subcommand(1);
  program.get_formatter()->column_width(34);
  stele::app::Chosen chosen;
  stele::app::add_broker_command(program, chosen);
  stele::app::add_topic_commands(program, chosen);
  stele::app::add_produce_command(program, chosen);
  stele::app::add_consume_command(program, chosen);
  stele::app::add_log_commands(program, chosen);
  stele::app::add_format_command(program, chosen);
  stele::app::add_top_command(program, chosen);
  stele::app::add_docs_commands(program, chosen);
  stele::app::add_help_command(program, chosen);
  if (argc == 1) {
    fmt::print(stderr, "{}", program.help());
    return stele::app::kExitUsage;
  }
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // --help and --version come here too, with exit code 0.
    const bool json = std::find(argv, argv + argc, std::string_view{"--json"}) != argv + argc;
    if (json && error.get_exit_code() != 0) return stele::app::report_usage(error.what(), true);
    return program.exit(error) == 0 ? stele::app::kExitOk : stele::app::kExitUsage;
  }
  const int code = chosen();
  if (std::fflush(stdout) != 0) return stele::app::kExitRefused;
  return code;
}
