#include "log/journal.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace stele::log {

using base::ErrorCode;

namespace {

constexpr uint64_t kFilesWanted = 8;
constexpr uint64_t kFileBytesMin = 64 << 10;
constexpr size_t kZerosAtOnce = 256 << 10;
// An entry above this share of a file costs more written twice than synced where it belongs.
constexpr uint64_t kEntryShare = 4;
// Of each file: its header, and a group that ends it (begin_file), and what a group's last block may lack.
constexpr uint64_t kOverhead = 3 * kJournalBlock;
// Logs that are asked to sync at a time: each takes a helper thread that the journal's own syncs need too.
constexpr size_t kAskedWhileRoom = 1;
constexpr size_t kAskedWhileFull = 4;

constexpr base::Offset kAll{INT64_MAX};
constexpr const char* kDraftSuffix = ".tmp";

uint64_t rounded_up(uint64_t bytes) { return (bytes + kJournalBlock - 1) / kJournalBlock * kJournalBlock; }

}  // namespace

JournalShare::~JournalShare() {
  const auto found = journal_->members_.find(id_);
  Journal::Member& member = found->second;
  member.user = nullptr;
  if (std::exchange(member.asked, std::nullopt)) --journal_->asked_;
  if (member.held.empty()) {
    journal_->members_.erase(found);
  } else {
    ++journal_->left_;
  }
}

bool JournalShare::append(JournalKind kind, base::Offset first, base::Offset end, std::span<const base::Bytes> batches,
                          JournalTag tag) {
  return journal_->add({id_, first, end, tag, nullptr}, kind, batches);
}

void JournalShare::synced(base::Offset end) {
  Journal::Member& member = journal_->member(id_);
  member.synced = std::max(member.synced, end);
  journal_->release(member, end);
  // What it wrote since it was asked may be in the same file, and has it asked once more. A log that is being cut lets
  // go when it has been: till then there is no use in asking it again.
  if (member.asked && end >= *member.asked) {
    member.asked.reset();
    --journal_->asked_;
  }
  journal_->ask_for_room();
}

base::Task<base::Result<void>> JournalShare::forget() {
  const std::shared_ptr<Journal> journal = journal_;
  if (journal->failure_) co_return *journal->failure_;
  // Nothing of it is needed any more: the file that it holds may be the one that this entry waits for.
  synced(kAll);
  while (!journal->failure_ && journal->pending_.bytes.size() + kOverhead > journal->file_bytes_) {
    auto taken = std::make_shared<base::Signal>(journal->shard_.executor());
    journal->crowd_.push_back(taken);
    co_await taken->wait();
  }
  auto done = std::make_shared<base::Signal>(journal->shard_.executor());
  if (journal->add({id_, {}, {}, {}, done}, JournalKind::kForget, {})) co_await done->wait();
  journal->member(id_).synced = base::Offset{0};
  if (journal->failure_) co_return *journal->failure_;
  co_return base::Result<void>{};
}

void JournalShare::drop() { synced(kAll); }

Journal::Journal(io::Shard& shard, std::shared_ptr<io::Directory> log_dir, JournalOptions options)
    : shard_(shard),
      log_dir_(std::move(log_dir)),
      file_bytes_(std::max(options.bytes / kFilesWanted / kJournalBlock * kJournalBlock, kFileBytesMin)),
      files_max_(std::max<uint64_t>(options.bytes / file_bytes_, 2)),
      id_(base::Uuid::make_random(shard.random())),
      room_(shard.executor()),
      tasks_(shard.executor(),
             [this](std::exception_ptr) { fail({ErrorCode::kKafkaStorageError, "a task of the journal failed"}); }) {}

std::unique_ptr<JournalShare> Journal::join(JournalUser& user, base::TopicId topic_id, std::string directory) {
  const auto before = left(topic_id, directory);
  if (before) --left_;
  const uint64_t id = before ? *before : ++next_member_;
  Member& member = members_[id];
  member.user = &user;
  member.topic_id = topic_id;
  member.directory = std::move(directory);
  return std::make_unique<JournalShare>(shared_from_this(), id);
}

std::optional<uint64_t> Journal::left(base::TopicId topic_id, const std::string& directory) const {
  if (left_ == 0) return std::nullopt;
  for (const auto& [id, member] : members_) {
    if (member.user == nullptr && member.topic_id == topic_id && member.directory == directory) return id;
  }
  return std::nullopt;
}

bool Journal::is_left(base::TopicId topic_id, const std::string& directory) const {
  return left(topic_id, directory).has_value();
}

void Journal::drop(base::TopicId topic_id, const std::string& directory) {
  while (const auto id = left(topic_id, directory)) {
    const auto found = members_.find(*id);
    release(found->second, kAll);
    members_.erase(found);
    --left_;
  }
  ask_for_room();
}

