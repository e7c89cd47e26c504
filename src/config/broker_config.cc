#include "config/broker_config.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "config/broker_config_loader.h"

namespace stele::config {
namespace {

const Option& known(std::string_view name) {
  const Option* option = find_broker_option(name);
  STELE_CHECK(option != nullptr, "no option {}", name);
  return *option;
}

template <class T>
T of_type(const Value& value, std::string_view name) {
  if (std::holds_alternative<std::monostate>(value)) return T{};
  const T* typed = std::get_if<T>(&value);
  STELE_CHECK(typed != nullptr, "{} has another type", name);
  return *typed;
}

// A dynamic value takes the place of the whole chain: log.retention.ms also hides a log.retention.hours below it.
void lay_over(ConfigMap& below, const ConfigMap& above) {
  for (const auto& [name, value] : above) {
    for (const std::string_view synonym : broker_synonyms(name)) {
      if (const auto found = below.find(synonym); found != below.end()) below.erase(found);
    }
  }
  for (const auto& [name, value] : above) below[name] = value;
}

// What of the stored values may take effect: they were checked when they were set, perhaps by another version.
ConfigMap usable(const ConfigMap& values, bool this_broker) {
  ConfigMap kept;
  for (const auto& [name, value] : values) {
    const Option* option = find_broker_option(name);
    const bool fixed = option != nullptr && (option->mode == UpdateMode::kReadOnly ||
                                             (option->mode == UpdateMode::kPerBroker && !this_broker));
    if (!fixed && (option == nullptr || parse_value(*option, value).ok())) kept[name] = value;
  }
  return kept;
}

}  // namespace

std::string to_text(const Finding& finding) {
  return fmt::format("{}{}{}{}", finding.line > 0 ? fmt::format("line {}: ", finding.line) : "", finding.option,
                     finding.option.empty() ? "" : ": ", finding.message);
}

BrokerConfig::Loaded BrokerConfig::load(std::string_view properties, const ConfigMap& overrides) {
  return BrokerConfigLoader(/*from_file=*/true).load(properties, overrides);
}

BrokerConfig::Loaded BrokerConfig::without_file(const ConfigMap& overrides) {
  return BrokerConfigLoader(/*from_file=*/false).load("", overrides);
}

BrokerConfig BrokerConfig::without_file() {
  Loaded loaded = without_file(ConfigMap{});
  STELE_CHECK(loaded.config.has_value(), "the defaults are no valid configuration");
  return *std::move(loaded.config);
}

BrokerConfig BrokerConfig::with_dynamic(const ConfigMap& cluster_default, const ConfigMap& this_broker) const {
  BrokerConfig next = *this;
  next.dynamic_cluster_ = usable(cluster_default, false);
  next.dynamic_broker_ = usable(this_broker, true);
  next.effective_ = next.static_;
  lay_over(next.effective_, next.dynamic_cluster_);
  lay_over(next.effective_, next.dynamic_broker_);
  return next;
}

Value BrokerConfig::value(std::string_view name) const {
  const Option& option = known(name);
  const auto found = effective_.find(name);
  if (found == effective_.end()) return default_value(option);
  base::Result<Value> value = parse_value(option, found->second);
  STELE_CHECK(value.ok(), "{} was checked when it was read", name);
  return std::move(value).value();
}

bool BrokerConfig::boolean(std::string_view name) const { return of_type<bool>(value(name), name); }
int64_t BrokerConfig::number(std::string_view name) const { return of_type<int64_t>(value(name), name); }
double BrokerConfig::real(std::string_view name) const { return of_type<double>(value(name), name); }
std::string BrokerConfig::text(std::string_view name) const { return of_type<std::string>(value(name), name); }
std::vector<std::string> BrokerConfig::list(std::string_view name) const {
  return of_type<std::vector<std::string>>(value(name), name);
}

std::string BrokerConfig::metadata_log_dir() const {
  const std::string dir = text("metadata.log.dir");
  return dir.empty() ? log_dirs_.front() : dir;
}

int64_t BrokerConfig::log_retention_ms() const {
  constexpr int64_t kMinute = 60'000;
  int64_t ms = 0;
  if (const Value exact = value("log.retention.ms"); std::holds_alternative<int64_t>(exact)) {
    ms = std::get<int64_t>(exact);
  } else if (const Value minutes = value("log.retention.minutes"); std::holds_alternative<int64_t>(minutes)) {
    ms = std::get<int64_t>(minutes) * kMinute;
  } else {
    ms = number("log.retention.hours") * 60 * kMinute;
  }
  return ms < 0 ? -1 : ms;
}

int64_t BrokerConfig::log_roll_ms() const {
  const Value exact = value("log.roll.ms");
  if (std::holds_alternative<int64_t>(exact)) return std::get<int64_t>(exact);
  return number("log.roll.hours") * 3'600'000;
}

int64_t BrokerConfig::log_roll_jitter_ms() const {
  const Value exact = value("log.roll.jitter.ms");
  if (std::holds_alternative<int64_t>(exact)) return std::get<int64_t>(exact);
  return number("log.roll.jitter.hours") * 3'600'000;
}

int64_t BrokerConfig::log_flush_interval_ms() const {
  const Value exact = value("log.flush.interval.ms");
  if (std::holds_alternative<int64_t>(exact)) return std::get<int64_t>(exact);
  return number("log.flush.scheduler.interval.ms");
}

std::vector<std::string> replication_shortfalls(const BrokerConfig& config, int32_t brokers) {
  struct Wish {
    std::string_view option;
    std::string_view consequence;
  };
  constexpr Wish kWishes[] = {
      {"offsets.topic.replication.factor", "consumer groups cannot store offsets, and consumers that subscribe wait"},
      {"transaction.state.log.replication.factor", "transactions will not start"},
      {"share.coordinator.state.topic.replication.factor", "share groups will not start"},
      {"default.replication.factor", "topics created without a replication factor are refused"},
  };
  std::vector<std::string> sentences;
  for (const Wish& wish : kWishes) {
    const int64_t replicas = config.number(wish.option);
    if (replicas <= brokers) continue;
    sentences.push_back(fmt::format("{} is {}, but there {} {} broker{}: {}. Set {}={} or start more brokers.",
                                    wish.option, replicas, brokers == 1 ? "is" : "are", brokers,
                                    brokers == 1 ? "" : "s", wish.consequence, wish.option, brokers));
  }
  return sentences;
}

}  // namespace stele::config
