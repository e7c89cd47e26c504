// What a topic may be called (org.apache.kafka.common.internals.Topic of Kafka).
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace stele::metadata {

inline constexpr size_t kTopicNameMax = 249;

// Letters, digits, '.', '_' and '-', but neither "." nor "..".
inline bool is_topic_name(std::string_view name) {
  if (name.empty() || name == "." || name == ".." || name.size() > kTopicNameMax) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

// What is wrong with a name that is none, in Kafka's words (Topic.validate).
inline std::string topic_name_fault(std::string_view name) {
  const std::string quoted = "'" + std::string{name} + "'";
  std::string fault = "Topic name is invalid: ";
  if (name.empty()) return fault + "the empty string is not allowed";
  if (name == "." || name == "..") return fault + quoted + " is not allowed";
  if (name.size() > kTopicNameMax) {
    return fault + "the length of " + quoted + " is longer than the max allowed length " +
           std::to_string(kTopicNameMax);
  }
  return fault + quoted + " contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'";
}

// Names that are the same under this collide: '.' and '_' become one in the names of metrics.
inline std::string collision_form(std::string_view name) {
  std::string form{name};
  std::replace(form.begin(), form.end(), '.', '_');
  return form;
}

}  // namespace stele::metadata