// Never refused: to forget.
bool Journal::add(Entry entry, JournalKind kind, std::span<const base::Bytes> batches) {
  if (failure_ || closed_) return false;
  uint64_t bytes = 0;
  for (const base::Bytes part : batches) bytes += part.size();
  if (kind != JournalKind::kForget) {
    const bool small = bytes <= file_bytes_ / kEntryShare && pending_.bytes.size() + bytes + kOverhead <= file_bytes_;
    if (!small || (full_disk_ && live_.empty())) return false;
  }
  const Member& of = member(entry.member);
  if (pending_.bytes.empty()) pending_.bytes.resize(kGroupHeaderSize);
  append_journal_entry(pending_.bytes, {kind, of.topic_id, of.directory, entry.first, entry.end, {}}, batches);
  pending_.entries.push_back(std::move(entry));
  if (working_) return true;
  working_ = true;
  tasks_.spawn(work_off());
  return true;
}

// The first turn is given away, so that what all logs of a turn append goes in one group.
base::Task<void> Journal::work_off() {
  co_await base::yield(shard_.executor());
  while (!pending_.entries.empty() && !failure_ && !closed_) {
    Group group = std::exchange(pending_, {});
    wake_crowd();
    const auto room = co_await find_room(rounded_up(group.bytes.size()));
    if (room.ok() && !*room) {
      decline(group);
      continue;
    }
    const auto written = room.ok() ? co_await write(group.bytes) : base::Result<void>{room.error()};
    if (!written.ok()) {
      for (const Entry& entry : group.entries) {
        if (entry.forgotten) entry.forgotten->set();
      }
      fail(written.error());
      break;
    }
    take_note(group);
  }
  working_ = false;
}

// False where there will be none: the disk is full, or the journal is closed.
base::Task<base::Result<bool>> Journal::find_room(uint64_t bytes) {
  for (;;) {
    if (failure_) co_return *failure_;
    if (closed_) co_return false;
    if (!live_.empty() && live_.back().used + bytes + kJournalBlock <= file_bytes_) co_return true;
    // Two at least: with one alone there would be no way on when it is full.
    const bool first = live_.empty() && free_.size() < 2;
    if (!first && !free_.empty()) {
      STELE_CO_TRY(co_await begin_file());
    } else if (first || (!making_ && files_ < files_max_ && !full_disk_)) {
      STELE_CO_TRY_ASSIGN(const bool made, co_await make_file());
      if (first && !made) co_return false;
    } else {
      starved_ = true;
      ask_for_room();
      co_await room_.wait();
      starved_ = false;
    }
  }
}

