// One entry of log.dirs: its lock, whose it is, the checkpoints of its partitions, the mark of a clean stop. Has one
// owner shard. Partitions open their own directories below it (PartitionLog::open with directory()).
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/task.h"
#include "base/uuid.h"
#include "io/file.h"
#include "io/shard.h"
#include "log/checkpoint.h"
#include "log/file_names.h"
#include "log/meta_properties.h"

namespace stele::log {

// The topic whose one partition holds the cluster's metadata; not among partitions(), its own layer opens it.
inline constexpr std::string_view kMetadataTopic = "__cluster_metadata";

struct FoundPartition {
  std::string directory;  // its name below the log dir
  TopicPartition partition;
  DirectoryKind kind = DirectoryKind::kCurrent;
};

// Of the files of a partition.
bool holds_records(const std::vector<io::Entry>& files);

// Whether a dir that holds this, and no meta.properties, may be formatted: lost+found, .lock, and what formatting that
// was cut short leaves, since it writes meta.properties last.
bool is_blank_entry(const io::Entry& entry);

class LogDir {
 public:
  // Takes .lock as Kafka does and reads what is there; changes nothing yet. kKafkaStorageError: not there, not
  // readable, or locked by another process. kInvalidConfig: a meta.properties that cannot be used.
  static base::Task<base::Result<std::unique_ptr<LogDir>>> open(io::Shard& shard, std::string path);
  LogDir(const LogDir&) = delete;
  LogDir& operator=(const LogDir&) = delete;

  const std::string& path() const { return directory_->path(); }
  // For the partitions on this shard; other shards open the path themselves.
  const std::shared_ptr<io::Directory>& directory() const { return directory_; }
  // Nothing but blank entries: a first start may format it.
  bool is_blank() const { return blank_; }
  // Nothing where the dir was never formatted.
  const std::optional<MetaProperties>& meta() const { return meta_; }
  // The broker epoch in the mark of a clean stop; nothing where the last stop was none.
  const std::optional<base::BrokerEpoch>& clean_shutdown() const { return clean_; }
  // Directories of partitions, sorted by name. kDeleted ones are to be removed, kStray and kFuture ones left alone.
  const std::vector<FoundPartition>& partitions() const { return partitions_; }
  // Whom the checkpoints name as they stood when the dir was opened.
  std::set<TopicPartition> checkpointed() const;
  bool has_metadata_log() const { return has_metadata_log_; }
  // As the checkpoints stood when the dir was opened; 0 for a partition that is in none.
  base::Offset recovery_point(const TopicPartition& partition) const { return at(recovery_points_, partition); }
  base::Offset log_start(const TopicPartition& partition) const { return at(log_starts_, partition); }
  base::Offset high_watermark(const TopicPartition& partition) const { return at(high_watermarks_, partition); }

  // Writes meta.properties, synced. What it says is meta() from now on. `now` stands in its comment.
  base::Task<base::Result<void>> write_meta(MetaProperties properties, base::Timestamp now);
  // To be called before the first write below the dir: takes the mark of a clean stop away, on stable storage on
  // return.
  base::Task<base::Result<void>> begin();

  // Replace a checkpoint; the old or the new one stands after a crash.
  base::Task<base::Result<void>> write_recovery_points(OffsetMap offsets);
  // Replaces those given, in the checkpoint and in what recovery_point() answers; the others stay.
  base::Task<base::Result<void>> change_recovery_points(OffsetMap offsets);
  base::Task<base::Result<void>> write_log_starts(OffsetMap offsets);
  base::Task<base::Result<void>> write_high_watermarks(OffsetMap offsets);

  // The topic id in the partition.metadata of a directory; nothing where neither that nor any record is there.
  // kKafkaStorageError: it cannot be read, or is missing beside records.
  base::Task<base::Result<std::optional<base::TopicId>>> topic_id_of(std::string directory);
  // The same of each, in their order; for a start, which asks for all of them.
  base::Task<std::vector<base::Result<std::optional<base::TopicId>>>> topic_ids_of(
      std::vector<std::string> directories);
  // Makes directories of partitions durable that PartitionLog::open has just made and left unsynced.
  base::Task<base::Result<void>> sync_new(std::vector<std::string> directories);
  // Makes all that was written below the dir durable.
  base::Task<base::Result<void>> sync_all() { return directory_->sync_all(); }
  // Renames a directory that the cluster's metadata does not know to "<t>-<p>.<unique>-stray"; answers the new name.
  base::Task<base::Result<std::string>> set_aside_as_stray(FoundPartition partition, base::Uuid unique);
  // Renames the directory of a deleted partition to "<t>-<p>.<unique>-delete", whether a log is open or not; answers
  // the new name, which is empty where no such directory is. kInconsistentTopicId: it does not tell that it is of this
  // topic.
  base::Task<base::Result<std::string>> mark_deleted(TopicPartition partition, base::TopicId topic, base::Uuid unique);
  // Removes a "-delete" directory with all that is in it.
  base::Task<base::Result<void>> remove_deleted(std::string directory);

  // The last act of a clean stop: every log closed by close_clean(), the checkpoints written. `epoch` is that of the
  // broker's last registration.
  base::Task<base::Result<void>> mark_clean(base::BrokerEpoch epoch);

 private:
  LogDir(io::Shard& shard, std::shared_ptr<io::Directory> directory)
      : shard_(shard), directory_(std::move(directory)) {}
  base::Task<base::Result<void>> load();
  base::Task<base::Result<std::optional<std::string>>> read_text(std::string name);
  base::Task<base::Result<OffsetMap>> read_offsets(std::string name);
  base::Result<std::optional<base::TopicId>> topic_id_in(const std::string& directory, std::string_view text) const;
  base::Task<void> read_topic_ids(const std::vector<std::string>& directories, size_t& next,
                                  std::vector<base::Result<std::optional<base::TopicId>>>& ids);
  base::Task<void> sync_new_ones(const std::vector<std::string>& directories, size_t& next, base::Result<void>& done);
  base::Task<base::Result<void>> sync_new_one(std::string directory);
  base::Task<base::Result<void>> write_text(std::string name, std::string text);
  void look_at(const io::Entry& entry);
  static base::Offset at(const OffsetMap& offsets, const TopicPartition& partition);

  io::Shard& shard_;
  std::shared_ptr<io::Directory> directory_;
  std::unique_ptr<io::FileLock> lock_;
  bool blank_ = true;
  bool has_metadata_log_ = false;
  std::optional<MetaProperties> meta_;
  std::optional<base::BrokerEpoch> clean_;
  std::vector<FoundPartition> partitions_;
  OffsetMap recovery_points_;
  OffsetMap log_starts_;
  OffsetMap high_watermarks_;
};

}  // namespace stele::log
