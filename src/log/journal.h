// The journal of one shard in one log dir, for logs whose records count once they are synced: what all of them append
// goes into one file, one sync for all, while their segments stay in the page cache and are synced later, so that the
// space can be used again. After a crash replay_journals() puts into the segments what they lack (journal_replay.h).
//
// Files are made when first needed, a few of equal size, filled with zeros: overwriting them changes no metadata. While
// a group is being synced the entries of the next one gather. A failed write or sync is final, for the journal and for
// all logs in it. On a full disk, where no file can be made, and for entries too large, the logs sync their own files.
//
// Owned by the shard that owns the logs; they share it, so that it outlives them.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/executor.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/task.h"
#include "io/file.h"
#include "io/shard.h"
#include "log/journal_format.h"

namespace stele::log {

struct JournalOptions {
  uint64_t bytes = 128 << 20;  // of all files together
};

// What a log wants to be told again with its entry.
struct JournalTag {
  uint64_t generation = 0;
  uint64_t bytes = 0;
};

// A log, as the journal sees it. Called from the journal's task; must not destroy the log.
class JournalUser {
 public:
  virtual ~JournalUser() = default;
  // An entry is on stable storage.
  virtual void on_journaled(base::Offset first, base::Offset end, JournalTag tag) = 0;
  // Entries of this log will not be written: it is to sync its own files.
  virtual void on_not_journaled() = 0;
  // What the journal holds of this log is to be synced in its segments soon: JournalShare::synced tells when.
  virtual void free_journal() = 0;
  virtual void on_journal_failed(const base::Error& error) = 0;
};

class Journal;

// A log's part in a journal. What it left in there keeps the journal's files from being used again until it was synced
// or dropped, also when the log is gone: a log that failed has records nowhere else.
class JournalShare {
 public:
  JournalShare(std::shared_ptr<Journal> journal, uint64_t id) : journal_(std::move(journal)), id_(id) {}
  JournalShare(const JournalShare&) = delete;
  JournalShare& operator=(const JournalShare&) = delete;
  ~JournalShare();

  // Queues an entry: batches from `first` to `end`, copied; `kind` tells whether all before `first` is synced, or will
  // be before this entry. False where the log is to sync its own files instead.
  bool append(JournalKind kind, base::Offset first, base::Offset end, std::span<const base::Bytes> batches,
              JournalTag tag);
  // What lies below `end` is on stable storage in the segments.
  void synced(base::Offset end);
  // The log was cut, and all that is left of it is synced: earlier entries are void, also after a crash from the return
  // on.
  base::Task<base::Result<void>> forget();
  // The log is no more, on stable storage: nothing of it will be asked for.
  void drop();

 private:
  std::shared_ptr<Journal> journal_;
  uint64_t id_;
};

class Journal : public std::enable_shared_from_this<Journal> {
 public:
  Journal(io::Shard& shard, std::shared_ptr<io::Directory> log_dir, JournalOptions options);
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // `directory` is the log's name below the log dir. The user outlives the share. A log that was let go and opened
  // again takes over what it left.
  std::unique_ptr<JournalShare> join(JournalUser& user, base::TopicId topic_id, std::string directory);
  // A log that is gone left something in the journal.
  bool is_left(base::TopicId topic_id, const std::string& directory) const;
  // What a log that is gone left is not needed: it is no more, on stable storage.
  void drop(base::TopicId topic_id, const std::string& directory);
  // To be called now and then: where nothing was written since the last call, has the logs sync what stands in the
  // journal; forgives a disk that was full.
  void tend();
  // Nothing is written any more. The files stay, for the log dir to remove where every log was closed cleanly.
  base::Task<void> close();
  // A write or sync failed, or the log dir is offline: told to all logs.
  void fail(base::Error error);

  const std::optional<base::Error>& failure() const { return failure_; }
  uint64_t groups_synced() const { return groups_; }
  size_t files() const { return files_; }
  size_t files_held() const { return live_.size(); }

 private:
  friend class JournalShare;
  // What a log has in one file: up to `end`.
  struct Held {
    uint64_t turn = 0;
    base::Offset end;
  };
  struct Member {
    JournalUser* user = nullptr;  // null: the log is gone
    base::TopicId topic_id;
    std::string directory;
    base::Offset synced;
    std::deque<Held> held;
    // Asked to free the journal: to sync up to here at least.
    std::optional<base::Offset> asked;
  };
  struct Entry {
    uint64_t member = 0;
    base::Offset first;
    base::Offset end;
    JournalTag tag;
    std::shared_ptr<base::Signal> forgotten;  // where it voids the earlier ones
  };
  struct Group {
    base::ByteVector bytes;
    std::vector<Entry> entries;
  };
  struct JournalFile {
    std::shared_ptr<io::File> file;
    uint64_t turn = 0;  // rises each time that a file is begun
    uint64_t used = kJournalBlock;
    uint64_t first_group = 0;
    uint64_t last_group = 0;
    size_t holders = 0;  // members that have something in it
  };

  Member& member(uint64_t id) { return members_.at(id); }
  std::optional<uint64_t> left(base::TopicId topic_id, const std::string& directory) const;
  bool add(Entry entry, JournalKind kind, std::span<const base::Bytes> batches);
  base::Task<void> work_off();
  base::Task<base::Result<bool>> find_room(uint64_t bytes);
  base::Task<base::Result<void>> begin_file();
  base::Task<base::Result<bool>> make_file();
  base::Task<base::Result<void>> make_file_at(std::string path, JournalFile& made);
  base::Task<void> make_spare();
  base::Task<base::Result<void>> write(base::ByteVector& group);
  void take_note(const Group& group);
  void decline(const Group& group);
  void release(Member& member, base::Offset below);
  void free_files();
  void ask_for_room();
  void wake_crowd();

  io::Shard& shard_;
  std::shared_ptr<io::Directory> log_dir_;
  uint64_t file_bytes_;
  size_t files_max_;
  base::Uuid id_;
  std::map<uint64_t, Member> members_;
  uint64_t next_member_ = 0;
  size_t left_ = 0;  // members whose log is gone
  uint64_t last_asked_ = 0;
  size_t asked_ = 0;
  Group pending_;
  std::vector<std::shared_ptr<base::Signal>> crowd_;  // waits until it is taken
  std::deque<JournalFile> live_;                      // the oldest first; the last is written to
  std::deque<JournalFile> free_;
  size_t files_ = 0;  // live, free, and one that is being made
  uint64_t next_file_ = 1;
  uint64_t next_turn_ = 0;
  uint64_t groups_ = 0;  // the sequence of the last group
  uint64_t oldest_ = 0;  // what the last synced group says of the oldest that may be needed
  uint64_t tended_ = 0;  // groups_ at the last tend()
  bool working_ = false;
  bool making_ = false;
  bool full_disk_ = false;
  bool emptying_ = false;
  bool starved_ = false;  // the next group waits for a file
  bool closed_ = false;
  base::Signal room_;
  std::optional<base::Error> failure_;
  base::TaskScope tasks_;  // last: destroyed first
};

}  // namespace stele::log
