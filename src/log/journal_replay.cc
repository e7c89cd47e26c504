#include "log/journal_replay.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>
#include <vector>

#include "log/journal_format.h"
#include "log/partition_log.h"
#include "record/batch.h"

namespace stele::log {

using base::ErrorCode;

namespace {

constexpr uint64_t kFileMax = uint64_t{1} << 32;
constexpr base::Duration kTellEvery = std::chrono::seconds{5};

// What is left of all journals: the entries of each log in their order.
struct Remains {
  std::vector<base::ByteVector> files;  // the entries point into them
  std::map<std::pair<std::string, base::TopicId>, std::vector<JournalEntry>> logs;
};

// The groups of one journal in the order in which they were written, without void ones.
std::vector<JournalGroup> in_order(std::vector<JournalGroup> groups, const std::string& where, base::LogSink& log) {
  std::ranges::sort(groups, {}, &JournalGroup::sequence);
  if (groups.empty()) return groups;
  const uint64_t oldest = groups.back().oldest;
  std::erase_if(groups, [oldest](const JournalGroup& group) { return group.sequence < oldest; });
  uint64_t expected = oldest;
  for (const JournalGroup& group : groups) {
    const bool last = &group == &groups.back();
    if (group.sequence != expected || (!group.whole && !last)) {
      log.error("{}: damaged before group {}, which was written after it had been synced", where, group.sequence);
    }
    expected = group.sequence + 1;
  }
  return groups;
}

void sort_out(std::vector<JournalGroup> groups, Remains& remains) {
  for (JournalGroup& group : groups) {
    for (JournalEntry& entry : group.entries) {
      auto& entries = remains.logs[{entry.directory, entry.topic_id}];
      if (entry.kind == JournalKind::kForget) {
        entries.clear();
      } else {
        entries.push_back(std::move(entry));
      }
    }
  }
}

base::Task<base::Result<Remains>> read_journals(io::Shard& shard, LogDir& dir, std::vector<io::Entry> names) {
  Remains remains;
  std::map<base::Uuid, std::vector<JournalGroup>> journals;
  for (const io::Entry& name : names) {
    if (name.directory || !name.name.ends_with(kJournalSuffix)) continue;
    const std::string path = fmt::format("{}/{}", kJournalDirectory, name.name);
    STELE_CO_TRY_ASSIGN(base::ByteVector bytes, co_await io::read_whole(*dir.directory(), path, kFileMax));
    const auto id = parse_journal_header(bytes);
    if (!id.ok()) {
      const bool unknown = id.code() == ErrorCode::kInvalidConfig;
      co_return base::Error{unknown ? ErrorCode::kInvalidConfig : ErrorCode::kKafkaStorageError,
                            fmt::format("{}/{}: {}. It holds acknowledged records that may be nowhere else: {}",
                                        dir.path(), path, id.error().message,
                                        unknown ? "start the version of Stele that wrote it"
                                                : "restore the file, or move it away to start without them")};
    }
    if (!*id) continue;
    remains.files.push_back(std::move(bytes));
    auto groups = find_journal_groups(remains.files.back(), **id);
    auto& all = journals[**id];
    std::ranges::move(groups, std::back_inserter(all));
  }
  const std::string where = fmt::format("{}/{}", dir.path(), kJournalDirectory);
  for (auto& [id, groups] : journals) sort_out(in_order(std::move(groups), where, shard.log()), remains);
  co_return remains;
}

// Appends the batches of an entry that the log lacks. False where records before them are missing. A batch of an epoch
// before the log's last one does not belong behind it.
base::Task<base::Result<bool>> put_back(PartitionLog& log, const JournalEntry& entry, base::Timestamp now) {
  if (entry.end <= log.assigned_end()) co_return true;
  if (entry.first > log.assigned_end()) co_return false;
  base::ByteVector bytes{entry.batches.begin(), entry.batches.end()};
  size_t skipped = 0;
  size_t taken = 0;
  const auto latest = log.epochs().latest();
  record::BatchReader reader(bytes);
  for (;;) {
    STELE_CO_TRY_ASSIGN(const auto batch, reader.next());
    if (!batch) break;
    const bool stale = latest && batch->leader_epoch() < *latest;
    if (taken == 0 && (stale || batch->base_offset() < log.assigned_end())) {
      skipped += batch->size();
    } else {
      taken += batch->size();
    }
  }
  if (taken == 0) co_return true;
  STELE_CO_TRY_ASSIGN(const Appended appended, log.append({.bytes = base::MutableBytes{bytes}.subspan(skipped, taken),
                                                           .leader_epoch = base::kNoLeaderEpoch,
                                                           .origin = Origin::kReplica,
                                                           .now = now}));
  STELE_CO_TRY(co_await log.wait_written(appended.last_offset));
  co_return true;
}

class Replay {
 public:
  Replay(io::Shard& shard, LogDir& dir, Remains remains) : shard_(shard), dir_(dir), remains_(std::move(remains)) {
    next_ = remains_.logs.begin();
    told_ = shard_.clock().now();
  }

  base::Task<base::Result<JournalReplay>> run(size_t at_once) {
    base::TaskScope workers{shard_.executor(), [this](std::exception_ptr) {
                              failure_ = base::Error{ErrorCode::kKafkaStorageError, "a task of the recovery failed"};
                            }};
    for (size_t i = 0; i < std::max<size_t>(at_once, 1); ++i) workers.spawn(work());
    co_await workers.join();
    if (failure_) co_return *failure_;
    STELE_CO_TRY(co_await dir_.change_recovery_points(std::move(recovered_)));
    report_.found = true;
    co_return report_;
  }

