// The configuration of one broker: what server.properties says, over Kafka's defaults, under what was changed while the
// broker runs. Immutable: a change makes a new one. Classes do not take this; app/ hands each the values it needs.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/endpoint.h"
#include "config/option.h"
#include "config/properties.h"
#include "config/value.h"

namespace stele::config {

// Names and values as they were written.
using ConfigMap = std::map<std::string, std::string, std::less<>>;

// Something the person who wrote the file must or should know.
struct Finding {
  enum class Severity : uint8_t { kWarning, kError };
  Severity severity = Severity::kError;
  std::string option;
  int line = 0;         // 0: no line of the file is to blame
  std::string message;  // a sentence, with what to do

  bool is_error() const { return severity == Severity::kError; }
};

// "line 12: log.retention.ms: Not a number..."
std::string to_text(const Finding& finding);

struct Listeners {
  std::vector<Endpoint> brokers;  // what clients may connect to, at least one
  std::vector<Endpoint>
      advertised;  // one for each of `brokers`, in the same order; an empty host is this machine's name
  std::vector<Endpoint> controllers;
  std::string inter_broker;  // name of the listener among brokers
};

class BrokerConfig {
 public:
  struct Loaded;

  // Reads and checks a server.properties. All findings are returned, not only the first. `overrides` come from the
  // command line (--override name=value, as Kafka has it): they take the place of the file's lines without a warning.
  static Loaded load(std::string_view properties, const ConfigMap& overrides = {});
  // Without a file: Kafka's defaults, but for replication factors and minimal in-sync sets of the internal topics,
  // which are 1.
  static BrokerConfig without_file();
  static Loaded without_file(const ConfigMap& overrides);

  // The same file with other dynamic values: those of all brokers (the entity "") and those of this one. Values that do
  // not parse or may not change are left out; they were checked when they were set.
  BrokerConfig with_dynamic(const ConfigMap& cluster_default, const ConfigMap& this_broker) const;

  // Effective values; the name must be in the table and of that type. A value that is not set is false, 0 or empty.
  bool boolean(std::string_view name) const;
  int64_t number(std::string_view name) const;  // int, short and long
  double real(std::string_view name) const;
  std::string text(std::string_view name) const;  // string, class and password
  std::vector<std::string> list(std::string_view name) const;
  Value value(std::string_view name) const;

  const Listeners& listeners() const { return listeners_; }
  const std::vector<std::string>& log_dirs() const { return log_dirs_; }
  std::string metadata_log_dir() const;
  int32_t node_id() const { return static_cast<int32_t>(number("node.id")); }
  bool allow_insecure() const { return boolean("stele.allow.insecure"); }
  bool from_file() const { return from_file_; }

  // Chains of options, resolved. -1: never.
  int64_t log_retention_ms() const;
  int64_t log_roll_ms() const;
  int64_t log_roll_jitter_ms() const;
  int64_t log_flush_interval_ms() const;

  const ConfigMap& static_values() const { return static_; }
  const ConfigMap& dynamic_cluster_values() const { return dynamic_cluster_; }
  const ConfigMap& dynamic_broker_values() const { return dynamic_broker_; }
  const ConfigMap& effective_values() const { return effective_; }

 private:
  friend class BrokerConfigLoader;
  BrokerConfig() = default;

  ConfigMap static_;
  ConfigMap dynamic_cluster_;
  ConfigMap dynamic_broker_;
  ConfigMap effective_;  // all three, the strongest last
  Listeners listeners_;
  std::vector<std::string> log_dirs_;
  bool from_file_ = false;
};

struct BrokerConfig::Loaded {
  std::optional<BrokerConfig> config;  // absent if there is an error
  std::vector<Finding> findings;       // in the order of their lines
};

// Options that ask for more replicas than there are brokers, one sentence each: topics they stand for cannot be
// created.
std::vector<std::string> replication_shortfalls(const BrokerConfig& config, int32_t brokers);

// Whether these values may be set while the broker runs; `this_broker` false for the default of all brokers. Kafka's
// error codes and sentences; beside them a value that Stele would have to ignore at the cost of security or durability
// is INVALID_CONFIG unless stele.allow.insecure is set.
base::Result<> check_dynamic_values(const BrokerConfig& config, const ConfigMap& values, bool this_broker);

}  // namespace stele::config
