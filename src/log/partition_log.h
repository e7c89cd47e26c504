// One partition on disk, in Kafka's files. Owned by one shard, on which every call is made.
//
// It has three ends: assigned >= written >= synced. append() assigns and never suspends; a task of the log's own writes
// what was appended, everything that waits in one go, and runs truncations, deletions and the close in the same order.
// "Written" means that the kernel has it: it survives the process, not a power loss; "synced" survives both. What
// counts for acknowledgements and readers is what is written, or, where LogOptions::synced says so, what is synced:
// in the journal of the log dir, or in the segment, where a sync then follows each write, one for all that was written
// while the last one ran.
//
// A failed write or sync is final: every later call answers KAFKA_STORAGE_ERROR, the unwritten tail is undone, nothing
// is tried again, the observer is told once.
//
// Lifetime: the owner keeps the log alive until every Task it got from it has ended or was destroyed. Destroying the
// log drops what is not written yet, as a crash would.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/executor.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/task.h"
#include "base/uuid.h"
#include "io/file.h"
#include "io/shard.h"
#include "log/batch_scanner.h"
#include "log/epoch_cache.h"
#include "log/journal.h"
#include "log/options.h"
#include "log/producer_state.h"
#include "log/retention.h"
#include "log/segment.h"
#include "log/transaction_index.h"
#include "record/batch.h"

namespace stele::log {

struct OpenArgs {
  io::Shard* shard = nullptr;
  std::shared_ptr<io::Directory> log_dir;  // the log.dirs entry; shared by its partitions
  std::string name;                        // directory below it: "topic-0"; made where absent
  base::TopicId topic_id;                  // zero: partition.metadata is not looked at
  LogOptions options;
  base::Offset recovery_point;    // from the checkpoint; 0 where there is none
  base::Offset log_start_offset;  // from the checkpoint; 0 where there is none
  bool clean = false;             // the log dir had its clean-shutdown marker
  // What a recovery finds past the recovery point is written once more. After a failed sync the page cache goes on
  // showing what never reached the disk, to the next process too, and calls the next sync a success.
  bool write_again = false;
  // All below this offset is known to have been synced: what is missing there between two segments was compacted.
  base::Offset whole_below;
  // A partition that is made anew is not synced: its owner does that (LogDir::sync_new) before anything is appended.
  bool owner_syncs_new = false;
  LogObserver* observer = nullptr;
  std::shared_ptr<Journal> journal;  // of the log dir, for LogOptions::synced; null: the log syncs its own files
  OpenFiles* open_files = nullptr;   // of the shard; null: no limit
};

struct AppendBatch {
  // kClient, kCoordinator: exactly one whole, validated batch of magic 2; base offset and leader epoch are patched in.
  // kReplica: one or more whole batches with their offsets and epochs, all past assigned_end(), checksums verified.
  // The bytes stay where they are and untouched until wait_written(last offset) answers.
  base::MutableBytes bytes;
  base::LeaderEpoch leader_epoch;  // not looked at for kReplica
  Origin origin = Origin::kClient;
  base::Timestamp now;
};

struct Appended {
  base::Offset base_offset;
  base::Offset last_offset;
  // The batch was there already: these are its offsets, nothing was written, and wait_written tells when it is safe.
  bool duplicate = false;
  base::Timestamp timestamp = base::kNoTimestamp;  // largest of the batch
};

// Whole batches of one segment: its bytes, which it owns, or where in the file they lie.
struct ReadResult {
  std::unique_ptr<std::byte[]> buffer;
  base::Bytes batches;        // empty where nothing lies between the offset asked for and the limit
  base::Offset next_offset;   // behind the last batch; the offset asked for where there is none
  base::Offset segment_base;  // with `position`: where the first batch lies
  uint64_t position = 0;
  io::FileRange range;  // in place of `batches`, which are empty then
};

// The disk (or a quota) is full. As the failure of a log it says that nothing but the unwritten tail is lost, which was
// undone: the same directory can be opened again, on a full disk too.
bool is_no_space(const base::Error& error);

// Damaged batches that readers or recovery met. They stay where they are and are never given to a reader.
struct Damage {
  struct Place {
    base::Offset segment_base;
    uint64_t position = 0;
    friend bool operator==(const Place&, const Place&) = default;
  };
  static constexpr size_t kPlacesMax = 64;
  std::vector<Place> places;  // at most kPlacesMax; one log line was written for each
  uint64_t refusals = 0;      // reads and lookups that were answered with an error for it
};

struct TimestampOffset {
  base::Timestamp timestamp = base::kNoTimestamp;
  base::Offset offset = base::kNoOffset;
  base::LeaderEpoch leader_epoch = base::kNoLeaderEpoch;
  friend bool operator==(const TimestampOffset&, const TimestampOffset&) = default;
};

class PartitionLog final : private JournalUser {
 public:
  // Opens or creates; recovers past the recovery point unless clean, and checks the tail of the active segment always.
  // What is cut and why goes to the shard's log sink. partition.metadata is synced before this returns, unless
  // is_unsynced_new().
  // kInconsistentTopicId: the directory belongs to another topic. kKafkaStorageError: the disk failed.
  static base::Task<base::Result<std::unique_ptr<PartitionLog>>> open(OpenArgs args);
  PartitionLog(const PartitionLog&) = delete;
  PartitionLog& operator=(const PartitionLog&) = delete;
  ~PartitionLog() override;

