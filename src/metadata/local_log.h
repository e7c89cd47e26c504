// The metadata log of a quorum of one: Kafka's directory __cluster_metadata-0 on this machine's disk.
//
// Kafka's own controller can take the directory over and give it back. As it does, every start is taken for an unclean
// one: the segments behind the newest snapshot are read, and a torn tail is cut. Kafka rebuilds the indexes of this log
// at each start, and Stele needs none, so that ours stay empty.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/executor.h"
#include "base/uuid.h"
#include "io/file.h"
#include "io/shard.h"
#include "metadata/metadata_log.h"
#include "metadata/quorum_state.h"

namespace stele::metadata {

inline constexpr char kMetadataLogDirectory[] = "__cluster_metadata-0";

struct LocalLogOptions {
  base::BrokerId node{0};
  // Of the log dir.
  base::DirectoryId directory;
  uint64_t segment_bytes = uint64_t{1} << 30;      // metadata.log.segment.bytes
  int64_t segment_ms = 7LL * 24 * 3600 * 1000;     // metadata.log.segment.ms, by the times of its entries
  uint64_t retention_bytes = uint64_t{100} << 20;  // metadata.max.retention.bytes
  int64_t retention_ms = 7LL * 24 * 3600 * 1000;   // metadata.max.retention.ms
};

class LocalLog final : public MetadataLog {
 public:
  // Opens the metadata log below `log_dir`, and makes it where there is none. KAFKA_STORAGE_ERROR where the disk fails
  // or an entry other than the torn tail is damaged.
  static base::Task<base::Result<std::unique_ptr<LocalLog>>> open(io::Shard& shard,
                                                                  std::unique_ptr<io::Directory> log_dir,
                                                                  LocalLogOptions options);
  ~LocalLog() override;

  base::Task<base::Result<Claim>> claim() override;
  base::Task<AppendOutcome> append(base::LeaderEpoch epoch, base::Offset next_index, base::ByteVector batch) override;
  base::Task<base::Result<Entries>> read(base::Offset from, size_t bytes_max) override;
  base::Offset start() const override { return start_; }
  base::Offset end() const override { return committed_; }
  void set_waits_for_space(bool waits) override { waits_for_space_ = waits; }
  void watch(base::Signal* signal) override { watcher_ = signal; }
  std::vector<SnapshotId> snapshots() const override { return snapshots_; }
  base::Task<base::Result<base::ByteVector>> get_snapshot(SnapshotId id) override;
  base::Task<base::Result<void>> put_snapshot(SnapshotId id, base::ByteVector content) override;
  base::Task<base::Result<void>> trim(base::Timestamp now) override;

  // Bytes that were cut from the tail when it was opened.
  uint64_t cut_bytes() const { return cut_bytes_; }
  int quorum_data_version() const { return quorum_.data_version; }

 private:
  struct Segment {
    base::Offset base{0};
    base::Offset end{0};  // next index behind its last entry
    uint64_t size = 0;
    std::optional<base::Timestamp> first_time{};  // of its first entry
  };
  struct Append;
  struct Place {
    base::Offset index{0};
    uint64_t position = 0;
  };

  LocalLog(io::Shard& shard, LocalLogOptions options);
  base::Task<base::Result<void>> load();
  base::Task<base::Result<void>> load_names();
  base::Task<base::Result<void>> load_quorum_state();
  base::Task<base::Result<void>> load_epochs();
  base::Task<base::Result<void>> recover();
  base::Task<base::Result<void>> recover_segment(size_t at);
  base::Task<base::Result<void>> write_tail_again();
  base::Task<base::Result<void>> restart_behind_snapshot();
  base::Task<base::Result<void>> make_segment(base::Offset base);
  void begin_epoch(EpochStart entry);
  base::Task<base::Result<void>> write_epoch_file();
  base::Task<base::Result<void>> write_new_directory();

  base::Task<void> write_appends();
  base::Task<base::Result<void>> write_group(std::vector<std::shared_ptr<Append>> group);
  base::Task<base::Result<void>> write_patiently(std::vector<iovec> parts);
  base::Task<base::Result<base::Timestamp>> snapshot_time(SnapshotId id);
  base::Task<base::Result<uint64_t>> snapshot_bytes();
  base::Task<base::Result<void>> drop_oldest_snapshot();
  void fail_appends(AppendOutcome outcome);
  bool is_full(uint64_t more, base::Timestamp time) const;
  Segment& active() { return segments_.back(); }
  const Segment& active() const { return segments_.back(); }

  io::Shard& shard_;
  LocalLogOptions options_;
  std::unique_ptr<io::Directory> directory_;
  std::vector<Segment> segments_;  // never empty once open; the last one is written to
  std::unique_ptr<io::File> active_file_;
  std::vector<SnapshotId> snapshots_;
  QuorumState quorum_;
  std::vector<EpochStart> epochs_;
  base::LeaderEpoch last_epoch_{0};
  std::optional<base::LeaderEpoch> claimed_;
  base::Offset start_{0};
  base::Offset assigned_{0};
  base::Offset committed_{0};
  uint64_t cut_bytes_ = 0;
  bool new_directory_ = false;
  bool waits_for_space_ = false;
  bool roll_ = false;    // before the next write
  bool failed_ = false;  // a write or a sync failed: nothing is written any more
  Place cursor_;         // behind the last read
  base::Signal* watcher_ = nullptr;
  base::Signal work_;
  std::deque<std::shared_ptr<Append>> queue_;
  base::TaskScope scope_;
};

}  // namespace stele::metadata
