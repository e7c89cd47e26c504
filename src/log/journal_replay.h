// After a crash: what the journals of a log dir hold goes into the segments that lack it, then the journals go.
#pragma once

#include <cstddef>

#include "base/result.h"
#include "base/task.h"
#include "io/shard.h"
#include "log/log_dir.h"

namespace stele::log {

struct JournalReplay {
  bool found = false;     // there was a journal
  size_t partitions = 0;  // that the journal had records of
  int64_t records = 0;    // put back
};

// To be called before any partition of the dir is opened, and after LogDir::begin(). Opens (and so recovers) the logs
// that the journal holds records of, `at_once` side by side, appends what they lack, syncs them, writes their recovery
// points, and removes the journal. What is there already is passed over, so that it may be repeated after a crash at
// any moment. kInvalidConfig: the journal is of another version of Stele. kKafkaStorageError: the disk failed, or a
// file of the journal is damaged where its begin tells whose it is; the journal is left as it was.
base::Task<base::Result<JournalReplay>> replay_journals(io::Shard& shard, LogDir& dir, size_t at_once);

// A crash left something for replay_journals() to do.
base::Task<base::Result<bool>> has_journals(io::Directory& log_dir);

// The last act before the mark of a clean stop, when every log of the dir is closed: removes the directory of the
// journals, on stable storage.
base::Task<base::Result<void>> remove_journals(io::Directory& log_dir);

}  // namespace stele::log
