#include "config/describe.h"

#include <algorithm>

#include "config/topic_config.h"

namespace stele::config {
namespace {

void add_if_set(std::vector<DescribedSynonym>& out, const ConfigMap& values, std::string_view name, bool sensitive,
                ConfigSource source) {
  const auto found = values.find(name);
  if (found == values.end()) return;
  out.push_back({std::string(name), sensitive ? std::nullopt : std::optional(found->second), source});
}

// Every place where one of the chain's names has a value, the strongest place first. As in Kafka, what stands before
// the first entry of `name` itself is dropped: a retention.ms that comes from log.retention.hours alone shows no
// synonym.
std::vector<DescribedSynonym> broker_chain(const BrokerConfig& broker, std::string_view name, bool sensitive) {
  const std::vector<std::string_view> chain = broker_synonyms(name);
  std::vector<DescribedSynonym> found;
  for (const std::string_view synonym : chain) {
    add_if_set(found, broker.dynamic_broker_values(), synonym, sensitive, ConfigSource::kDynamicBroker);
  }
  for (const std::string_view synonym : chain) {
    add_if_set(found, broker.dynamic_cluster_values(), synonym, sensitive, ConfigSource::kDynamicDefaultBroker);
  }
  for (const std::string_view synonym : chain) {
    add_if_set(found, broker.static_values(), synonym, sensitive, ConfigSource::kStaticBroker);
  }
  for (const std::string_view synonym : chain) {
    const Option* option = find_broker_option(synonym);
    if (option == nullptr || option->default_value == nullptr || synonym.starts_with("listener.name.")) continue;
    found.push_back({std::string(synonym), sensitive ? std::nullopt : std::optional<std::string>(option->default_value),
                     ConfigSource::kDefault});
  }
  const auto own = std::ranges::find(found, name, &DescribedSynonym::name);
  found.erase(found.begin(), own);
  return found;
}

std::optional<std::string> shown(const Value& value, bool sensitive) {
  if (sensitive || std::holds_alternative<std::monostate>(value)) return std::nullopt;
  return to_text(value);
}

std::string_view first_synonym(const Option& option) { return option.synonyms.substr(0, option.synonyms.find(',')); }

// A topic's or group's config: its override, then the broker's chain behind it.
DescribedConfig describe_override(const BrokerConfig& broker, const ConfigMap& overrides, const Option& option,
                                  ConfigSource source) {
  DescribedConfig described;
  described.name = option.name;
  described.type = option.type;
  described.documentation = option.text;
  Value value = inherited_value(broker, option);
  if (!option.synonyms.empty()) described.synonyms = broker_chain(broker, first_synonym(option), option.sensitive());
  if (const auto own = overrides.find(option.name); own != overrides.end()) {
    if (base::Result<Value> parsed = parse_value(option, own->second); parsed.ok()) value = std::move(parsed).value();
    described.synonyms.insert(described.synonyms.begin(), {std::string(option.name), to_text(value), source});
  }
  described.value = shown(value, option.sensitive());
  described.sensitive = option.sensitive();
  if (!described.synonyms.empty()) described.source = described.synonyms.front().source;
  return described;
}

DescribedConfig describe_broker_option(const BrokerConfig& broker, std::string_view name, const Option* option) {
  DescribedConfig described;
  described.name = name;
  described.sensitive = option == nullptr || option->sensitive();  // what is not known may be a secret
  described.synonyms = broker_chain(broker, name, described.sensitive);
  if (!described.synonyms.empty()) described.source = described.synonyms.front().source;
  described.read_only = option == nullptr || option->mode == UpdateMode::kReadOnly;
  if (option != nullptr) {
    const auto set = broker.effective_values().find(name);
    const base::Result<Value> parsed =
        set == broker.effective_values().end() ? default_value(*option) : parse_value(*option, set->second);
    if (parsed.ok()) described.value = shown(*parsed, described.sensitive);
    described.type = option->type;
    described.documentation = option->text;
  }
  return described;
}

void sort_by_name(std::vector<DescribedConfig>& configs) { std::ranges::sort(configs, {}, &DescribedConfig::name); }

}  // namespace

std::vector<DescribedConfig> describe_topic(const BrokerConfig& broker, const ConfigMap& overrides) {
  std::vector<DescribedConfig> configs;
  for (const Option& option : topic_options()) {
    if (option.internal && !overrides.contains(option.name)) continue;
    configs.push_back(describe_override(broker, overrides, option, ConfigSource::kDynamicTopic));
  }
  sort_by_name(configs);
  return configs;
}

std::vector<DescribedConfig> describe_group(const BrokerConfig& broker, const ConfigMap& overrides) {
  std::vector<DescribedConfig> configs;
  for (const Option& option : group_options()) {
    configs.push_back(describe_override(broker, overrides, option, ConfigSource::kDynamicGroup));
    // Kafka names the config itself where no broker option stands behind it.
    DescribedConfig& described = configs.back();
    if (option.synonyms.empty() && option.default_value != nullptr) {
      described.synonyms.push_back({described.name, option.default_value, ConfigSource::kDefault});
    }
  }
  sort_by_name(configs);
  return configs;
}

std::vector<DescribedConfig> describe_broker(const BrokerConfig& broker) {
  std::vector<DescribedConfig> configs;
  for (const OptionGroup& group : broker_option_groups()) {
    for (const Option& option : group.options) {
      if (option.internal && !broker.effective_values().contains(option.name)) continue;
      configs.push_back(describe_broker_option(broker, option.name, &option));
    }
  }
  for (const auto& [name, text] : broker.effective_values()) {
    const Option* option = find_broker_option(name);
    if (option != nullptr && option->name == name) continue;
    configs.push_back(describe_broker_option(broker, name, option));
  }
  sort_by_name(configs);
  return configs;
}

std::vector<DescribedConfig> describe_all_brokers(const BrokerConfig& broker) {
  std::vector<DescribedConfig> configs;
  for (const auto& [name, text] : broker.dynamic_cluster_values()) {
    DescribedConfig described = describe_broker_option(broker, name, find_broker_option(name));
    std::erase_if(described.synonyms,
                  [](const DescribedSynonym& s) { return s.source != ConfigSource::kDynamicDefaultBroker; });
    if (!described.sensitive) described.value = text;
    described.source = ConfigSource::kDynamicDefaultBroker;
    configs.push_back(std::move(described));
  }
  return configs;
}

}  // namespace stele::config