  const std::string& name() const { return place_.name; }
  const base::TopicId& topic_id() const { return topic_id_; }
  const LogOptions& options() const { return options_; }
  // It was made by this opening, and its owner wants to sync it.
  bool is_unsynced_new() const { return unsynced_new_; }
  // What counted goes on to count; the caller looks at counted_end() afterwards, which may have moved up.
  void set_options(const LogOptions& options);

  base::Offset log_start_offset() const { return log_start_; }
  base::Offset assigned_end() const { return assigned_end_; }
  base::Offset written_end() const { return written_end_; }
  base::Offset synced_end() const { return synced_end_; }  // in the segments or the journal
  // Where acknowledgements and readers end. Falls back below what counted before when LogOptions::synced is set later.
  base::Offset counted_end() const { return options_.synced ? synced_end_ : written_end_; }
  // Bytes of batches that were ever counted, to tell how much came with a move of counted_end().
  uint64_t counted_bytes() const { return options_.synced ? synced_bytes_ : written_bytes_; }
  // For recovery-point-offset-checkpoint. What lies below needs no recovery.
  base::Offset recovery_point() const { return recovery_point_; }
  // For log-start-offset-checkpoint, which names a partition only where this is set.
  std::optional<base::Offset> log_start_to_checkpoint() const;
  // First offset of the oldest transaction that is open, or ended at or above the high watermark; nothing where there
  // is none. The last stable offset is the smaller of this and the high watermark.
  std::optional<base::Offset> first_unstable_offset() const;
  void high_watermark_moved(base::Offset high_watermark) { producers_.high_watermark_moved(high_watermark); }
  uint64_t size_bytes() const;
  size_t segment_count() const { return segments_.size(); }
  base::Offset active_base() const;  // where the segment begins that is appended to
  const std::optional<base::Error>& failure() const { return failure_; }
  const Damage& damage() const { return damage_; }
  const ProducerState& producers() const { return producers_; }
  const EpochCache& epochs() const { return epochs_; }

  // A new leader's epoch begins at assigned_end(). Written to leader-epoch-checkpoint before the recovery point passes
  // it: until then a recovery finds it in the batches, where there are any.
  void begin_epoch(base::LeaderEpoch epoch);
  // Assigns offsets and queues the write. Errors change nothing: kOutOfOrderSequenceNumber, kInvalidProducerEpoch,
  // kInvalidTxnState, kTransactionCoordinatorFenced, kRecordListTooLarge (over segment.bytes), kOffsetOutOfRange and
  // kCorruptMessage (replica), kKafkaStorageError. Not between the call and the end of a truncation.
  base::Result<Appended> append(const AppendBatch& batch);
  // End once the record at `last` is written (synced), or with the failure.
  base::Task<base::Result<void>> wait_written(base::Offset last);
  base::Task<base::Result<void>> wait_synced(base::Offset last);
  // Ends once the record at `last` counts.
  base::Task<base::Result<void>> wait_counted(base::Offset last);

