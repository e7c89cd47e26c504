// Opens a partition's directory: finishes what a crash interrupted, checks what may be damaged, and cuts what is.
//
// Unclean: every batch from the segment that holds the recovery point on is checked (length, checksum, offsets that
// rise); the log ends before the first bad one, later segments go, and what is made from batches (indexes, epochs,
// producers) is made anew. Clean: the same for the tail of the active segment alone, behind its last index entry; a bad
// tail makes that segment unclean. A bad batch below the recovery point lay on stable storage once: nothing is cut for
// it where a good batch that begins at or below the recovery point comes behind it; it stays, and is never served.
// Kafka trusts a clean stop blindly here, and loses the partition where that is wrong.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "log/partition_log.h"
#include "log/warm_directory.h"

namespace stele::log {

class Recovery {
 public:
  Recovery(std::unique_ptr<PartitionLog> log, OpenArgs args);
  base::Task<base::Result<std::unique_ptr<PartitionLog>>> run();

 private:
  using SegmentPtr = PartitionLog::SegmentPtr;

  base::Task<base::Result<void>> look_inside();
  base::Task<base::Result<void>> check_topic_id();
  base::Error unknown_topic(std::string_view why) const;
  base::Task<base::Result<void>> tidy();
  base::Task<base::Result<void>> finish_swap(base::Offset base);
  base::Task<base::Result<void>> load_segments();
  base::Task<base::Result<void>> load_epochs();
  base::Task<base::Result<void>> read_all_epochs(size_t segments);
  base::Task<base::Result<void>> recover_from(size_t first);
  base::Task<base::Result<void>> write_snapshot(base::Offset offset);
  base::Result<void> spare_full_disk(base::Result<void> written);
  base::Task<base::Result<bool>> check_segment(SegmentPtr segment);
  std::string fault_of(const record::BatchView& batch, const Segment& segment) const;
  base::Task<base::Result<void>> write_again(size_t first);
  base::Task<base::Result<bool>> contradicted(std::shared_ptr<io::File> file, LocatedBatch batch, uint64_t size);
  base::Task<base::Result<bool>> keep_damage(SegmentPtr segment, BatchScanner& scanner, uint64_t at, std::string why);
  base::Task<base::Result<bool>> tail_is_good(SegmentPtr segment);
  base::Task<base::Result<void>> start_over_at_log_start();
  base::Task<base::Result<void>> settle(bool all_checked);
  base::Task<base::Result<void>> read_first_timestamp(SegmentPtr segment);
  base::Task<base::Result<void>> remove_stray_snapshots();
  base::Task<base::Result<void>> rename(std::string from, std::string to);
  base::Task<base::Result<void>> remove(std::string file);
  size_t segment_with(base::Offset offset) const;

  std::unique_ptr<PartitionLog> log_;
  OpenArgs args_;
  PartitionLog& l_;
  std::shared_ptr<WarmDirectory> warm_;  // stands in for the log dir until run() ends
  std::vector<io::Entry> files_;
  base::Offset end_;
  bool cut_ = false;  // something was cut: later segments go
  bool epochs_missing_ = false;
  bool made_ = false;       // the partition did not exist
  bool set_aside_ = false;  // names went that must not come back
};

}  // namespace stele::log
