// The journals of a log dir, as a crash or a failing disk left them, and their replay into the segments beside them.
#include <limits>

#include "base/check.h"
#include "fuzz/input.h"
#include "fuzz/mend.h"
#include "fuzz/one_host.h"
#include "fuzz/target.h"
#include "log/journal_format.h"
#include "log/journal_replay.h"
#include "log/partition_log.h"

namespace stele::fuzz {

namespace {

constexpr base::TopicId kTopic{7, 7};
constexpr base::Uuid kJournal{5, 5};
constexpr size_t kFiles = 3;
constexpr size_t kFileMax = size_t{64} << 10;

base::Offset offset_of(uint8_t choice) {
  if (choice == 255) return base::Offset{std::numeric_limits<int64_t>::max()};
  if (choice == 254) return base::Offset{std::numeric_limits<int64_t>::min()};
  return base::Offset{choice};
}

// What is found in a file is found again in what is written of it.
void find_and_write(base::Bytes file) {
  const auto id = log::parse_journal_header(file);
  if (!id.ok() || !*id) return;
  for (const log::JournalGroup& group : log::find_journal_groups(file, **id)) {
    if (!group.whole) continue;
    base::ByteVector written(log::kJournalBlock);
    base::ByteVector again(log::kGroupHeaderSize);
    for (const log::JournalEntry& entry : group.entries) log::append_journal_entry(again, entry, {{entry.batches}});
    log::seal_journal_group(again, group.journal, group.sequence, group.oldest);
    base::append(written, again);
    const auto found = log::find_journal_groups(written, group.journal);
    STELE_CHECK(found.size() == 1 && found.front().whole && found.front().entries.size() == group.entries.size());
    STELE_CHECK(found.front().sequence == group.sequence && found.front().oldest == group.oldest);
    for (size_t i = 0; i < group.entries.size(); ++i) {
      const log::JournalEntry& a = group.entries[i];
      const log::JournalEntry& b = found.front().entries[i];
      STELE_CHECK(a.kind == b.kind && a.topic_id == b.topic_id && a.directory == b.directory && a.first == b.first &&
                  a.end == b.end && base::as_text(a.batches) == base::as_text(b.batches));
    }
  }
}

// | entries: kind | 1: of another topic | directory | first | end | 1: as they are, else mended | batches
void add_group(Input& input, base::ByteVector& file) {
  base::ByteVector group(log::kGroupHeaderSize);
  const uint8_t sequence = input.byte();
  const uint8_t oldest = input.byte();
  for (int entries = input.byte() % 5; entries > 0; --entries) {
    static constexpr std::string_view kNames[] = {"t-0", "t-1", "u-0", "", "../t-0", "t-0.5-delete"};
    log::JournalEntry entry;
    entry.kind = static_cast<log::JournalKind>(input.byte() % 5);
    entry.topic_id = input.byte() == 1 ? base::TopicId{9, 9} : kTopic;
    entry.directory = kNames[input.byte() % std::size(kNames)];
    entry.first = offset_of(input.byte());
    entry.end = offset_of(input.byte());
    const bool as_they_are = input.byte() == 1;
    base::ByteVector batches = exact(input.piece());
    if (!as_they_are) mend(batches);
    log::append_journal_entry(group, entry, {{batches}});
  }
  log::seal_journal_group(group, kJournal, sequence, oldest);
  if (file.size() + group.size() <= kFileMax) base::append(file, group);
}

base::Task<void> replay(io::Shard& shard) {
  auto dir = co_await log::LogDir::open(shard, "/data");
  STELE_CHECK(dir.ok(), "{}", dir.error().message);
  const auto replayed = co_await log::replay_journals(shard, **dir, 2);
  const auto left = co_await log::has_journals(*(*dir)->directory());
  STELE_CHECK(left.ok() && *left == !replayed.ok(),
              "a replay that ended well leaves a journal, or one that failed none");
  if (!replayed.ok()) co_return;
  const auto again = co_await log::replay_journals(shard, **dir, 2);
  STELE_CHECK(again.ok() && !again->found);
}

base::Task<void> look(io::Shard& shard, std::string name) {
  auto directory = co_await shard.open_directory("/data", false);
  STELE_CHECK(directory.ok());
  log::OpenArgs args;
  args.shard = &shard;
  args.log_dir = std::move(directory).value();
  args.name = name;
  args.topic_id = kTopic;
  const auto log = co_await log::PartitionLog::open(std::move(args));
  if (!log.ok()) co_return;
  for (base::Offset at = (*log)->log_start_offset(); at < (*log)->written_end();) {
    const auto read = co_await (*log)->read(at, 1 << 16, (*log)->written_end(), true);
    if (!read.ok() || read->batches.empty()) co_return;
    STELE_CHECK(read->next_offset > at, "reading stands still at {}", at.value());
    at = read->next_offset;
  }
}

}  // namespace

// | then, over and over: what | where | content: 0 a group, 1 bytes as they are, 2 one byte of a file changed, 3
// segment
void journal(base::Bytes bytes) {
  Input input{bytes};
  OneHost host;
  base::ByteVector files[kFiles];
  for (base::ByteVector& file : files) {
    file = log::encode_journal_header(kJournal);
    file.resize(log::kJournalBlock);
  }
  for (const char* partition : {"t-0", "t-1"}) {
    const std::string directory = std::string{"/data/"} + partition;
    host.make_directory(directory);
    host.put(directory + "/" + std::string{log::kPartitionMetadataName},
             base::as_bytes(log::format_partition_metadata(kTopic)));
  }
  while (!input.empty()) {
    const uint8_t what = input.byte() % 4;
    const uint8_t where = input.byte();
    base::ByteVector& file = files[where % kFiles];
    if (what == 0) {
      add_group(input, file);
    } else if (what == 1) {
      const base::Bytes raw = input.piece();
      if (file.size() + raw.size() <= kFileMax) base::append(file, raw);
    } else if (what == 2) {
      file[input.number() % file.size()] ^= static_cast<std::byte>(input.byte());
    } else {
      base::ByteVector segment = exact(input.piece());
      mend(segment);
      host.put(std::string{"/data/t-"} + (where % 2 == 0 ? "0" : "1") + "/00000000000000000000.log", segment);
    }
  }
  const std::string directory = "/data/" + std::string{log::kJournalDirectory};
  host.make_directory(directory);
  for (size_t i = 0; i < kFiles; ++i) {
    const base::ByteVector file = exact(files[i]);
    find_and_write(file);
    host.put(directory + "/" + std::to_string(i % 2) + "-" + std::to_string(i) + std::string{log::kJournalSuffix},
             file);
  }
  host.run(replay);
  for (const char* partition : {"t-0", "t-1"}) host.run<std::string>(look, std::string{partition});
}

}  // namespace stele::fuzz