// Goes on in a free file. That what stands in there is void must be on stable storage before any of it is overwritten:
// else a crash could leave records of it without the entry that voids them.
base::Task<base::Result<void>> Journal::begin_file() {
  if (free_.front().last_group >= oldest_ && free_.front().last_group > 0) {
    base::ByteVector nothing(kGroupHeaderSize);
    STELE_CO_TRY(co_await write(nothing));
  }
  JournalFile next = std::move(free_.front());
  free_.pop_front();
  next.turn = next_turn_++;
  next.used = kJournalBlock;
  next.first_group = groups_ + 1;
  next.holders = 0;
  live_.push_back(std::move(next));
  free_files();
  ask_for_room();
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> Journal::write(base::ByteVector& group) {
  JournalFile& into = live_.back();
  const uint64_t oldest = live_.front().first_group;
  seal_journal_group(group, id_, groups_ + 1, oldest);
  STELE_CHECK(into.used + group.size() <= file_bytes_);
  const std::shared_ptr<io::File> file = into.file;
  const iovec whole{group.data(), group.size()};
  STELE_CO_TRY(co_await file->write(into.used, {&whole, 1}));
  STELE_CO_TRY(co_await file->sync());
  if (failure_) co_return *failure_;
  JournalFile& written = live_.back();
  written.used += group.size();
  written.last_group = ++groups_;
  oldest_ = oldest;
  emptying_ = false;
  const bool soon = written.used > file_bytes_ / 2 && free_.empty();
  if (soon && !making_ && files_ < files_max_ && !full_disk_) tasks_.spawn(make_spare());
  co_return base::Result<void>{};
}

void Journal::take_note(const Group& group) {
  JournalFile& file = live_.back();
  for (const Entry& entry : group.entries) {
    const auto found = members_.find(entry.member);
    if (entry.forgotten) {
      entry.forgotten->set();
      continue;
    }
    if (found == members_.end()) continue;
    Member& member = found->second;
    if (entry.end > member.synced) {
      if (member.held.empty() || member.held.back().turn != file.turn) {
        member.held.push_back({file.turn, entry.end});
        ++file.holders;
      }
      member.held.back().end = entry.end;
    }
    if (member.user != nullptr) member.user->on_journaled(entry.first, entry.end, entry.tag);
  }
}

void Journal::decline(const Group& group) {
  for (const Entry& entry : group.entries) {
    const auto found = members_.find(entry.member);
    // Without a file there is nothing to forget.
    if (entry.forgotten) entry.forgotten->set();
    if (found != members_.end() && found->second.user != nullptr) found->second.user->on_not_journaled();
  }
}

void Journal::release(Member& member, base::Offset below) {
  while (!member.held.empty() && member.held.front().end <= below) {
    --live_[member.held.front().turn - live_.front().turn].holders;
    member.held.pop_front();
  }
  free_files();
}

void Journal::free_files() {
  while (live_.size() > 1 && live_.front().holders == 0) {
    free_.push_back(std::move(live_.front()));
    live_.pop_front();
    room_.set();
  }
}

// Has the holders of the oldest file sync, a few at a time, so that it gets free before it is needed.
void Journal::ask_for_room() {
  if (failure_ || members_.empty() || live_.empty()) return;
  if (!emptying_ && !starved_ && live_.size() <= files_max_ / 2) return;
  const size_t at_once = starved_ ? kAskedWhileFull : kAskedWhileRoom;
  auto at = members_.upper_bound(last_asked_);
  for (size_t looked = 0; looked < members_.size() && asked_ < at_once; ++looked) {
    if (at == members_.end()) at = members_.begin();
    auto& [id, member] = *at++;
    const bool holds = !member.held.empty() && (emptying_ || member.held.front().turn == live_.front().turn);
    if (!holds || member.asked || member.user == nullptr) continue;
    member.asked = member.held.front().end;
    ++asked_;
    last_asked_ = id;
    member.user->free_journal();
  }
}

void Journal::tend() {
  full_disk_ = false;
  const bool idle = groups_ == std::exchange(tended_, groups_);
  if (!idle || emptying_) return;
  emptying_ = true;
  ask_for_room();
}

// False where the disk is full.
base::Task<base::Result<bool>> Journal::make_file() {
  making_ = true;
  ++files_;
  const std::string path =
      fmt::format("{}/{}-{}{}", kJournalDirectory, shard_.id().value(), next_file_++, kJournalSuffix);
  JournalFile made;
  auto done = co_await make_file_at(path, made);
  making_ = false;
  if (done.ok()) {
    free_.push_back(std::move(made));
    room_.set();
    co_return true;
  }
  --files_;
  room_.set();
  if (done.error().os_error != ENOSPC && done.error().os_error != EDQUOT) co_return std::move(done).error();
  full_disk_ = true;
  shard_.log().warn("{}/{}: the disk is full, partitions are synced one by one: {}", log_dir_->path(),
                    kJournalDirectory, done.error().message);
  made.file.reset();
  const auto removed = co_await log_dir_->remove(path + kDraftSuffix);
  if (!removed.ok() && removed.error().os_error != ENOENT) co_return removed.error();
  co_return false;
}

// It gets its name when its header is on stable storage: what a crash or a failed write leaves before is no journal.
base::Task<base::Result<void>> Journal::make_file_at(std::string path, JournalFile& made) {
  STELE_CO_TRY_ASSIGN(const auto directory, co_await log_dir_->open_directory(std::string{kJournalDirectory}, true));
  STELE_CO_TRY_ASSIGN(std::unique_ptr<io::File> file,
                      co_await log_dir_->open(path + kDraftSuffix, io::OpenMode::kCreateNew));
  made.file = std::move(file);
  base::ByteVector zeros(std::min<uint64_t>(kZerosAtOnce, file_bytes_));
  for (uint64_t at = 0; at < file_bytes_; at += zeros.size()) {
    const iovec part{zeros.data(), std::min<uint64_t>(zeros.size(), file_bytes_ - at)};
    STELE_CO_TRY(co_await made.file->write(at, {&part, 1}));
    co_await base::yield(shard_.executor());
  }
  STELE_CO_TRY(co_await made.file->sync());
  base::ByteVector header = encode_journal_header(id_);
  const iovec part{header.data(), header.size()};
  STELE_CO_TRY(co_await made.file->write(0, {&part, 1}));
  STELE_CO_TRY(co_await made.file->sync());
  STELE_CO_TRY(co_await log_dir_->rename(path + kDraftSuffix, path));
  STELE_CO_TRY(co_await log_dir_->sync(std::string{kJournalDirectory}));
  co_return co_await log_dir_->sync();
}

base::Task<void> Journal::make_spare() {
  const auto made = co_await make_file();
  if (!made.ok()) fail(made.error());
}

void Journal::fail(base::Error error) {
  if (failure_) return;
  // A full disk would have the logs opened again, into this journal, which takes nothing any more.
  error.os_error = 0;
  failure_ = std::move(error);
  for (const Entry& entry : std::exchange(pending_, {}).entries) {
    if (entry.forgotten) entry.forgotten->set();
  }
  room_.set();
  wake_crowd();
  for (auto& [id, member] : members_) {
    if (member.user != nullptr) member.user->on_journal_failed(*failure_);
  }
}

void Journal::wake_crowd() {
  for (const auto& waiting : std::exchange(crowd_, {})) waiting->set();
}

base::Task<void> Journal::close() {
  closed_ = true;
  room_.set();
  co_await tasks_.join();
}

}  // namespace stele::log