 private:
  base::Task<void> work() {
    while (next_ != remains_.logs.end() && !failure_) {
      const auto& [of, entries] = *next_++;
      if (entries.empty()) continue;
      auto done = co_await restore(of.first, of.second, entries);
      if (!done.ok() && !failure_) failure_ = std::move(done).error();
      ++done_;
      tell();
    }
  }

  void tell() {
    const base::MonoTime now = shard_.clock().now();
    if (now - told_ < kTellEvery) return;
    told_ = now;
    shard_.log().info("{}/{}: looked at {} of {} partitions, {} records put back", dir_.path(), kJournalDirectory,
                      done_, remains_.logs.size(), report_.records);
  }

  base::Task<base::Result<void>> restore(std::string name, base::TopicId topic,
                                         const std::vector<JournalEntry>& entries) {
    const auto parsed = parse_partition_directory(name);
    const auto found = co_await dir_.topic_id_of(name);
    if (!found.ok()) co_return found.error();
    // Without its directory, or with one of a later topic of that name: it was deleted.
    if (!parsed || *found != topic) co_return base::Result<void>{};
    OpenArgs args;
    args.shard = &shard_;
    args.log_dir = dir_.directory();
    args.name = name;
    args.topic_id = topic;
    // A segment may grow over its topic's segment.bytes by what the journal held.
    args.recovery_point = dir_.recovery_point(parsed->partition);
    args.write_again = true;
    // The log may end below its start until the journal's batches are back, of which the first may lie across it.
    args.log_start_offset = std::min(dir_.log_start(parsed->partition), entries.front().first);
    // The topic's policy is not known yet.
    if (entries.front().kind == JournalKind::kRecords) args.whole_below = entries.front().first;
    STELE_CO_TRY_ASSIGN(const std::unique_ptr<PartitionLog> log, co_await PartitionLog::open(std::move(args)));
    const base::Offset before = log->assigned_end();
    for (const JournalEntry& entry : entries) {
      STELE_CO_TRY_ASSIGN(const bool followed, co_await put_back(*log, entry, shard_.clock().wall()));
      if (followed) continue;
      if (entry.kind == JournalKind::kBehindGap) break;
      shard_.log().error(
          "{}/{}: records from offset {} to {} were synced and are gone: the log ends there, what the journal holds of "
          "later ones is of no use",
          dir_.path(), name, log->assigned_end().value(), entry.first.value() - 1);
      break;
    }
    STELE_CO_TRY(co_await log->flush());
    recovered_[parsed->partition] = log->recovery_point();
    ++report_.partitions;
    report_.records += log->assigned_end() - before;
    co_return base::Result<void>{};
  }

  io::Shard& shard_;
  LogDir& dir_;
  Remains remains_;
  std::map<std::pair<std::string, base::TopicId>, std::vector<JournalEntry>>::const_iterator next_;
  OffsetMap recovered_;
  JournalReplay report_;
  size_t done_ = 0;  // logs looked at
  base::MonoTime told_;
  std::optional<base::Error> failure_;
};

}  // namespace

namespace {
// Finishes a removal.
base::Task<base::Result<void>> remove_old(io::Directory& log_dir) {
  const auto found = co_await log_dir.list(std::string{kOldJournalDirectory});
  if (!found.ok() && found.error().os_error == ENOENT) co_return base::Result<void>{};
  STELE_CO_TRY(co_await log_dir.remove_tree(std::string{kOldJournalDirectory}));
  co_return co_await log_dir.sync();
}
}  // namespace

base::Task<base::Result<JournalReplay>> replay_journals(io::Shard& shard, LogDir& dir, size_t at_once) {
  STELE_CO_TRY(co_await remove_old(*dir.directory()));
  auto names = co_await dir.directory()->list(std::string{kJournalDirectory});
  if (!names.ok() && names.error().os_error == ENOENT) co_return JournalReplay{};
  if (!names.ok()) co_return std::move(names).error();
  STELE_CO_TRY_ASSIGN(Remains remains, co_await read_journals(shard, dir, *std::move(names)));
  Replay replay(shard, dir, std::move(remains));
  STELE_CO_TRY_ASSIGN(const JournalReplay report, co_await replay.run(at_once));
  STELE_CO_TRY(co_await remove_journals(*dir.directory()));
  shard.log().info("{}/{}: {} records of {} partitions put back into their segments", dir.path(), kJournalDirectory,
                   report.records, report.partitions);
  co_return report;
}

base::Task<base::Result<bool>> has_journals(io::Directory& log_dir) {
  for (const std::string_view name : {kJournalDirectory, kOldJournalDirectory}) {
    const auto found = co_await log_dir.list(std::string{name});
    if (found.ok()) co_return true;
    if (found.error().os_error != ENOENT) co_return found.error();
  }
  co_return false;
}

// All of it in one step: what is left of a journal without its newest files would tell of records that were cut since.
base::Task<base::Result<void>> remove_journals(io::Directory& log_dir) {
  STELE_CO_TRY(co_await remove_old(log_dir));
  const auto renamed = co_await log_dir.rename(std::string{kJournalDirectory}, std::string{kOldJournalDirectory});
  if (!renamed.ok() && renamed.error().os_error == ENOENT) co_return base::Result<void>{};
  STELE_CO_TRY(renamed);
  STELE_CO_TRY(co_await log_dir.sync());
  co_return co_await remove_old(log_dir);
}

}  // namespace stele::log
