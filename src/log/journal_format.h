// The files of a journal: `stele-journal/<shard>-<number>.journal` in a log dir. Not Kafka's: Kafka refuses a log dir
// that holds such a directory, so that it never starts without the records in it.
//
// A file is a number of blocks of 4 KiB. The first holds the header:
//   magic "SteleJnl" (8 bytes), version i16, reserved i16, journal id (16 bytes), crc32c of all before u32
// and zeros. It is written once, in one sector, after the zeros that the file is made of, and never changed. Groups of
// entries follow, each from the begin of a block on:
//   magic "SJGp" (4), journal id (16), sequence u64, oldest u64, bytes of entries u32, crc32c of the header u32
// Sequences rise by one from group to group through all files of a journal; a group is written once the one before is
// synced, so that every group but the last is whole on a good disk. Groups below `oldest` of the last group are void: a
// file whose groups are all void is written anew from its begin. The journal's id is drawn at random, so that no record
// can look like a group. An entry:
//   bytes behind this field u32, crc32c of what follows u32, kind i8, topic id (16), first offset i64, end offset i64,
//   length of the directory's name i16, the name, batches as they stand in the segment
// Numbers are big-endian. Where a file is read any byte may be wrong.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/uuid.h"

namespace stele::log {

inline constexpr std::string_view kJournalDirectory = "stele-journal";
// On its way out: not looked at any more, to be removed.
inline constexpr std::string_view kOldJournalDirectory = "stele-journal.deleted";
inline constexpr std::string_view kJournalSuffix = ".journal";
inline constexpr size_t kJournalBlock = 4096;
inline constexpr size_t kGroupHeaderSize = 44;

enum class JournalKind : int8_t {
  kRecords = 1,    // batches from `first` to `end`, behind a log that ended at `first`, synced
  kForget = 2,     // all earlier entries of this log are void: it was cut, and what is left of it is synced
  kBehindGap = 3,  // as kRecords, but the log may not have been synced up to `first` yet: so long it does not count
};

struct JournalEntry {
  JournalKind kind = JournalKind::kRecords;
  base::TopicId topic_id;
  std::string directory;  // "topic-0"
  base::Offset first;
  base::Offset end;
  base::Bytes batches;  // lie in the file's bytes
};

struct JournalGroup {
  base::Uuid journal;
  uint64_t sequence = 0;
  uint64_t oldest = 0;
  bool whole = true;  // false: an entry is damaged, and those behind it cannot be told apart
  std::vector<JournalEntry> entries;
};

base::ByteVector encode_journal_header(base::Uuid journal);
// Nothing where the file was never finished. kInvalidConfig: another version. kCorruptMessage: damaged.
base::Result<std::optional<base::Uuid>> parse_journal_header(base::Bytes file);

// Adds an entry at the end of `group`; the parts of the batches go in one after the other.
void append_journal_entry(base::ByteVector& group, const JournalEntry& entry, std::span<const base::Bytes> batches);
// `group` begins with kGroupHeaderSize bytes of any content: fills them in, and pads the group to whole blocks.
void seal_journal_group(base::ByteVector& group, base::Uuid journal, uint64_t sequence, uint64_t oldest);
// The groups of `journal` in a file, void ones too; entries point into `file`.
std::vector<JournalGroup> find_journal_groups(base::Bytes file, base::Uuid journal);

}  // namespace stele::log