  // Whole batches from the one that holds `from` on, below `limit` (exclusive, at most written_end()), at most
  // `bytes_max` unless `at_least_one` lets the first be larger. One segment per call. Every batch given has its
  // checksum checked. kOffsetOutOfRange: below log_start_offset() or above assigned_end(). kCorruptMessage: the batch
  // that holds `from` is damaged; the ones before and behind it can be read.
  // With `may_send`, what was checked within LogOptions::recheck_ms may be answered as a range of the file, for
  // io::Stream::try_send; it may end a little earlier than `bytes_max` and `limit` allow.
  base::Task<base::Result<ReadResult>> read(base::Offset from, size_t bytes_max, base::Offset limit, bool at_least_one,
                                            bool may_send = false);
  // The first record below `limit` whose timestamp is at least `timestamp`.
  base::Task<base::Result<std::optional<TimestampOffset>>> offset_for_timestamp(base::Timestamp timestamp,
                                                                                base::Offset limit);
  // The first record that has the largest timestamp of the log.
  base::Task<base::Result<std::optional<TimestampOffset>>> offset_of_max_timestamp();
  // Aborted transactions that overlap [from, to).
  base::Task<base::Result<std::vector<AbortedTransaction>>> aborted_transactions(base::Offset from, base::Offset to);
  // OffsetForLeaderEpoch: the largest known epoch <= `epoch` and where it ends; nothing where none is known.
  std::optional<EpochEnd> end_offset_for_epoch(base::LeaderEpoch epoch) const {
    return epochs_.end_offset_for(epoch, assigned_end_);
  }

  // Drops every batch that reaches `offset` or beyond; assigned_end() is then `offset`, or the base of the batch that
  // held it. On stable storage on return. The owner writes the recovery-point checkpoint before it appends again, since
  // a checkpoint above the cut would hide what is appended there from a later recovery.
  base::Task<base::Result<void>> truncate_to(base::Offset offset);
  // Drops everything and goes on at `offset`.
  base::Task<base::Result<void>> truncate_fully_and_start_at(base::Offset offset);
  // Raises the log start (DeleteRecords, a leader's log start) at once and deletes whole segments below it. Nothing
  // below the present one. kOffsetOutOfRange above assigned_end(). In force after a crash once the owner has
  // checkpointed it.
  base::Task<base::Result<void>> advance_log_start(base::Offset offset);
  // Starts a new segment unless the active one is empty.
  void roll(base::Timestamp now);
  // Deletes what is too old or too much, only below the high watermark and only where the policy is "delete"; always
  // what lies wholly below the log start. Answers how many segments went.
  base::Task<base::Result<size_t>> apply_retention(base::Timestamp now, base::Offset high_watermark);
  // Removes files whose delay after deletion is over.
  base::Task<base::Result<void>> sweep(base::Timestamp now);
  void expire_producers(base::Timestamp now) { producers_.expire(now, options_.producer_id_expiration_ms); }

  // Everything assigned before the call is on stable storage in the segments on return, and synced_end() covers it.
  base::Task<base::Result<void>> flush();
  // Of a log that failed: ends once none of its own work touches the files any more. What it has in the journal is then
  // left for the next log of this directory, or for Journal::drop(), though others may still hold this one.
  base::Task<void> settled();
  // Closes open files and drops index entries from memory where nothing was read or appended for `idle`.
  base::Task<base::Result<void>> close_idle(base::MonoTime now, base::Duration idle);
  // Leaves the files as a clean stop of Kafka does: indexes complete, a producer snapshot at exactly the end, epochs
  // written, all synced. The log takes no more calls. Where the owner syncs (LogDir::sync_all), all is written only:
  // the recovery point is assigned_end() once that has been done.
  base::Task<base::Result<void>> close_clean(bool owner_syncs = false);
  // Renames the directory to "<name>.<uuid>-delete"; removing it later is the log dir's part. The log takes no more
  // calls. Answers the new name.
  base::Task<base::Result<std::string>> mark_deleted(base::Uuid unique);

