// stele docs: pages that the program writes about itself.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "app/command.h"
#include "config/manual.h"
#include "server/coverage.h"

namespace stele::app {

void add_docs_commands(CLI::App& program, Chosen& chosen) {
  CLI::App* docs = program.add_subcommand("docs", "Print a page of the manual");
  docs->require_subcommand(1);
  const auto add_page = [docs, &chosen](const char* name, const char* text, std::string (*write)()) {
    docs->add_subcommand(name, text)->callback([&chosen, write] {
      chosen = [write] {
        const std::string page = write();
        std::fwrite(page.data(), 1, page.size(), stdout);
        return kExitOk;
      };
    });
  };
  add_page("configuration", "Every option of brokers, topics and groups, as Markdown", &config::configuration_manual);
  add_page("protocol", "The APIs that are served, as Markdown", &server::protocol_coverage);
}

}  // namespace stele::app
