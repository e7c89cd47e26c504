#include "coordinator/group/offset_store.h"

#include <utility>

namespace stele::coordinator {

void OffsetStore::replay(base::Offset at, base::ProducerId producer, const OffsetRecord& record) {
  if (!record.value) {
    if (erase(committed_, record.group_id, record.topic, record.partition)) --count_;
    for (auto& [id, groups] : pending_) erase(groups, record.group_id, record.topic, record.partition);
    return;
  }
  Groups& into = producer == base::kNoProducerId ? committed_ : pending_[producer];
  const bool fresh =
      into[record.group_id][record.topic].insert_or_assign(record.partition, Entry{*record.value, at}).second;
  if (fresh && producer == base::kNoProducerId) ++count_;
}

void OffsetStore::end_transaction(base::ProducerId producer, bool commit) {
  auto node = pending_.extract(producer);
  if (node.empty() || !commit) return;
  for (auto& [group_id, topics] : node.mapped()) {
    for (auto& [topic, partitions] : topics) {
      for (auto& [partition, entry] : partitions) {
        const Entry* present = find_in(committed_, group_id, topic, partition);
        // After compaction the order of the two commits is known by their offsets alone.
        if (present && present->record > entry.record) continue;
        if (!present) ++count_;
        committed_[group_id][topic].insert_or_assign(partition, std::move(entry));
      }
    }
  }
}

const OffsetStore::Topics* OffsetStore::group(std::string_view group_id) const {
  auto found = committed_.find(group_id);
  return found == committed_.end() ? nullptr : &found->second;
}

const CommittedOffset* OffsetStore::find(std::string_view group_id, std::string_view topic, int32_t partition) const {
  const Entry* entry = find_in(committed_, group_id, topic, partition);
  return entry ? &entry->value : nullptr;
}

bool OffsetStore::has_pending(std::string_view group_id, std::string_view topic, int32_t partition) const {
  for (const auto& [producer, groups] : pending_) {
    if (find_in(groups, group_id, topic, partition)) return true;
  }
  return false;
}

bool OffsetStore::has_open_transaction(std::string_view group_id) const {
  for (const auto& [producer, groups] : pending_) {
    if (groups.contains(group_id)) return true;
  }
  return false;
}

void OffsetStore::forget_topic(std::string_view topic, std::vector<GroupLogRecord>& records) const {
  std::set<std::pair<std::string_view, int32_t>> found;
  auto collect = [&](const Groups& groups) {
    for (const auto& [group_id, topics] : groups) {
      auto at = topics.find(topic);
      if (at == topics.end()) continue;
      for (const auto& [partition, entry] : at->second) found.emplace(group_id, partition);
    }
  };
  collect(committed_);
  for (const auto& [producer, groups] : pending_) collect(groups);
  for (const auto& [group_id, partition] : found) {
    records.emplace_back(OffsetRecord{std::string(group_id), std::string(topic), partition, std::nullopt});
  }
}

bool OffsetStore::erase(Groups& groups, const std::string& group_id, const std::string& topic, int32_t partition) {
  auto group = groups.find(group_id);
  if (group == groups.end()) return false;
  auto partitions = group->second.find(topic);
  if (partitions == group->second.end() || partitions->second.erase(partition) == 0) return false;
  if (partitions->second.empty()) group->second.erase(partitions);
  if (group->second.empty()) groups.erase(group);
  return true;
}

const OffsetStore::Entry* OffsetStore::find_in(const Groups& groups, std::string_view group_id, std::string_view topic,
                                               int32_t partition) {
  auto group = groups.find(group_id);
  if (group == groups.end()) return nullptr;
  auto partitions = group->second.find(topic);
  if (partitions == group->second.end()) return nullptr;
  auto entry = partitions->second.find(partition);
  return entry == partitions->second.end() ? nullptr : &entry->second;
}

}  // namespace stele::coordinator
