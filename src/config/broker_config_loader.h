// Turns the lines of a server.properties into a BrokerConfig and a list of findings. Use BrokerConfig::load.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/broker_config.h"

namespace stele::config {

class BrokerConfigLoader {
 public:
  explicit BrokerConfigLoader(bool from_file) { config_.from_file_ = from_file; }

  BrokerConfig::Loaded load(std::string_view properties, const ConfigMap& overrides);

 private:
  void take(const std::vector<Property>& properties);
  void take_known(const Option& option, const Property& property);
  void take_unknown(const Property& property);
  void fill_in();
  void check_roles();
  void check_voters();
  void check_log_dirs();
  void check_ranges();
  std::map<std::string, std::string, std::less<>> protocol_map();
  std::vector<Endpoint> endpoints(std::string_view option);
  void check_distinct(const std::vector<Endpoint>& endpoints, std::string_view option);
  void resolve_listeners();
  void resolve_advertised();
  void check_protocols(const std::vector<Endpoint>& endpoints);

  bool is_set(std::string_view name) const { return config_.static_.contains(name); }
  void error(std::string_view option, std::string message);
  void warning(std::string_view option, std::string message);
  // An error, or a warning where stele.allow.insecure overrides it.
  void refuse(std::string_view option, std::string message);

  BrokerConfig config_;
  std::map<std::string, int, std::less<>> lines_;
  std::vector<Finding> findings_;
};

}  // namespace stele::config
