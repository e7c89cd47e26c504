// Which broker options may change while the broker runs, with the answers of Kafka's DynamicBrokerConfig.
#include <fmt/format.h>

#include "config/broker_config.h"

namespace stele::config {
namespace {

bool has_listener_prefix(std::string_view name) { return name.starts_with("listener.name."); }

bool is_security(std::string_view name) {
  return name.starts_with("ssl.") || name.starts_with("sasl.") || name == "principal.builder.class";
}

base::Error invalid_request(std::string message) { return {base::ErrorCode::kInvalidRequest, std::move(message)}; }

// The first of Kafka's three complaints about names, with all names it is about.
base::Result<> check_names(const ConfigMap& values, bool this_broker) {
  std::vector<std::string_view> fixed;
  std::vector<std::string_view> unprefixed;
  std::vector<std::string_view> single;
  for (const auto& [name, text] : values) {
    const Option* option = find_broker_option(name);
    if (option == nullptr) continue;
    if (has_listener_prefix(name) || option->mode == UpdateMode::kPerBroker) single.push_back(name);
    if (has_listener_prefix(name)) continue;
    if (option->mode == UpdateMode::kReadOnly) fixed.push_back(name);
    if (is_security(name) && option->mode != UpdateMode::kReadOnly) unprefixed.push_back(name);
  }
  if (!fixed.empty()) {
    return invalid_request(fmt::format("Cannot update these configs dynamically: [{}]", fmt::join(fixed, ", ")));
  }
  if (!unprefixed.empty()) {
    return invalid_request(fmt::format(
        "These security configs can be dynamically updated only per-listener using the listener prefix: [{}]",
        fmt::join(unprefixed, ", ")));
  }
  if (!this_broker && !single.empty()) {
    return invalid_request(
        fmt::format("Cannot update these configs at default cluster level, broker id must be specified: [{}]",
                    fmt::join(single, ", ")));
  }
  return {};
}

// What KafkaConfig demands of values that are fine one by one.
base::Result<> check_together(const BrokerConfig& config, const ConfigMap& values) {
  if (const auto retention = values.find("log.retention.ms"); retention != values.end()) {
    if (trimmed(retention->second) == "0") {
      return invalid_request(
          "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1");
    }
  }
  const auto per_ip = values.find("max.connections.per.ip");
  if (per_ip != values.end() && trimmed(per_ip->second) == "0" &&
      !values.contains("max.connections.per.ip.overrides") && config.text("max.connections.per.ip.overrides").empty()) {
    return invalid_request(
        "requirement failed: max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides "
        "property "
        "is set.");
  }
  return {};
}

}  // namespace

base::Result<> check_dynamic_values(const BrokerConfig& config, const ConfigMap& values, bool this_broker) {
  STELE_TRY(check_names(values, this_broker));
  for (const auto& [name, text] : values) {
    const Option* option = find_broker_option(name);
    if (option == nullptr) continue;
    base::Result<Value> value = parse_value(*option, text);
    if (!value.ok()) return invalid_request(value.error().message);
    if (option->effect == Effect::kRefuses && *value != default_value(*option) && !config.allow_insecure()) {
      return base::Error{
          base::ErrorCode::kInvalidConfig,
          fmt::format("Stele does not support {} yet, and to ignore it would weaken security or durability", name)};
    }
  }
  return check_together(config, values);
}

}  // namespace stele::config
