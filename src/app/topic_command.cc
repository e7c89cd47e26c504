// stele topic create|list|describe|alter|delete.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>
#include <memory>

#include "app/admin_client.h"
#include "app/command.h"
#include "app/common_options.h"
#include "app/topic_admin.h"
#include "app/topic_text.h"

namespace stele::app {

namespace {

// Options of all five; each reads its own.
struct TopicArguments {
  ClientOptions client;
  std::vector<std::string> names;
  std::optional<int32_t> partitions;
  std::optional<int16_t> replication_factor;
  std::vector<std::string> configs;
  std::vector<std::string> removed;
  bool internal = false;
  bool if_exists = false;
  bool if_not_exists = false;
  bool dry_run = false;
};

// Prints what became of each topic; the exit code of all of them.
int conclude(const std::vector<TopicOutcome>& outcomes, std::string_view done, const TopicArguments& arguments,
             base::ErrorCode accepted) {
  int code = kExitOk;
  for (const TopicOutcome& outcome : outcomes) {
    const bool passed = !outcome.error || outcome.error->code == accepted;
    if (!passed) {
      code = report(*outcome.error, arguments.client.json);
    } else {
      print_line(outcome_text(outcome, outcome.error ? "unchanged" : done, arguments.dry_run, arguments.client.json));
    }
  }
  return code;
}

int create(const TopicArguments& arguments) {
  auto configs = split_key_values(arguments.configs);
  if (!configs.ok()) return report_usage(configs.error().message, arguments.client.json);
  auto client = AdminClient::connect(arguments.client.bootstrap, arguments.client.timeout());
  if (!client.ok()) return report(client.error(), arguments.client.json);
  auto outcomes = create_topics(*client, arguments.names,
                                {.partitions = arguments.partitions.value_or(-1),
                                 .replication_factor = arguments.replication_factor.value_or(-1),
                                 .configs = *configs,
                                 .validate_only = arguments.dry_run});
  if (!outcomes.ok()) return report(outcomes.error(), arguments.client.json);
  return conclude(*outcomes, "created", arguments,
                  arguments.if_not_exists ? base::ErrorCode::kTopicAlreadyExists : base::ErrorCode::kNone);
}

int remove(const TopicArguments& arguments) {
  auto client = AdminClient::connect(arguments.client.bootstrap, arguments.client.timeout());
  if (!client.ok()) return report(client.error(), arguments.client.json);
  auto outcomes = delete_topics(*client, arguments.names);
  if (!outcomes.ok()) return report(outcomes.error(), arguments.client.json);
  return conclude(*outcomes, "deleted", arguments,
                  arguments.if_exists ? base::ErrorCode::kUnknownTopicOrPartition : base::ErrorCode::kNone);
}

int list(const TopicArguments& arguments) {
  auto client = AdminClient::connect(arguments.client.bootstrap, arguments.client.timeout());
  if (!client.ok()) return report(client.error(), arguments.client.json);
  auto topics = read_topics(*client, std::nullopt);
  if (!topics.ok()) return report(topics.error(), arguments.client.json);
  std::erase_if(*topics, [&](const Topic& topic) { return topic.internal && !arguments.internal; });
  for (const std::string& line : list_lines(*topics, arguments.client.json)) print_line(line);
  return kExitOk;
}

int describe(const TopicArguments& arguments) {
  auto client = AdminClient::connect(arguments.client.bootstrap, arguments.client.timeout());
  if (!client.ok()) return report(client.error(), arguments.client.json);
  auto topics = read_topics(*client, arguments.names.empty() ? std::nullopt : std::optional{arguments.names});
  if (!topics.ok()) return report(topics.error(), arguments.client.json);
  if (arguments.names.empty()) {
    std::erase_if(*topics, [&](const Topic& topic) { return topic.internal && !arguments.internal; });
  }
  if (auto read = read_configs(*client, *topics); !read.ok()) return report(read.error(), arguments.client.json);
  if (auto read = read_eligible(*client, *topics); !read.ok()) return report(read.error(), arguments.client.json);
  int code = kExitOk;
  for (const Topic& topic : *topics) {
    if (topic.error) {
      code = report(*topic.error, arguments.client.json);
    } else {
      print_line(describe_text(topic, arguments.client.json));
    }
  }
  return code;
}

int alter(const TopicArguments& arguments) {
  auto set = split_key_values(arguments.configs);
  if (!set.ok()) return report_usage(set.error().message, arguments.client.json);
  if (set->empty() && arguments.removed.empty() && !arguments.partitions) {
    return report_usage("nothing to alter: give --partitions, --config or --delete-config", arguments.client.json);
  }
  auto client = AdminClient::connect(arguments.client.bootstrap, arguments.client.timeout());
  if (!client.ok()) return report(client.error(), arguments.client.json);
  const bool configs = !set->empty() || !arguments.removed.empty();
  // Two requests are not one change: each is tried first, so that a fault in one leaves the other undone.
  for (const bool validate_only : {true, false}) {
    if (!validate_only && arguments.dry_run) break;
    if (validate_only && !(configs && arguments.partitions) && !arguments.dry_run) continue;
    const std::string& name = arguments.names.front();
    auto done = configs ? alter_configs(*client, name, *set, arguments.removed, validate_only) : base::Result<void>{};
    if (done.ok() && arguments.partitions) done = add_partitions(*client, name, *arguments.partitions, validate_only);
    if (!done.ok()) return report(done.error(), arguments.client.json);
  }
  TopicOutcome outcome{.name = arguments.names.front()};
  print_line(outcome_text(outcome, "altered", arguments.dry_run, arguments.client.json));
  return kExitOk;
}

CLI::App* add(CLI::App& topic, Chosen& chosen, std::string name, std::string text, int (*run)(const TopicArguments&),
              const std::shared_ptr<TopicArguments>& arguments) {
  CLI::App* command = topic.add_subcommand(std::move(name), std::move(text));
  add_client_options(*command, arguments->client);
  command->callback([&chosen, run, arguments] { chosen = [run, arguments] { return run(*arguments); }; });
  return command;
}

}  // namespace

void add_topic_commands(CLI::App& program, Chosen& chosen) {
  CLI::App* topic = program.add_subcommand("topic", "Create, list, describe, alter and delete topics");
  topic->require_subcommand(1);
  auto arguments = std::make_shared<TopicArguments>();

  CLI::App* make = add(*topic, chosen, "create", "Make topics", create, arguments);
  make->add_option("name", arguments->names, "names of the new topics")->required();
  make->add_option("-p,--partitions", arguments->partitions, "how many; the brokers' num.partitions where not given")
      ->check(CLI::Range(1, 1'000'000));
  make->add_option("-r,--replication-factor", arguments->replication_factor,
                   "copies of each partition; the brokers' default.replication.factor where not given")
      ->check(CLI::Range(1, 1000));
  make->add_option("-c,--config", arguments->configs, "name=value of a topic config; may be repeated")
      ->take_all()
      ->allow_extra_args(false);
  make->add_flag("--if-not-exists", arguments->if_not_exists, "no error where the topic is there already");
  make->add_flag("--dry-run", arguments->dry_run, "let the brokers check the request, make nothing");

  CLI::App* all = add(*topic, chosen, "list", "Show the topics there are", list, arguments);
  all->add_flag("--internal", arguments->internal, "internal topics too");

  CLI::App* show =
      add(*topic, chosen, "describe", "Show partitions, leaders, replicas and configs", describe, arguments);
  show->add_option("name", arguments->names, "which topics; all where none is named");
  show->add_flag("--internal", arguments->internal, "internal topics too, where none is named");

  CLI::App* change = add(*topic, chosen, "alter", "Add partitions; set and remove configs", alter, arguments);
  change->add_option("name", arguments->names, "the topic")->required()->expected(1);
  change->add_option("-p,--partitions", arguments->partitions, "how many there are to be; more than now")
      ->check(CLI::Range(1, 1'000'000));
  change->add_option("-c,--config", arguments->configs, "name=value to set; may be repeated")
      ->take_all()
      ->allow_extra_args(false);
  change
      ->add_option("--delete-config", arguments->removed, "name of a config to give its default back; may be repeated")
      ->take_all()
      ->allow_extra_args(false);
  change->add_flag("--dry-run", arguments->dry_run, "let the brokers check the request, change nothing");

  CLI::App* gone = add(*topic, chosen, "delete", "Delete topics with all their records", remove, arguments);
  gone->add_option("name", arguments->names, "the topics")->required();
  gone->add_flag("--if-exists", arguments->if_exists, "no error where the topic is not there");
}

}  // namespace stele::app
