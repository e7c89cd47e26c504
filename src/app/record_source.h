// Where `stele consume` gets its records from: chosen partitions, or a group's share of a topic.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "app/rdkafka_handle.h"
#include "base/result.h"

namespace stele::app {

class RecordSource {
 public:
  // Reads `partitions` of a topic from `offset` on: a number, or RD_KAFKA_OFFSET_BEGINNING, _END or _TAIL(n). No group
  // is touched.
  static base::Result<std::unique_ptr<RecordSource>> of_partitions(const ClientOptions& options,
                                                                   const std::string& topic,
                                                                   const std::vector<int32_t>& partitions,
                                                                   int64_t offset);
  // Joins a group. Where the group has no offset yet it starts at the beginning, or at the end.
  static base::Result<std::unique_ptr<RecordSource>> of_group(const ClientOptions& options, const std::string& topic,
                                                              const std::string& group, bool from_beginning);
  RecordSource(const RecordSource&) = delete;
  RecordSource& operator=(const RecordSource&) = delete;
  // Leaves the group.
  ~RecordSource();

  // The next record; null where none came in the time.
  base::Result<RdMessage> next(int timeout_ms);
  // A group's next member begins behind this record; committed now and then, and when the source goes.
  void done_with(const rd_kafka_message_t& message);
  // Every partition was read to where its end was when it was looked at last.
  bool at_end() const;

 private:
  RecordSource() = default;

  RdClient client_;
  RdTopic topic_;
  RdQueue queue_;
  std::vector<int32_t> started_;  // partitions read without a group
  std::set<int32_t> ended_;
};

}  // namespace stele::app
