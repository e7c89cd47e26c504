// stele docs: pages that the program writes about itself.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "app/command.h"
#include "config/manual.h"

namespace stele::app {

void add_docs_commands(CLI::App& program, Chosen& chosen) {
  CLI::App* docs = program.add_subcommand("docs", "Print a page of the manual");
  docs->require_subcommand(1);
  docs->add_subcommand("configuration", "Every option of brokers, topics and groups, as Markdown")->callback([&chosen] {
    chosen = [] {
      const std::string page = config::configuration_manual();
      std::fwrite(page.data(), 1, page.size(), stdout);
      return kExitOk;
    };
  });
}

}  // namespace stele::app