 private:
  friend class Recovery;
  using SegmentPtr = std::shared_ptr<Segment>;
  using Work = std::move_only_function<base::Task<base::Result<void>>()>;

  // What a caller of ordered work waits for; it outlives the caller, so that work once queued always runs to its end.
  struct Ticket {
    explicit Ticket(base::Executor& executor) : done(executor) {}
    base::Signal done;
    std::optional<base::Result<void>> result;
  };
  enum class End : uint8_t { kWritten, kSynced, kFlushed };
  // A piece of the queue: bytes to write, or work that must come after the writes before it.
  struct Step {
    SegmentPtr segment;
    base::Bytes bytes;
    uint64_t position = 0;
    base::Offset end;
    Work work;
    std::shared_ptr<Ticket> ticket;
  };
  struct EndWaiter;
  // A file renamed to ".deleted", and when it is to go.
  struct Doomed {
    std::string path;
    base::Timestamp due;
  };
  // Where a reader will ask next: the batch after the last one it got.
  struct Cursor {
    base::Offset offset;
    base::Offset segment_base;
    uint64_t position = 0;
  };

  explicit PartitionLog(OpenArgs args);

  // partition_log.cc: the ends, the queue and its task, failure
  base::Task<base::Result<void>> run_ordered(Work work);
  base::Task<base::Result<void>> submit(Work work);  // the same, on a log that is closing too
  void enqueue(Step step);
  base::Task<void> work_off();
  base::Task<base::Result<void>> write_gathered();
  void note_checked(Segment& segment, size_t steps, uint64_t misses);
  base::Task<base::Result<void>> finish_roll(SegmentPtr old, SegmentPtr next, base::ByteVector snapshot);
  void fail(base::Error error);
  void wake();
  base::Offset reached(End end) const;
  base::Task<base::Result<void>> wait_end(base::Offset last, End end);
  bool journal_written(base::Offset first, std::span<const iovec> parts);
  void raise_synced();
  void on_journaled(base::Offset first, base::Offset end, JournalTag tag) override;
  void on_not_journaled() override;
  void free_journal() override { request_flush(); }
  void on_journal_failed(const base::Error& error) override { fail(error); }
  void note_epoch(base::Offset start);
  base::Task<base::Result<void>> save_epochs();
  base::Task<base::Result<void>> write_file(std::string file, base::ByteVector content, bool synced = true);
  void request_flush();
  base::Task<base::Result<void>> flush_written();
  base::Task<base::Result<void>> flush_all();
  base::Task<void> flush_behind();
  base::Task<base::Result<void>> let_go();
  base::Result<void> usable() const;

  // partition_log_append.cc
  base::Result<Appended> append_local(const AppendBatch& batch);
  base::Result<Appended> append_replica(const AppendBatch& batch);
  void take_in(const record::BatchView& batch, const ProducerAppend& producer);
  void roll_if_needed(const record::BatchView& batch, size_t bytes, base::Offset last, base::Timestamp now);
  void roll_at(base::Offset base, base::Timestamp now);
  Segment& active() const { return *segments_.back(); }

  // partition_log_read.cc
  base::Task<base::Result<void>> sync_names();
  bool names_unsynced() const { return names_synced_ < names_changed_; }
  SegmentPtr segment_for(base::Offset offset) const;
  SegmentPtr segment_after(const Segment& segment) const;
  base::Result<void> check_range(base::Offset from) const;
  base::Error refuse_damage(const Segment& segment, uint64_t position, std::string_view why);
  bool is_known(const Damage::Place& place) const;
  bool note_damage(const Segment& segment, uint64_t position);
  void remember(Cursor cursor, base::Offset instead_of);
  base::Task<base::Result<std::optional<TimestampOffset>>> find_in_segment(
      SegmentPtr segment, uint64_t position,
      std::function<base::Result<std::optional<TimestampOffset>>(const record::BatchView&)> look);
  std::optional<ReadResult> find_range(base::Offset from, size_t bytes_max, base::Offset limit);
  void note_read(Segment& segment, const ReadResult& read, uint64_t misses);
  const Cursor* cursor_at(base::Offset offset, const Segment& segment) const;
  base::MonoTime oldest_believed() const;
  base::Task<base::Result<std::optional<ReadResult>>> read_segment(SegmentPtr segment, base::Offset from,
                                                                   size_t bytes_max, base::Offset limit,
                                                                   bool at_least_one);

