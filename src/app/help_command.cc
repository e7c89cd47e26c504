// stele help: `stele help topic create` is `stele topic create --help`; with --json, every command and option below it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/command.h"
#include "app/common_options.h"

namespace stele::app {

namespace {

using Json = nlohmann::ordered_json;

Json describe(const CLI::App& command) {
  Json document;
  document["command"] = command.get_name();
  document["text"] = command.get_description();
  document["options"] = Json::array();
  for (const CLI::Option* option : command.get_options()) {
    Json& entry = document["options"].emplace_back();
    entry["name"] = option->get_name(false, true);
    entry["text"] = option->get_description();
    entry["required"] = option->get_required();
    entry["flag"] = option->get_expected_max() == 0;
    if (!option->get_default_str().empty()) entry["default"] = option->get_default_str();
  }
  document["commands"] = Json::array();
  for (const CLI::App* below : command.get_subcommands([](const CLI::App*) { return true; })) {
    document["commands"].push_back(describe(*below));
  }
  return document;
}

int help(const CLI::App& program, const std::vector<std::string>& words, bool json) {
  const CLI::App* at = &program;
  std::string name = "stele";
  for (const std::string& word : words) {
    const auto found = at->get_subcommands([&word](const CLI::App* command) { return command->get_name() == word; });
    if (found.empty()) {
      return report_usage(fmt::format("there is no command '{} {}'; see 'stele help'", name, word), json);
    }
    at = found.front();
    name += " " + word;
  }
  if (json) {
    print_line(describe(*at).dump(-1, ' ', false, Json::error_handler_t::replace));
  } else {
    fmt::print("{}", at->get_formatter()->make_help(at, name, CLI::AppFormatMode::Normal));
  }
  return kExitOk;
}

}  // namespace

void add_help_command(CLI::App& program, Chosen& chosen) {
  auto words = std::make_shared<std::vector<std::string>>();
  auto json = std::make_shared<bool>(false);
  CLI::App* command = program.add_subcommand("help", "Explain a command");
  command->add_option("command", *words, "its words, as in: stele help topic create");
  add_json_option(*command, *json);
  command->callback(
      [&program, &chosen, words, json] { chosen = [&program, words, json] { return help(program, *words, *json); }; });
}

}  // namespace stele::app
