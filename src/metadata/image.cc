#include "metadata/image.h"

#include <fmt/format.h>

#include <algorithm>

namespace stele::metadata {

bool Partition::has_replica(base::BrokerId broker) const {
  return std::find(replicas.begin(), replicas.end(), broker) != replicas.end();
}

bool Partition::in_isr(base::BrokerId broker) const { return std::find(isr.begin(), isr.end(), broker) != isr.end(); }

base::DirectoryId Partition::directory_of(base::BrokerId broker) const {
  for (size_t i = 0; i < replicas.size() && i < directories.size(); ++i) {
    if (replicas[i] == broker) return directories[i];
  }
  return base::kUnassignedDirectory;
}

const Partition* Topic::find(base::PartitionIndex index) const {
  const auto* found = partitions.find(index.value());
  return found == nullptr ? nullptr : found->get();
}

const Endpoint* Broker::endpoint(std::string_view listener) const {
  for (const Endpoint& endpoint : endpoints) {
    if (endpoint.listener == listener) return &endpoint;
  }
  return nullptr;
}

bool Broker::has_online_dir(base::DirectoryId dir) const {
  if (dir == base::kUnassignedDirectory || dir == base::kMigratingDirectory) return true;
  if (dir == base::kLostDirectory) return false;
  return log_dirs.empty() || std::find(log_dirs.begin(), log_dirs.end(), dir) != log_dirs.end();
}

const Topic* Image::topic(const base::TopicId& id) const {
  const auto* found = topics.find(id);
  return found == nullptr ? nullptr : found->get();
}

const Topic* Image::topic(std::string_view name) const {
  const base::TopicId* id = topic_ids.find(std::string{name});
  return id == nullptr ? nullptr : topic(*id);
}

const Partition* Image::partition(std::string_view topic_name, base::PartitionIndex index) const {
  const Topic* found = topic(topic_name);
  return found == nullptr ? nullptr : found->find(index);
}

const Partition* Image::partition(const base::TopicId& id, base::PartitionIndex index) const {
  const Topic* found = topic(id);
  return found == nullptr ? nullptr : found->find(index);
}

const Broker* Image::broker(base::BrokerId id) const {
  const auto* found = brokers.find(id.value());
  return found == nullptr ? nullptr : found->get();
}

bool Image::is_active(base::BrokerId id) const {
  const Broker* found = broker(id);
  return found != nullptr && found->is_active();
}

const ConfigMap* Image::config_of(const ConfigResource& resource) const {
  const auto* found = configs.find(resource);
  return found == nullptr ? nullptr : found->get();
}

std::optional<std::string_view> Image::config(ResourceType type, std::string_view name, std::string_view key) const {
  const ConfigMap* all = config_of({type, std::string{name}});
  if (all == nullptr) return std::nullopt;
  const auto found = all->find(std::string{key});
  if (found == all->end()) return std::nullopt;
  return found->second.value;
}

int16_t Image::feature(std::string_view name) const {
  const auto* found = features.find(std::string{name});
  return found == nullptr ? int16_t{0} : found->first;
}

std::vector<std::string> Image::unenforced() const {
  std::vector<std::string> found;
  const auto count = [&](size_t n, const char* one, const char* many) {
    if (n > 0) found.push_back(fmt::format("{} {}", n, n == 1 ? one : many));
  };
  count(acls.size(), "ACL", "ACLs");
  count(scram_credentials.size(), "SCRAM credential", "SCRAM credentials");
  count(client_quotas.size(), "client quota", "client quotas");
  count(delegation_tokens.size(), "delegation token", "delegation tokens");
  return found;
}

}  // namespace stele::metadata
