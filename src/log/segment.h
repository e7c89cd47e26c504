// One segment of a partition: a .log with its indexes. Holds what is in memory of them and knows how to read and write
// the files; what happens when is its PartitionLog's decision.
//
// Index entries are kept in memory and written when the segment is rolled, flushed or let idle: until then the files
// may lack them, which recovery makes good, since it reads whole segments past the recovery point.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/task.h"
#include "io/file.h"
#include "io/shard.h"
#include "log/checked_pieces.h"
#include "log/file_names.h"
#include "log/offset_index.h"
#include "log/open_files.h"
#include "log/options.h"
#include "log/time_index.h"
#include "log/transaction_index.h"
#include "record/batch.h"

namespace stele::log {

// Where a partition's files are. Outlives its segments.
struct PartitionPlace {
  io::Shard* shard = nullptr;
  std::shared_ptr<io::Directory> log_dir;
  std::string name;
  OpenFiles* open_files = nullptr;  // null: no limit

  std::string path(const std::string& file) const { return name + "/" + file; }
};

// What a segment must hold to be the one that takes an append, or be replaced by a new one.
struct RollQuestion {
  size_t bytes = 0;
  base::Offset last_offset;
  base::Timestamp max_timestamp = base::kNoTimestamp;
  base::Timestamp now;
};

class Segment final : private OpenFiles::Kept {
 public:
  Segment(const PartitionPlace& place, base::Offset base, const LogOptions& options, int64_t jitter_ms,
          base::Timestamp created);

  ~Segment() { close_files(); }
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  base::Offset base() const { return base_; }
  uint64_t size() const { return size_; }        // bytes of batches, written or not
  uint64_t written() const { return written_; }  // bytes of batches in the file
  void set_written(uint64_t bytes) { written_ = bytes; }
  void undo_unwritten() { size_ = written_; }
  void set_size(uint64_t bytes) { size_ = written_ = bytes; }
  std::string file_name(std::string_view suffix) const { return offset_file_name(base_, suffix); }

  // Kafka's LogSegment.shouldRoll.
  bool should_roll(const RollQuestion& question, const LogOptions& options) const;
  // Offsets of a segment are written as 32-bit distances from its base.
  bool can_hold(base::Offset last_offset) const;
  // Accounts a batch at the end: size, largest timestamp, index entries. Answers its position.
  uint64_t append(const record::BatchView& batch, int64_t index_interval_bytes);
  void add_aborted(const AbortedTransaction& aborted);
  // Damaged bytes at the end, which stay where they are: the next batch gets an index entry, so that readers find it.
  void pass_over(uint64_t bytes);
  // Of a batch that is there already.
  void note_timestamp(const record::BatchView& batch);
  // The last time index entry of a segment that takes no more appends (or is closed): its largest timestamp.
  void seal();

  // Largest timestamp and the last offset of the batch that had it; -1 where no batch has one. Known for a segment that
  // took appends or whose indexes were loaded.
  bool largest_timestamp_known() const { return largest_known_; }
  base::Timestamp largest_timestamp() const { return largest_; }
  base::Offset offset_of_largest() const { return largest_offset_; }
  // Looks the largest timestamp up in the .log: what an index says alone, which has no checksum, is no reason to delete
  // anything. Where they differ the indexes are made anew, with a line in the log sink.
  base::Task<base::Result<void>> confirm_largest_timestamp();
  // The indexes were seen to be wrong: makes them anew from the .log, where nothing waits to be written to that.
  base::Task<base::Result<void>> distrust_indexes();
  // What stands for the largest timestamp where batches have none.
  base::Timestamp created() const { return created_; }
  // Of the first batch: what segment.ms counts from.
  void set_first_timestamp(base::Timestamp timestamp) { first_timestamp_ = timestamp; }

  // Requires load_indexes() before.
  uint32_t position_for(base::Offset offset) const { return offset_index_.position_for(offset); }
  const TimeIndex& time_index() const { return time_index_; }
  const OffsetIndex& offset_index() const { return offset_index_; }
  const std::vector<AbortedTransaction>& aborted() const { return aborted_; }
  bool indexes_loaded() const;
  // The files hold all entries, and nothing else.
  bool indexes_written() const;

