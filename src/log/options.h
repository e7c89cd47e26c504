// What a partition's log is told: its settings and where it reports to.
#pragma once

#include <cstdint>

#include "base/ids.h"
#include "base/result.h"

namespace stele::log {

class PartitionLog;

// The topic configs that the log acts on, in Kafka's units and with Kafka's defaults.
struct LogOptions {
  int64_t segment_bytes = 1 << 30;                        // segment.bytes
  int64_t segment_ms = int64_t{7} * 24 * 60 * 60 * 1000;  // segment.ms
  int64_t segment_jitter_ms = 0;                          // segment.jitter.ms: upper bound of what is drawn per segment
  int64_t index_interval_bytes = 4096;                    // index.interval.bytes
  int64_t index_bytes = 10 << 20;                         // segment.index.bytes
  int64_t retention_ms = int64_t{7} * 24 * 60 * 60 * 1000;  // retention.ms, -1: for ever
  int64_t retention_bytes = -1;                             // retention.bytes, -1: no bound
  bool delete_policy = true;                                // cleanup.policy contains "delete"
  bool compact = false;                                     // cleanup.policy contains "compact"
  int64_t file_delete_delay_ms = 60 * 1000;                 // file.delete.delay.ms
  int64_t producer_id_expiration_ms = 24 * 60 * 60 * 1000;  // producer.id.expiration.ms
  int64_t producers_max = 100'000;                          // stele.producer.ids.max
  int64_t recheck_ms = 60 * 1000;                           // stele.fetch.recheck.ms
  bool synced = false;                                      // stele.durability: what counts is synced, not only written
};

// Told on the shard of the log, outside of any call into it. Must not destroy the log.
class LogObserver {
 public:
  virtual ~LogObserver() = default;
  // counted_end() moved up.
  virtual void on_counted(PartitionLog& log) = 0;
  // A write or a sync failed: the log is over and its log dir is to go offline. Once for each log.
  virtual void on_failed(PartitionLog& log, const base::Error& error) = 0;
};

}  // namespace stele::log
