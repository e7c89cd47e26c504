#include "log/log_dir.h"

#include <algorithm>
#include <cerrno>

#include "log/journal_format.h"

namespace stele::log {

using base::ErrorCode;

namespace {
constexpr uint64_t kTextFileMax = 256 << 20;
constexpr size_t kWorkers = 4;  // as many as there are helper threads
}  // namespace

base::Task<base::Result<std::unique_ptr<LogDir>>> LogDir::open(io::Shard& shard, std::string path) {
  STELE_CO_TRY_ASSIGN(std::unique_ptr<io::Directory> directory, co_await shard.open_directory(path, false));
  std::unique_ptr<LogDir> dir{new LogDir(shard, std::move(directory))};
  auto lock = dir->directory_->lock(std::string{kLockName});
  if (!lock.ok()) {
    co_return base::Error{ErrorCode::kKafkaStorageError,
                          fmt::format("{} is in use by another process: {}", path, lock.error().message),
                          lock.error().os_error};
  }
  dir->lock_ = *std::move(lock);
  STELE_CO_TRY(co_await dir->load());
  co_return std::move(dir);
}

base::Task<base::Result<void>> LogDir::load() {
  STELE_CO_TRY_ASSIGN(const std::vector<io::Entry> entries, co_await directory_->list());
  for (const io::Entry& entry : entries) look_at(entry);
  STELE_CO_TRY_ASSIGN(const auto meta, co_await read_text(std::string{kMetaPropertiesName}));
  if (meta) {
    auto parsed = parse_meta_properties(*meta);
    if (!parsed.ok()) {
      co_return base::Error{parsed.code(), fmt::format("{}: {}", path(), parsed.error().message)};
    }
    meta_ = *std::move(parsed);
  }
  STELE_CO_TRY_ASSIGN(const auto clean, co_await read_text(std::string{kCleanShutdownName}));
  if (clean) clean_ = parse_clean_shutdown(*clean);
  STELE_CO_TRY_ASSIGN(recovery_points_, co_await read_offsets(std::string{kRecoveryPointName}));
  STELE_CO_TRY_ASSIGN(log_starts_, co_await read_offsets(std::string{kLogStartName}));
  STELE_CO_TRY_ASSIGN(high_watermarks_, co_await read_offsets(std::string{kHighWatermarkName}));
  co_return base::Result<void>{};
}

bool holds_records(const std::vector<io::Entry>& files) {
  return std::ranges::any_of(files, [](const io::Entry& file) {
    return file.size > 0 && parse_offset_file_name(file.name, kLogSuffix).has_value();
  });
}

bool is_blank_entry(const io::Entry& entry) {
  if (entry.directory) return entry.name == "lost+found";
  return entry.name == kLockName || entry.name == "bootstrap.checkpoint" || entry.name.ends_with(".tmp");
}

void LogDir::look_at(const io::Entry& entry) {
  if (!is_blank_entry(entry)) blank_ = false;
  if (entry.name == "lost+found" || entry.name == kJournalDirectory || entry.name == kOldJournalDirectory) return;
  if (!entry.directory) return;
  auto parsed = parse_partition_directory(entry.name);
  if (!parsed) {
    shard_.log().warn("{}/{} is no partition's directory: left alone", path(), entry.name);
  } else if (parsed->partition.topic == kMetadataTopic) {
    has_metadata_log_ = true;
  } else {
    partitions_.push_back({entry.name, std::move(parsed->partition), parsed->kind});
  }
}

base::Offset LogDir::at(const OffsetMap& offsets, const TopicPartition& partition) {
  const auto found = offsets.find(partition);
  return found == offsets.end() ? base::Offset{0} : found->second;
}

std::set<TopicPartition> LogDir::checkpointed() const {
  std::set<TopicPartition> names;
  for (const OffsetMap* offsets : {&recovery_points_, &log_starts_, &high_watermarks_}) {
    for (const auto& [partition, offset] : *offsets) names.insert(partition);
  }
  return names;
}

base::Task<base::Result<std::optional<std::string>>> LogDir::read_text(std::string name) {
  auto bytes = co_await io::read_whole(*directory_, name, kTextFileMax);
  if (bytes.ok()) co_return std::optional{std::string{base::as_text(*bytes)}};
  if (bytes.error().os_error == ENOENT) co_return std::optional<std::string>{};
  co_return std::move(bytes).error();
}

// A checkpoint that cannot be read costs a longer recovery, no data: it is taken as empty.
base::Task<base::Result<OffsetMap>> LogDir::read_offsets(std::string name) {
  STELE_CO_TRY_ASSIGN(const auto text, co_await read_text(name));
  if (!text) co_return OffsetMap{};
  auto offsets = parse_offset_checkpoint(*text);
  if (offsets.ok()) co_return *std::move(offsets);
  shard_.log().warn("{}/{}: taken as empty: {}", path(), name, offsets.error().message);
  co_return OffsetMap{};
}

base::Task<base::Result<void>> LogDir::write_text(std::string name, std::string text) {
  base::ByteVector content;
  base::append(content, base::as_bytes(text));
  co_return co_await io::write_atomically(*directory_, std::move(name), std::move(content));
}

base::Task<base::Result<void>> LogDir::write_meta(MetaProperties properties, base::Timestamp now) {
  STELE_CO_TRY(
      co_await write_text(std::string{kMetaPropertiesName}, format_meta_properties(properties, properties_date(now))));
  meta_ = std::move(properties);
  blank_ = false;
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> LogDir::begin() {
  auto removed = co_await directory_->remove(std::string{kCleanShutdownName});
  if (!removed.ok() && removed.error().os_error != ENOENT) co_return std::move(removed).error();
  co_return co_await directory_->sync();
}

base::Task<base::Result<void>> LogDir::write_recovery_points(OffsetMap offsets) {
  return write_text(std::string{kRecoveryPointName}, format_offset_checkpoint(offsets));
}
base::Task<base::Result<void>> LogDir::change_recovery_points(OffsetMap offsets) {
  for (auto& [partition, offset] : offsets) recovery_points_[partition] = offset;
  co_return co_await write_recovery_points(recovery_points_);
}
base::Task<base::Result<void>> LogDir::write_log_starts(OffsetMap offsets) {
  return write_text(std::string{kLogStartName}, format_offset_checkpoint(offsets));
}
base::Task<base::Result<void>> LogDir::write_high_watermarks(OffsetMap offsets) {
  return write_text(std::string{kHighWatermarkName}, format_offset_checkpoint(offsets));
}

base::Task<base::Result<std::optional<base::TopicId>>> LogDir::topic_id_of(std::string directory) {
  STELE_CO_TRY_ASSIGN(const auto text, co_await read_text(directory + "/" + std::string{kPartitionMetadataName}));
  if (!text) {
    const auto files = co_await directory_->list(directory);
    if (!files.ok() && files.error().os_error != ENOENT) co_return files.error();
    if (!files.ok() || !holds_records(*files)) co_return std::optional<base::TopicId>{};
    co_return base::Error{ErrorCode::kKafkaStorageError,
                          fmt::format("{}/{} holds records, but no {}", path(), directory, kPartitionMetadataName)};
  }
  co_return topic_id_in(directory, *text);
}

base::Result<std::optional<base::TopicId>> LogDir::topic_id_in(const std::string& directory,
                                                               std::string_view text) const {
  auto id = parse_partition_metadata(text);
  if (id.ok()) return std::optional{*id};
  return base::Error{ErrorCode::kKafkaStorageError, fmt::format("{}/{}: {}", path(), directory, id.error().message)};
}

base::Task<std::vector<base::Result<std::optional<base::TopicId>>>> LogDir::topic_ids_of(
    std::vector<std::string> directories) {
  std::vector<base::Result<std::optional<base::TopicId>>> ids(directories.size(), std::optional<base::TopicId>{});
  size_t next = 0;
  base::TaskScope workers{shard_.executor(), [](std::exception_ptr fault) { std::rethrow_exception(fault); }};
  for (size_t i = 0; i < kWorkers; ++i) workers.spawn(read_topic_ids(directories, next, ids));
  co_await workers.join();
  co_return ids;
}

// Takes directories from the front of the list, some at a time, until none is left.
base::Task<void> LogDir::read_topic_ids(const std::vector<std::string>& directories, size_t& next,
                                        std::vector<base::Result<std::optional<base::TopicId>>>& ids) {
  constexpr size_t kAtOnce = 64;
  while (next < directories.size()) {
    const size_t first = next;
    next = std::min(next + kAtOnce, directories.size());
    std::vector<std::string> paths;
    for (size_t i = first; i < first + kAtOnce && i < directories.size(); ++i) {
      paths.push_back(directories[i] + "/" + std::string{kPartitionMetadataName});
    }
    const auto texts = co_await directory_->read_each(std::move(paths), kTextFileMax);
    for (size_t i = 0; i < texts.size(); ++i) {
      if (texts[i].ok()) {
        ids[first + i] = topic_id_in(directories[first + i], base::as_text(*texts[i]));
      } else {
        ids[first + i] = co_await topic_id_of(directories[first + i]);
      }
    }
  }
}

base::Task<base::Result<void>> LogDir::sync_new(std::vector<std::string> directories) {
  // Each costs two syncs, and one call does for all; but that one waits for whatever else is not written yet.
  constexpr size_t kMany = 100;
  if (directories.size() >= kMany || shard_.maybe("log.sync_all")) co_return co_await sync_all();
  base::Result<void> done;
  size_t next = 0;
  base::TaskScope workers{shard_.executor(), [](std::exception_ptr fault) { std::rethrow_exception(fault); }};
  for (size_t i = 0; i < kWorkers; ++i) workers.spawn(sync_new_ones(directories, next, done));
  co_await workers.join();
  if (done.ok()) done = co_await directory_->sync();
  co_return done;
}

base::Task<void> LogDir::sync_new_ones(const std::vector<std::string>& directories, size_t& next,
                                       base::Result<void>& done) {
  while (next < directories.size() && done.ok()) {
    const size_t at = next++;
    auto synced = co_await sync_new_one(directories[at]);
    if (!synced.ok()) done = std::move(synced);
  }
}

base::Task<base::Result<void>> LogDir::sync_new_one(std::string directory) {
  const std::string path = directory + "/" + std::string{kPartitionMetadataName};
  STELE_CO_TRY_ASSIGN(const auto file, co_await directory_->open(path, io::OpenMode::kReadWrite));
  STELE_CO_TRY(co_await file->sync());
  co_return co_await directory_->sync(std::move(directory));
}

base::Task<base::Result<std::string>> LogDir::set_aside_as_stray(FoundPartition partition, base::Uuid unique) {
  std::string name = partition_directory_name(partition.partition, DirectoryKind::kStray, unique);
  STELE_CO_TRY(co_await directory_->rename(partition.directory, name));
  STELE_CO_TRY(co_await directory_->sync());
  co_return name;
}

base::Task<base::Result<std::string>> LogDir::mark_deleted(TopicPartition partition, base::TopicId topic,
                                                           base::Uuid unique) {
  const std::string directory = partition.to_string();
  const auto found = co_await topic_id_of(directory);
  if (!found.ok() || (*found && **found != topic)) {
    co_return base::Error{ErrorCode::kInconsistentTopicId,
                          fmt::format("{}/{} is left alone: {}", path(), directory,
                                      found.ok() ? "it is of another topic" : found.error().message)};
  }
  std::string name = partition_directory_name(partition, DirectoryKind::kDeleted, unique);
  const auto renamed = co_await directory_->rename(directory, name);
  if (!renamed.ok() && renamed.error().os_error != ENOENT) co_return renamed.error();
  STELE_CO_TRY(co_await directory_->sync());
  co_return renamed.ok() ? name : std::string{};
}

base::Task<base::Result<void>> LogDir::remove_deleted(std::string directory) {
  const auto parsed = parse_partition_directory(directory);
  STELE_CHECK(parsed && parsed->kind == DirectoryKind::kDeleted, "{}", directory);
  co_return co_await directory_->remove_tree(std::move(directory));
}

base::Task<base::Result<void>> LogDir::mark_clean(base::BrokerEpoch epoch) {
  return write_text(std::string{kCleanShutdownName}, format_clean_shutdown(epoch));
}

}  // namespace stele::log
