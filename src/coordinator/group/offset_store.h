// Committed offsets of all groups of one partition of __consumer_offsets: what a replay of its records gives.
// Offsets of transactions that are still open (found in a log that Apache Kafka wrote) wait beside, by producer id.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "coordinator/group/records.h"

namespace stele::coordinator {

class OffsetStore {
 public:
  struct Entry {
    CommittedOffset value;
    base::Offset record;  // where it stands in the log
  };
  using Partitions = std::map<int32_t, Entry>;
  using Topics = std::map<std::string, Partitions, std::less<>>;

  // `producer` is kNoProducerId outside of a transaction.
  void replay(base::Offset at, base::ProducerId producer, const OffsetRecord& record);
  // The end of a producer's transaction: its offsets become visible, unless newer ones were committed since, or vanish.
  void end_transaction(base::ProducerId producer, bool commit);

  // Null where nothing is committed.
  const Topics* group(std::string_view group_id) const;
  const CommittedOffset* find(std::string_view group_id, std::string_view topic, int32_t partition) const;
  bool has_pending(std::string_view group_id, std::string_view topic, int32_t partition) const;
  bool has_open_transaction(std::string_view group_id) const;

  // Tombstones for every committed or pending offset of the topic.
  void forget_topic(std::string_view topic, std::vector<GroupLogRecord>& records) const;
  size_t count() const { return count_; }

 private:
  using Groups = std::map<std::string, Topics, std::less<>>;

  static bool erase(Groups& groups, const std::string& group_id, const std::string& topic, int32_t partition);
  static const Entry* find_in(const Groups& groups, std::string_view group_id, std::string_view topic,
                              int32_t partition);

  Groups committed_;
  std::map<base::ProducerId, Groups> pending_;
  size_t count_ = 0;
};

}  // namespace stele::coordinator
