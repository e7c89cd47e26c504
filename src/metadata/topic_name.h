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

// Names that are the same under this collide: '.' and '_' become one in the names of metrics.
inline std::string collision_form(std::string_view name) {
  std::string form{name};
  std::replace(form.begin(), form.end(), '.', '_');
  return form;
}

}  // namespace stele::metadata