  // The .log, opened when needed and kept open until close_files().
  base::Task<base::Result<std::shared_ptr<io::File>>> log_file();
  // The same where it is open; else null.
  std::shared_ptr<io::File> open_log_file();
  // Makes the .log of a new segment, empty.
  base::Task<base::Result<void>> create();
  // Its files have been renamed; who still holds it finds no file any more.
  bool deleted() const { return deleted_; }
  void mark_deleted() {
    deleted_ = true;
    close_files();
  }
  // All entries into memory. A missing or damaged index is made anew from the .log, with a line in the log sink.
  base::Task<base::Result<void>> load_indexes();
  // The transaction index alone.
  base::Task<base::Result<void>> load_aborted();
  // Starts the indexes anew, before the batches are taken in again by append(): recovery.
  void reset_for_rebuild();
  // Writes what the index files lack and cuts them to their entries.
  base::Task<base::Result<void>> write_indexes();
  // After the indexes were made anew: lets files stand that hold the same, where what they hold may be believed to be
  // on the disk or on its way. Others are written, those of a segment that is appended to (not `sealed`) when they are
  // written next.
  base::Task<base::Result<void>> settle_index_files(bool sealed, bool believed);
  base::Task<base::Result<void>> sync_log();
  base::Task<base::Result<void>> sync_indexes();
  // The producer snapshot at its base, where there is one.
  base::Task<base::Result<void>> sync_snapshot();
  // Cuts the .log to `bytes`, and what reaches `offset` out of the indexes; synced. Requires load_indexes().
  base::Task<base::Result<void>> truncate(uint64_t bytes, base::Offset offset);
  bool has_open_file() const { return log_ != nullptr; }
  // Readers that hold the file keep it open.
  void close_files();
  // What a fetch may send from the open .log without a look at it. Forgotten when that is closed.
  CheckedPieces& checked() { return checked_; }
  // Requires write_indexes() before.
  void drop_indexes();

 private:
  void let_go() override;
  // What the files hold, as far as they can be read.
  struct IndexFiles {
    std::vector<OffsetIndexEntry> offsets;
    std::vector<TimeIndexEntry> times;
    std::vector<AbortedTransaction> aborted;
    std::string damage;  // the first that is missing or damaged, and how
    bool exact = false;  // offset and time index are there, and hold nothing but their entries
  };
  base::Task<base::Result<IndexFiles>> read_index_files();
  base::Task<base::Result<bool>> read_indexes();
  base::Task<base::Result<void>> rebuild_indexes(bool loaded_too);
  base::Task<base::Result<void>> write_tail(std::string_view suffix, uint64_t at, base::ByteVector bytes);
  base::Task<base::Result<void>> sync_file(std::string_view suffix);
  base::Task<bool> file_holds(std::string_view suffix, base::ByteVector wanted);

  const PartitionPlace& place_;
  base::Offset base_;
  base::Timestamp created_;
  int64_t jitter_ms_;
  int64_t index_interval_bytes_;
  uint64_t size_ = 0;
  uint64_t written_ = 0;
  std::optional<base::Timestamp> first_timestamp_;
  base::Timestamp largest_ = base::kNoTimestamp;
  base::Offset largest_offset_ = base::kNoOffset;
  bool largest_known_ = false;
  bool indexes_known_ = false;  // counts and last entries of the indexes are right, loaded or dropped
  bool index_files_made_ = false;
  uint64_t rebuilds_ = 0;  // of the indexes, beside a write of them
  int64_t bytes_since_index_entry_ = 0;
  OffsetIndex offset_index_;
  TimeIndex time_index_;
  std::vector<AbortedTransaction> aborted_;
  size_t aborted_written_ = 0;
  bool aborted_loaded_ = false;
  bool deleted_ = false;
  std::shared_ptr<io::File> log_;
  CheckedPieces checked_;
};

}  // namespace stele::log
