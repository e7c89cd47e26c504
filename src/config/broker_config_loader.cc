#include "config/broker_config_loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

namespace stele::config {
namespace {

// Options of Kafka's ZooKeeper days that version 4 no longer has; many files still carry them.
constexpr std::array<std::string_view, 11> kRemoved = {
    "zookeeper.",
    "inter.broker.protocol.version",
    "log.message.format.version",
    "log.message.downconversion.enable",
    "log.message.timestamp.difference.max.ms",
    "offsets.commit.required.acks",
    "password.encoder.",
    "delegation.token.master.key",
    "broker.id.generation.enable",
    "reserved.broker.max.id",
    "control.plane.listener.name",
};

std::string plural(size_t n, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", n, n == 1 ? one : many);
}

}  // namespace

void BrokerConfigLoader::error(std::string_view option, std::string message) {
  const auto line = lines_.find(option);
  findings_.push_back(
      {Finding::Severity::kError, std::string(option), line == lines_.end() ? 0 : line->second, std::move(message)});
}

void BrokerConfigLoader::warning(std::string_view option, std::string message) {
  error(option, std::move(message));
  findings_.back().severity = Finding::Severity::kWarning;
}

void BrokerConfigLoader::refuse(std::string_view option, std::string message) {
  const auto allowed = config_.static_.find("stele.allow.insecure");
  if (allowed != config_.static_.end() && trimmed(allowed->second) == "true") {
    warning(option, fmt::format("IGNORED because stele.allow.insecure=true: {}", message));
    return;
  }
  error(option,
        fmt::format("{} Remove it, or set stele.allow.insecure=true to start without its protection.", message));
}

BrokerConfig::Loaded BrokerConfigLoader::load(std::string_view properties, const ConfigMap& overrides) {
  base::Result<std::vector<Property>> parsed = parse_properties(properties);
  if (!parsed.ok()) {
    findings_.push_back({Finding::Severity::kError, "", 0, parsed.error().message});
    return {std::nullopt, std::move(findings_)};
  }
  std::erase_if(*parsed, [&](const Property& property) { return overrides.contains(property.key); });
  for (const auto& [name, value] : overrides) parsed->push_back({name, value, 0});
  take(*parsed);
  fill_in();
  config_.effective_ = config_.static_;
  // The checks of whole chapters read typed values, so they wait until every single value is right.
  if (std::ranges::none_of(findings_, &Finding::is_error)) {
    check_roles();
    check_voters();
    check_log_dirs();
    check_ranges();
    resolve_listeners();
  }
  std::ranges::sort(findings_, {}, [](const Finding& f) { return std::tie(f.line, f.option, f.message); });
  if (std::ranges::any_of(findings_, &Finding::is_error)) return {std::nullopt, std::move(findings_)};
  return {std::move(config_), std::move(findings_)};
}

void BrokerConfigLoader::take(const std::vector<Property>& properties) {
  // All values first: what one line means may depend on stele.allow.insecure further down.
  std::vector<const Property*> last;
  for (const Property& property : properties) {
    if (is_set(property.key)) {
      std::erase_if(last, [&](const Property* earlier) { return earlier->key == property.key; });
      const int earlier_line = lines_[property.key];
      lines_[property.key] = property.line;
      warning(property.key, fmt::format("set again; the value of line {} does not count", earlier_line));
    }
    config_.static_[property.key] = property.value;
    lines_[property.key] = property.line;
    last.push_back(&property);
  }
  for (const Property* property : last) {
    const Option* option = find_broker_option(property->key);
    option != nullptr ? take_known(*option, *property) : take_unknown(*property);
  }
}

void BrokerConfigLoader::take_known(const Option& option, const Property& property) {
  const base::Result<Value> value = parse_value(option, property.value);
  if (!value.ok()) {
    error(property.key, value.error().message);
    return;
  }
  if (*value == default_value(option) || (option.default_value == nullptr && trimmed(property.value).empty())) return;
  switch (option.effect) {
    case Effect::kHonoured:
    case Effect::kSilent:
      return;
    case Effect::kWarns:
      warning(property.key, "has no effect yet in this version of Stele");
      return;
    case Effect::kRefuses:
      refuse(property.key,
             "Stele does not support this option yet, and to ignore it would weaken security or durability.");
      return;
  }
}

void BrokerConfigLoader::take_unknown(const Property& property) {
  const std::string_view key = property.key;
  if (key.starts_with("stele.")) {
    const std::string_view near = nearest_broker_option(key);
    error(key,
          near.empty() ? "Stele has no such option" : fmt::format("Stele has no such option; did you mean {}?", near));
    return;
  }
  // Options of a listener's security that are not in the table still belong to security.
  if (key.starts_with("sasl.") || key.starts_with("ssl.") || key.find(".sasl.") != key.npos ||
      key.find(".ssl.") != key.npos) {
    refuse(key, "Stele does not support this option yet, and to ignore it would weaken security or durability.");
    return;
  }
  if (std::ranges::any_of(kRemoved, [&](std::string_view removed) { return key.starts_with(removed); })) {
    warning(key, "Apache Kafka 4 removed this option; it has no effect");
    return;
  }
  if (const Option* topic = find_topic_option(key); topic != nullptr && !topic->synonyms.empty()) {
    warning(key, fmt::format("is a topic config and has no effect here; the broker's option is {}",
                             topic->synonyms.substr(0, topic->synonyms.find(','))));
    return;
  }
  const std::string_view near = nearest_broker_option(key);
  warning(key,
          near.empty() ? "unknown option, ignored" : fmt::format("unknown option, ignored; did you mean {}?", near));
}

void BrokerConfigLoader::fill_in() {
  ConfigMap& values = config_.static_;
  const auto node = values.find("node.id");
  const auto broker = values.find("broker.id");
  if (node != values.end() && broker != values.end() && trimmed(node->second) != trimmed(broker->second)) {
    error("broker.id", fmt::format("is {} but node.id is {}; give both the same value or only node.id", broker->second,
                                   node->second));
  }
  // Kafka demands these three; one process that is both is what most files would say.
  values.try_emplace("node.id", broker == values.end() ? "1" : broker->second);
  values.try_emplace("broker.id", values["node.id"]);
  if (node == values.end() && broker != values.end() && trimmed(broker->second).starts_with('-')) {
    error("broker.id", "must not be negative; leave it out or set node.id to 0 or more");
  }
  values.try_emplace("process.roles", "broker,controller");
  values.try_emplace("controller.listener.names", "CONTROLLER");
  if (config_.from_file_) return;
  for (const std::string_view option :
       {"offsets.topic.replication.factor", "transaction.state.log.replication.factor", "transaction.state.log.min.isr",
        "share.coordinator.state.topic.replication.factor", "share.coordinator.state.topic.min.isr"}) {
    values.try_emplace(std::string(option), "1");
  }
}

void BrokerConfigLoader::check_roles() {
  const std::vector<std::string> roles = config_.list("process.roles");
  for (const std::string_view needed : {"broker", "controller"}) {
    if (std::ranges::find(roles, needed) != roles.end()) continue;
    error("process.roles", fmt::format("lacks the role {}; this version of Stele runs both in one process: set "
                                       "process.roles=broker,controller or leave it out",
                                       needed));
  }
}

void BrokerConfigLoader::check_voters() {
  const std::vector<std::string> voters = config_.list("controller.quorum.voters");
  if (voters.size() > 1) {
    refuse("controller.quorum.voters",
           fmt::format("names {} controllers; so far the metadata log is kept by this node alone.", voters.size()));
  }
  for (const std::string& text : voters) {
    const base::Result<Voter> voter = parse_voter(text);
    if (!voter.ok()) {
      error("controller.quorum.voters", voter.error().message);
    } else if (voters.size() == 1 && voter->id != config_.node_id()) {
      error("controller.quorum.voters",
            fmt::format("names node {}, but node.id is {}; this node must be the voter", voter->id, config_.node_id()));
    }
  }
  const std::vector<std::string> servers = config_.list("controller.quorum.bootstrap.servers");
  if (servers.size() > 1) {
    refuse("controller.quorum.bootstrap.servers",
           fmt::format("names {} controllers; so far the metadata log is kept by this node alone.", servers.size()));
  }
}

void BrokerConfigLoader::check_log_dirs() {
  const std::string_view option = is_set("log.dirs") ? "log.dirs" : "log.dir";
  config_.log_dirs_ = config_.list(option);
  std::vector<std::string>& dirs = config_.log_dirs_;
  if (dirs.empty() || std::ranges::any_of(dirs, &std::string::empty)) {
    error(option, "at least one directory must be named, and none may be empty");
  }
  for (size_t i = 1; i < dirs.size(); ++i) {
    if (std::find(dirs.begin(), dirs.begin() + i, dirs[i]) != dirs.begin() + i) {
      error(option, fmt::format("names {} twice", dirs[i]));
    }
  }
}

void BrokerConfigLoader::check_ranges() {
  for (const std::string_view option : {"log.retention.ms", "log.retention.minutes", "log.retention.hours"}) {
    const Value value = config_.value(option);
    if (const auto* number = std::get_if<int64_t>(&value); number != nullptr && *number == 0) {
      error(option, "must be -1 (for ever) or at least 1");
    }
  }
  if (config_.number("group.min.session.timeout.ms") > config_.number("group.max.session.timeout.ms")) {
    error("group.min.session.timeout.ms", "must not be greater than group.max.session.timeout.ms");
  }
  for (const std::string_view budget :
       {"stele.memory.data.bytes", "stele.memory.control.bytes", "stele.memory.groups.bytes"}) {
    if (config_.number(budget) < config_.number("socket.request.max.bytes")) {
      error(budget, fmt::format("must be at least socket.request.max.bytes ({}), so that the largest request fits",
                                config_.number("socket.request.max.bytes")));
    }
  }
}

std::map<std::string, std::string, std::less<>> BrokerConfigLoader::protocol_map() {
  std::map<std::string, std::string, std::less<>> protocols;
  for (const std::string& pair : split_list(config_.text("listener.security.protocol.map"))) {
    const size_t colon = pair.rfind(':');
    std::string name = pair.substr(0, colon);
    std::ranges::transform(name, name.begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    if (colon == std::string::npos || name.empty()) {
      error("listener.security.protocol.map", fmt::format("'{}' is no pair; write NAME:PROTOCOL", pair));
    } else {
      protocols[name] = std::string(trimmed(std::string_view(pair).substr(colon + 1)));
    }
  }
  // As in Kafka, a controller's listener need not stand in a map that was left at its default.
  if (!is_set("listener.security.protocol.map")) {
    for (const std::string& name : config_.list("controller.listener.names")) protocols.try_emplace(name, "PLAINTEXT");
  }
  return protocols;
}

std::vector<Endpoint> BrokerConfigLoader::endpoints(std::string_view option) {
  std::vector<Endpoint> parsed;
  for (const std::string& text : config_.list(option)) {
    base::Result<Endpoint> endpoint = parse_endpoint(text);
    if (endpoint.ok()) {
      parsed.push_back(std::move(endpoint).value());
    } else {
      error(option, endpoint.error().message);
    }
  }
  return parsed;
}

void BrokerConfigLoader::check_distinct(const std::vector<Endpoint>& all, std::string_view option) {
  for (size_t i = 0; i < all.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (all[i].listener == all[j].listener) {
        error(option, fmt::format("names the listener {} twice; give each its own name", all[i].listener));
      }
      if (option == "listeners" && all[i].port != 0 && all[i].port == all[j].port && all[i].host == all[j].host) {
        error(option, fmt::format("gives {} and {} the same address; give each its own port", all[j].listener,
                                  all[i].listener));
      }
    }
  }
}

void BrokerConfigLoader::check_protocols(const std::vector<Endpoint>& all) {
  const auto protocols = protocol_map();
  for (const Endpoint& endpoint : all) {
    const auto protocol = protocols.find(endpoint.listener);
    if (protocol == protocols.end()) {
      error("listeners",
            fmt::format("the listener {} has no protocol; add {}:PLAINTEXT to listener.security.protocol.map",
                        endpoint.listener, endpoint.listener));
    } else if (protocol->second != "PLAINTEXT") {
      const std::string_view option = is_set("listeners") ? "listeners" : "listener.security.protocol.map";
      refuse(option, fmt::format("the listener {} speaks {}; so far only PLAINTEXT is supported.", endpoint.listener,
                                 protocol->second));
    }
  }
}

void BrokerConfigLoader::resolve_listeners() {
  const std::vector<Endpoint> all = endpoints("listeners");
  if (all.size() < config_.list("listeners").size()) return;
  check_distinct(all, "listeners");
  check_protocols(all);
  const std::vector<std::string> controller_names = config_.list("controller.listener.names");
  for (const Endpoint& endpoint : all) {
    const bool controller = std::ranges::find(controller_names, endpoint.listener) != controller_names.end();
    (controller ? config_.listeners_.controllers : config_.listeners_.brokers).push_back(endpoint);
  }
  if (config_.listeners_.brokers.empty()) {
    error("listeners", "has no listener for clients; add one, for example PLAINTEXT://:9092");
    return;
  }
  resolve_advertised();
  const std::string named = config_.text("inter.broker.listener.name");
  config_.listeners_.inter_broker = named.empty() ? config_.listeners_.brokers.front().listener : named;
  if (!named.empty() &&
      std::ranges::find(config_.listeners_.brokers, named, &Endpoint::listener) == config_.listeners_.brokers.end()) {
    error("inter.broker.listener.name",
          fmt::format("names {}, which is none of this broker's {}", named,
                      plural(config_.listeners_.brokers.size(), "listener", "listeners")));
  }
}

void BrokerConfigLoader::resolve_advertised() {
  const std::vector<Endpoint> advertised = endpoints("advertised.listeners");
  check_distinct(advertised, "advertised.listeners");
  const std::vector<std::string> controller_names = config_.list("controller.listener.names");
  for (const Endpoint& endpoint : advertised) {
    const bool controller = std::ranges::find(controller_names, endpoint.listener) != controller_names.end();
    if (!controller && std::ranges::find(config_.listeners_.brokers, endpoint.listener, &Endpoint::listener) ==
                           config_.listeners_.brokers.end()) {
      error("advertised.listeners", fmt::format("names {}, which is not in listeners", endpoint.listener));
    }
  }
  for (const Endpoint& endpoint : config_.listeners_.brokers) {
    const auto own = std::ranges::find(advertised, endpoint.listener, &Endpoint::listener);
    Endpoint told = own == advertised.end() ? endpoint : *own;
    if (told.host == "0.0.0.0" || told.host == "::") {
      error(
          own != advertised.end() ? "advertised.listeners" : "listeners",
          fmt::format("{} cannot be told to clients as an address; name the host in advertised.listeners", told.host));
    }
    config_.listeners_.advertised.push_back(std::move(told));
  }
}

}  // namespace stele::config