  // partition_log_change.cc: truncation, deletion, retention, flush, close
  base::Task<base::Result<void>> truncation(base::Offset offset, bool fully);
  void begin_cut();
  void cut_ends(base::Offset end);
  base::Task<base::Result<void>> forget_in_journal();
  base::Task<base::Result<void>> write_epochs(bool synced = true);
  base::Task<base::Result<void>> do_truncate(base::Offset offset);
  base::Task<base::Result<void>> do_truncate_fully(base::Offset offset);
  base::Task<base::Result<void>> delete_segment(SegmentPtr segment);
  base::Task<base::Result<void>> delete_below_log_start();
  std::vector<SegmentFacts> segments_view() const;
  base::Task<base::Result<void>> rename_directory(std::string name);
  base::Task<base::Result<void>> replay_producers(base::Offset from, base::Offset end);
  base::Task<base::Result<void>> replay_segment(SegmentPtr segment, BatchScanner scanner, base::Offset from,
                                                base::Offset end);
  base::Task<base::Result<void>> do_close(bool owner_syncs);
  base::Task<base::Result<void>> reload_producers(base::Offset end, base::Offset newest_snapshot,
                                                  base::Offset keep_snapshots = base::kNoOffset);
  void set_log_start(base::Offset offset);

  PartitionPlace place_;
  io::Shard& shard_;
  base::TopicId topic_id_;
  LogOptions options_;
  LogObserver* observer_;

  std::vector<SegmentPtr> segments_;  // by base offset; never empty; the last one is active. Readers share them
  ProducerState producers_;
  EpochCache epochs_;
  base::Offset log_start_;
  base::Offset assigned_end_;
  base::Offset written_end_;
  base::Offset synced_end_;
  base::Offset flushed_end_;     // synced in the segments
  base::Offset recovery_point_;  // as flushed_end_, but only past segments whose index files are synced too
  base::Offset flush_target_;    // where the running or last flush ends
  // leader-epoch-checkpoint lacks what begins here or above: the recovery point does not pass it before it is written.
  std::optional<base::Offset> epochs_unsaved_;
  std::optional<base::Offset> epochs_new_;  // the same of what came while it was written
  // What is synced in the journal without a gap. It counts once nothing is missing between the segments and it.
  base::Offset journal_from_;
  base::Offset journal_to_;
  base::Offset journal_sent_;   // the end of what the journal was given
  uint64_t written_bytes_ = 0;  // of all appends since the log was opened
  uint64_t synced_bytes_ = 0;   // those of them below synced_end_, and so on
  uint64_t flushed_bytes_ = 0;
  uint64_t journal_bytes_ = 0;
  uint64_t generation_ = 0;  // one more whenever batches are cut off: what a reader found before is void
  int truncating_ = 0;
  bool closed_ = false;
  bool unsynced_new_ = false;
  bool as_closed_ = false;  // the files are as a clean stop left them, and nothing has changed since
  bool deleted_ = false;    // its files go: what still waits for them is refused, and that is no failure of the disk
  // Changes of names in the directory, and up to which of them they are on stable storage.
  uint64_t names_changed_ = 0;
  uint64_t names_synced_ = 0;
  std::optional<base::Error> failure_;
  std::shared_ptr<Journal> journal_;
  std::unique_ptr<JournalShare> share_;  // once anything went into the journal

  std::deque<Step> queue_;
  std::vector<iovec> parts_;  // of the write under way; kept for the next one
  bool working_ = false;
  bool flushing_ = false;
  bool flush_again_ = false;
  base::IntrusiveList<EndWaiter> waiters_;
  std::vector<Doomed> doomed_;
  std::vector<Cursor> cursors_;  // where the latest reads ended
  size_t next_cursor_ = 0;
  Damage damage_;
  base::MonoTime last_use_;
  base::TaskScope tasks_;  // last: destroyed first
};

}  // namespace stele::log
