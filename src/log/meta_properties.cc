#include "log/meta_properties.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <chrono>

namespace stele::log {

namespace {

using base::ErrorCode;

constexpr std::string_view kBlanks = " \t\f";

// Takes the next logical line off `text`: continued lines joined, comments and empty lines skipped.
bool take_line(std::string_view& text, std::string& line) {
  line.clear();
  bool continued = false;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of("\r\n"), text.size());
    std::string_view raw = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    raw.remove_prefix(std::min(raw.find_first_not_of(kBlanks), raw.size()));
    if (!continued && (raw.empty() || raw.front() == '#' || raw.front() == '!')) continue;
    size_t slashes = 0;
    while (slashes < raw.size() && raw[raw.size() - 1 - slashes] == '\\') ++slashes;
    continued = slashes % 2 == 1;
    line += continued ? raw.substr(0, raw.size() - 1) : raw;
    if (!continued) return true;
  }
  return continued;
}

char unescape(char c) {
  switch (c) {
    case 't':
      return '\t';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 'f':
      return '\f';
    default:
      return c;
  }
}

std::string unescape_all(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    out += text[i] == '\\' && i + 1 < text.size() ? unescape(text[++i]) : text[i];
  }
  return out;
}

constexpr std::string_view kControls = "\t\n\r\f";
constexpr std::string_view kControlNames = "tnrf";

// As java.util.Properties.store() writes it.
std::string escape(std::string_view text, bool key) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (const size_t control = kControls.find(c); control != std::string_view::npos) {
      out += '\\';
      out += kControlNames[control];
      continue;
    }
    const bool blank = c == ' ' && (key || i == 0);
    if (blank || c == '\\' || c == '=' || c == ':' || c == '#' || c == '!') out += '\\';
    out += c;
  }
  return out;
}

template <class T>
std::optional<T> number(const std::string& text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::map<std::string, std::string> parse_properties(std::string_view text) {
  std::map<std::string, std::string> properties;
  std::string line;
  while (take_line(text, line)) {
    size_t end = 0;
    while (end < line.size() && line[end] != '=' && line[end] != ':' && kBlanks.find(line[end]) == std::string::npos) {
      end += line[end] == '\\' ? 2 : 1;
    }
    end = std::min(end, line.size());
    size_t value = std::min(line.find_first_not_of(kBlanks, end), line.size());
    if (value < line.size() && (line[value] == '=' || line[value] == ':')) {
      value = std::min(line.find_first_not_of(kBlanks, value + 1), line.size());
    }
    properties[unescape_all(std::string_view{line}.substr(0, end))] =
        unescape_all(std::string_view{line}.substr(value));
  }
  return properties;
}

std::string format_properties(const std::map<std::string, std::string>& properties, std::string_view comment) {
  std::string out = fmt::format("#\n#{}\n", comment);
  for (const auto& [key, value] : properties) out += escape(key, true) + "=" + escape(value, false) + "\n";
  return out;
}

std::string properties_date(base::Timestamp now) {
  constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::chrono::sys_seconds seconds{std::chrono::seconds{now.value() / 1000}};
  const auto day = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{seconds - day};
  return fmt::format("{} {} {:02} {:02}:{:02}:{:02} UTC {}", kDays[std::chrono::weekday{day}.c_encoding()],
                     kMonths[unsigned{date.month()} - 1], unsigned{date.day()}, time.hours().count(),
                     time.minutes().count(), time.seconds().count(), int{date.year()});
}

base::Result<MetaProperties> parse_meta_properties(std::string_view text) {
  const auto properties = parse_properties(text);
  const auto get = [&](const char* key) {
    const auto at = properties.find(key);
    return at == properties.end() ? std::string{} : at->second;
  };
  const std::string version = get("version");
  if (version == "0" || (version.empty() && properties.contains("broker.id"))) {
    return {ErrorCode::kInvalidConfig,
            "meta.properties has version 0, of a broker that still used ZooKeeper: migrate the cluster to KRaft with "
            "Apache Kafka 3.9 first"};
  }
  if (version != "1") {
    return {ErrorCode::kInvalidConfig, fmt::format("meta.properties has version '{}', only 1 is known", version)};
  }
  MetaProperties result;
  result.cluster_id = get("cluster.id");
  if (result.cluster_id.empty()) return {ErrorCode::kInvalidConfig, "meta.properties has no cluster.id"};
  const auto node = number<int32_t>(get("node.id"));
  if (!node || *node < 0) {
    return {ErrorCode::kInvalidConfig, fmt::format("meta.properties has the node.id '{}'", get("node.id"))};
  }
  result.node_id = base::BrokerId{*node};
  if (const std::string directory = get("directory.id"); !directory.empty()) {
    result.directory_id = base::Uuid::parse(directory);
    if (!result.directory_id) {
      return {ErrorCode::kInvalidConfig, fmt::format("meta.properties has the directory.id '{}'", directory)};
    }
  }
  return result;
}

std::string format_meta_properties(const MetaProperties& properties, std::string_view date) {
  std::map<std::string, std::string> entries{
      {"version", "1"}, {"cluster.id", properties.cluster_id}, {"node.id", std::to_string(properties.node_id.value())}};
  if (properties.directory_id) entries["directory.id"] = properties.directory_id->to_string();
  return format_properties(entries, date);
}

std::string format_clean_shutdown(base::BrokerEpoch epoch) {
  return fmt::format("{{\"version\":0,\"brokerEpoch\":{}}}", epoch.value());
}

base::BrokerEpoch parse_clean_shutdown(std::string_view text) {
  constexpr std::string_view kKey = "\"brokerEpoch\"";
  const size_t key = text.find(kKey);
  if (key == std::string_view::npos) return base::BrokerEpoch{-1};
  const size_t start = text.find_first_not_of(": \t\n", key + kKey.size());
  if (start == std::string_view::npos) return base::BrokerEpoch{-1};
  const size_t end = std::min(text.find_first_not_of("-0123456789", start), text.size());
  return base::BrokerEpoch{number<int64_t>(std::string{text.substr(start, end - start)}).value_or(-1)};
}

std::string format_partition_metadata(base::TopicId topic_id) {
  return fmt::format("version: 0\ntopic_id: {}", topic_id.to_string());
}

base::Result<base::TopicId> parse_partition_metadata(std::string_view text) {
  const auto properties = parse_properties(text);
  const auto version = properties.find("version");
  if (version == properties.end() || version->second != "0") {
    return {ErrorCode::kCorruptMessage, "partition.metadata has no version 0"};
  }
  const auto topic_id = properties.find("topic_id");
  const auto id = topic_id == properties.end() ? std::nullopt : base::Uuid::parse(topic_id->second);
  if (!id || id->is_zero()) return {ErrorCode::kCorruptMessage, "partition.metadata has no topic id"};
  return *id;
}

}  // namespace stele::log
