// stele docs: pages that the program writes about itself, or what they are made from as JSON.
#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/command.h"
#include "app/common_options.h"
#include "config/manual.h"
#include "config/option.h"
#include "server/coverage.h"

namespace stele::app {

namespace {

using Json = nlohmann::ordered_json;

void print_options(const char* scope, std::string_view title, std::span<const config::Option> options) {
  constexpr std::array<const char*, 4> kEffects{"yes", "not needed", "not yet", "refused"};
  for (const config::Option& option : options) {
    if (option.internal) continue;
    Json document;
    document["option"] = option.name;
    document["scope"] = scope;
    document["subject"] = title;
    document["type"] = config::type_name(option.type);
    document["default"] = option.default_value == nullptr ? Json(nullptr) : Json(option.default_value);
    document["update"] = config::mode_name(option.mode);
    document["effect"] = kEffects.at(static_cast<size_t>(option.effect));
    document["text"] = option.text;
    print_line(document.dump());
  }
}

void print_configuration() {
  for (const config::OptionGroup& group : config::broker_option_groups()) {
    print_options("broker", group.title, group.options);
  }
  print_options("topic", "Topic configs", config::topic_options());
  print_options("group", "Group configs", config::group_options());
}

void print_protocol() {
  const auto range = [](const std::pair<int16_t, int16_t>& versions) {
    return Json{{"min", versions.first}, {"max", versions.second}};
  };
  for (const server::ApiCoverage& api : server::api_coverage()) {
    Json document;
    document["key"] = api.key;
    document["api"] = api.name;
    document["stele"] = api.served ? range(*api.served) : Json(nullptr);
    document["kafka"] = range(api.kafka);
    print_line(document.dump());
  }
}

}  // namespace

void add_docs_commands(CLI::App& program, Chosen& chosen) {
  CLI::App* docs = program.add_subcommand("docs", "Print a page of the manual");
  docs->require_subcommand(1);
  auto json = std::make_shared<bool>(false);
  const auto add_page = [&](const char* name, const char* text, std::string (*write)(), void (*print_json)()) {
    CLI::App* page = docs->add_subcommand(name, text);
    add_json_option(*page, *json);
    page->callback([&chosen, write, print_json, json] {
      chosen = [write, print_json, json] {
        if (*json) {
          print_json();
        } else {
          const std::string text = write();
          std::fwrite(text.data(), 1, text.size(), stdout);
        }
        return kExitOk;
      };
    });
  };
  add_page("configuration", "Every option of brokers, topics and groups, as Markdown", &config::configuration_manual,
           &print_configuration);
  add_page("protocol", "The APIs that are served, as Markdown", &server::protocol_coverage, &print_protocol);
}

}  // namespace stele::app
