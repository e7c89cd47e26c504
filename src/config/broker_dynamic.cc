// Which broker options may change while the broker runs, with the answers of Kafka's DynamicBrokerConfig.
#include <fmt/format.h>

#include "config/broker_config.h"

namespace stele::config {
namespace {

bool has_listener_prefix(std::string_view name) { return name.starts_with("listener.name."); }

bool is_security(std::string_view name) {
  return name.starts_with("ssl.") || name.starts_with("sasl.") || name == "principal.builder.class";
}

base::Error refused(std::string_view sentence, std::string_view name) {
  return {base::ErrorCode::kInvalidRequest, fmt::format("{}: Set({})", sentence, name)};
}

}  // namespace

base::Result<> check_dynamic_values(const BrokerConfig& config, const ConfigMap& values, bool this_broker) {
  // Kafka's order: first every name, then every value.
  for (const auto& [name, text] : values) {
    const Option* option = find_broker_option(name);
    if (option == nullptr || has_listener_prefix(name)) continue;
    if (option->mode == UpdateMode::kReadOnly) return refused("Cannot update these configs dynamically", name);
    if (is_security(name)) {
      return refused("These security configs can be dynamically updated only per-listener using the listener prefix",
                     name);
    }
    if (!this_broker && option->mode == UpdateMode::kPerBroker) {
      return refused("Cannot update these configs at default cluster level, broker id must be specified", name);
    }
  }
  for (const auto& [name, text] : values) {
    const Option* option = find_broker_option(name);
    if (option == nullptr) continue;
    base::Result<Value> value = parse_value(*option, text);
    if (!value.ok()) return base::Error{base::ErrorCode::kInvalidRequest, value.error().message};
    if (option->effect == Effect::kRefuses && *value != default_value(*option) && !config.allow_insecure()) {
      return base::Error{
          base::ErrorCode::kInvalidConfig,
          fmt::format("Stele does not support {} yet, and to ignore it would weaken security or durability", name)};
    }
  }
  return {};
}

}  // namespace stele::config
