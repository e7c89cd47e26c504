// Small text files: meta.properties of a log dir (java.util.Properties), .kafka_cleanshutdown (JSON),
// partition.metadata.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "base/uuid.h"

namespace stele::log {

inline constexpr std::string_view kMetaPropertiesName = "meta.properties";
inline constexpr std::string_view kCleanShutdownName = ".kafka_cleanshutdown";
inline constexpr std::string_view kLockName = ".lock";

// key=value, ':' and blanks separate too, '#' and '!' comments, '\' escapes and continued lines.
std::map<std::string, std::string> parse_properties(std::string_view text);
// Kafka writes a comment, then a comment with the date, then the entries; so do we. `comment` is that date.
std::string format_properties(const std::map<std::string, std::string>& properties, std::string_view comment);
// "Sat Nov 21 15:41:20 UTC 2026", as java.util.Date prints it.
std::string properties_date(base::Timestamp now);

// Whose log dir this is. Kafka's MetaProperties, version 1.
struct MetaProperties {
  std::string cluster_id;
  base::BrokerId node_id = base::kNoBroker;
  std::optional<base::DirectoryId> directory_id;  // made at the first start where it is absent
  friend bool operator==(const MetaProperties&, const MetaProperties&) = default;
};
// kInvalidConfig with what to do: version 0 (a broker of the ZooKeeper age), an unknown version, no cluster.id or
// node.id.
base::Result<MetaProperties> parse_meta_properties(std::string_view text);
std::string format_meta_properties(const MetaProperties& properties, std::string_view date);

// The presence of the file is what says "clean"; its content only carries the epoch of the last registration.
std::string format_clean_shutdown(base::BrokerEpoch epoch);
// -1 for content that is none.
base::BrokerEpoch parse_clean_shutdown(std::string_view text);

std::string format_partition_metadata(base::TopicId topic_id);
// kCorruptMessage: another version, no topic id.
base::Result<base::TopicId> parse_partition_metadata(std::string_view text);

}  // namespace stele::log
