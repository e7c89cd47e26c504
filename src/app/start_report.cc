// What a broker tells of itself once it serves: a line for people, a document for programs.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "app/broker_process.h"

namespace stele::app {

std::string StartReport::to_text() const {
  std::vector<std::string> places, levels;
  for (const auto& [path, id] : dirs) places.push_back(path + "=" + (id.empty() ? "offline" : id));
  for (const auto& [name, level] : features) levels.push_back(fmt::format("{}={}", name, level));
  return fmt::format(
      "stele {} node {} cluster {} listening on {} http {} dirs {} ({} start) features {} topics {} partitions {}",
      version, node, cluster, fmt::join(listeners, ","), http_port == 0 ? "off" : std::to_string(http_port),
      fmt::join(places, ","), start, fmt::join(levels, ","), topics, partitions);
}

std::string StartReport::to_json() const {
  nlohmann::ordered_json document;
  document["kind"] = "ready";
  document["version"] = version;
  document["node_id"] = node;
  document["cluster_id"] = cluster;
  document["listeners"] = listeners;
  if (http_port != 0) document["http_port"] = http_port;
  document["log_dirs"] = nlohmann::ordered_json::array();
  for (const auto& [path, id] : dirs) {
    auto& dir = document["log_dirs"].emplace_back();
    dir["path"] = path;
    if (id.empty()) {
      dir["offline"] = true;
    } else {
      dir["directory_id"] = id;
    }
  }
  document["start"] = start;
  document["features"] = nlohmann::ordered_json::object();
  for (const auto& [name, level] : features) document["features"][name] = level;
  document["topics"] = topics;
  document["partitions"] = partitions;
  return document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace stele::app
