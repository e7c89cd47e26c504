#include "broker/log_dirs.h"

#include <algorithm>
#include <cerrno>

#include "log/journal_replay.h"

namespace stele::broker {

namespace {

// The names on the way to the dir are on stable storage afterwards: a dir that was made just now must not go with a
// loss of power. Directories above that may not be opened are somebody else's and older than that.
base::Task<void> sync_above(io::Shard& shard, std::string path) {
  for (size_t slash = path.rfind('/'); slash != std::string::npos; slash = path.rfind('/')) {
    path.resize(slash);
    auto directory = co_await shard.open_directory(path.empty() ? "/" : path, false);
    if (!directory.ok()) co_return;
    const auto synced = co_await (*directory)->sync();
    if (!synced.ok()) co_return;
  }
}

// What no change of the configuration mends.
bool is_of_the_disk(const base::Error& error) {
  constexpr int kErrors[] = {EIO, EROFS, ENODEV, ENXIO, ESTALE, EUCLEAN};
  return std::ranges::find(kErrors, error.os_error) != std::end(kErrors);
}

base::Task<base::Result<std::unique_ptr<log::LogDir>>> open_one(io::Shard& shard, std::string path) {
  // Kafka makes a log dir that is not there; whether it may be formatted is looked at afterwards.
  auto made = co_await shard.open_directory(path, true);
  if (!made.ok()) co_return std::move(made).error();
  co_return co_await log::LogDir::open(shard, path);
}

}  // namespace

base::Task<base::Result<void>> LogDirs::open(std::vector<std::string> paths, std::string needed) {
  for (const std::string& path : paths) {
    auto dir = co_await open_one(shard_, path);
    if (!dir.ok() && (paths.size() == 1 || path == needed || !is_of_the_disk(dir.error()))) {
      co_return std::move(dir).error();
    }
    dirs_.emplace_back().path = path;
    if (dir.ok()) {
      dirs_.back().dir = *std::move(dir);
    } else {
      take_offline(dirs_.size() - 1, dir.error().message);
    }
  }
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> LogDirs::begin(std::string needed) {
  for (size_t i = 0; i < dirs_.size(); ++i) {
    if (dirs_[i].offline) continue;
    auto begun = co_await dirs_[i].dir->begin();
    if (begun.ok()) continue;
    if (online_count() == 1 || dirs_[i].path == needed || !is_of_the_disk(begun.error())) co_return begun;
    take_offline(i, begun.error().message);
  }
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> LogDirs::format(size_t index, metadata::Format format) {
  std::unique_ptr<log::LogDir>& dir = dirs_.at(index).dir;
  STELE_CO_TRY(co_await metadata::format_log_dir(*dir->directory(), std::move(format), shard_.clock().wall()));
  const std::string path = dir->path();
  co_await sync_above(shard_, path);
  dir.reset();  // its lock is taken again
  STELE_CO_TRY_ASSIGN(dir, co_await log::LogDir::open(shard_, path));
  co_return base::Result<void>{};
}

base::DirectoryId LogDirs::id(size_t index) const {
  const auto& meta = dirs_.at(index).dir->meta();
  STELE_CHECK(meta && meta->directory_id, "a log dir without an id is in use");
  return *meta->directory_id;
}

std::optional<size_t> LogDirs::index_of(base::DirectoryId id) const {
  for (size_t i = 0; i < dirs_.size(); ++i) {
    if (has(i) && this->id(i) == id) return i;
  }
  return std::nullopt;
}

size_t LogDirs::online_count() const {
  size_t count = 0;
  for (const Dir& dir : dirs_) count += dir.offline ? 0 : 1;
  return count;
}

void LogDirs::take_offline(size_t index, std::string reason) {
  Dir& dir = dirs_.at(index);
  if (dir.offline) return;
  dir.offline = true;
  dir.failure = std::move(reason);
  shard_.mark("broker.log_dir_offline");
  shard_.log().error(
      "log dir {} is offline: {}. Its partitions answer KAFKA_STORAGE_ERROR until the cause is mended and the "
      "broker is started again",
      dir.path, dir.failure);
}

void LogDirs::limit_space(int64_t min_free) {
  for (Dir& dir : dirs_) dir.space = SpaceWatch{min_free};
}

bool LogDirs::look_at_space(size_t index) {
  Dir& dir = dirs_.at(index);
  if (dir.offline) return false;
  const auto space = dir.dir->directory()->space();
  if (!space.ok()) return false;  // what fails here fails where it is needed too
  const SpaceLevel before = dir.space.level();
  const SpaceLevel now = dir.space.saw(*space);
  if (now == before) return false;
  if (now == SpaceLevel::kEnough) {
    shard_.log().info("log dir {} has {} bytes free again: records are taken", dir.dir->path(), space->usable_bytes);
  } else {
    shard_.log().error(
        "log dir {} is near full: {} of {} bytes are free, less than {} (stele.log.dir.min.free.bytes). Records{} are "
        "refused with KAFKA_STORAGE_ERROR until {} are free; reading, deleting and retention go on",
        dir.dir->path(), space->usable_bytes, space->total_bytes, dir.space.limit(),
        now == SpaceLevel::kReserveUsed ? " and committed offsets" : "", dir.space.enough());
  }
  return true;
}

bool LogDirs::ran_out_of_space(size_t index, const std::string& what) {
  Dir& dir = dirs_.at(index);
  const SpaceLevel before = dir.space.level();
  if (const auto space = dir.dir->directory()->space(); space.ok()) dir.space.saw(*space);
  dir.space.ran_out();
  if (dir.space.level() == before) return false;
  shard_.log().error(
      "log dir {} is full: {}. Records are refused with KAFKA_STORAGE_ERROR until {} bytes are free; reading, deleting "
      "and retention go on",
      dir.dir->path(), what, dir.space.enough());
  return true;
}

base::BrokerEpoch LogDirs::clean_epoch() const {
  base::BrokerEpoch epoch{-1};
  for (const Dir& dir : dirs_) {
    if (dir.dir == nullptr || !dir.dir->clean_shutdown()) return base::BrokerEpoch{-1};
    epoch = std::max(epoch, *dir.dir->clean_shutdown());
  }
  return epoch;
}

base::Task<base::Result<void>> LogDirs::look_around(std::string needed) {
  for (size_t i = 0; i < dirs_.size(); ++i) {
    if (!has(i)) continue;
    std::vector<log::FoundPartition> partitions = dirs_[i].dir->partitions();
    std::erase_if(partitions,
                  [](const log::FoundPartition& partition) { return partition.kind != log::DirectoryKind::kCurrent; });
    std::vector<std::string> directories;
    for (const log::FoundPartition& partition : partitions) directories.push_back(partition.directory);
    const auto ids = co_await dirs_[i].dir->topic_ids_of(std::move(directories));
    for (size_t at = 0; at < partitions.size(); ++at) {
      const log::FoundPartition& partition = partitions[at];
      const auto& id = ids[at];
      if (!id.ok() && is_of_the_disk(id.error())) {
        // Nobody knows whose it is: to set it aside would let an empty partition take its place.
        if (online_count() == 1 || dirs_[i].path == needed) co_return id.error();
        take_offline(i, id.error().message);
        break;
      }
      if (!id.ok() || !*id) {
        shard_.log().warn("{}/{}: no topic id can be read there: {}", dirs_[i].dir->path(), partition.directory,
                          id.ok() ? "partition.metadata is not there" : id.error().message);
        unreadable_.push_back({i, partition});
        continue;
      }
      const PartitionKey key{**id, partition.partition.partition};
      const auto [found, added] = found_.emplace(key, Found{i, partition});
      if (!added) {
        co_return base::Error{
            base::ErrorCode::kInvalidConfig,
            fmt::format("{} is in two log dirs, {} and {}: move one of them away", partition.directory,
                        dirs_[found->second.log_dir].dir->path(), dirs_[i].dir->path())};
      }
    }
  }
  co_return base::Result<void>{};
}

const LogDirs::Found* LogDirs::find(const PartitionKey& key) const {
  const auto at = found_.find(key);
  return at == found_.end() ? nullptr : &at->second;
}

base::Task<void> LogDirs::settle(const std::function<bool(const PartitionKey&)>& known,
                                 const std::function<std::optional<PartitionKey>(const log::TopicPartition&)>& named) {
  std::vector<Found> strays;
  for (Found& unreadable : std::exchange(unreadable_, {})) {
    const auto key = named(unreadable.partition.partition);
    if (!key || !found_.emplace(*key, unreadable).second) strays.push_back(std::move(unreadable));
  }
  for (const auto& [key, found] : found_) {
    if (known(key)) {
      const log::TopicPartition& name = found.partition.partition;
      const log::LogDir& dir = *dirs_[found.log_dir].dir;
      closed(found.log_dir, name, key, {dir.recovery_point(name), dir.log_start(name), dir.high_watermark(name), true});
    } else {
      strays.push_back(found);
    }
  }
  for (Found& stray : strays) {
    if (dirs_[stray.log_dir].offline) continue;
    auto renamed = co_await dirs_[stray.log_dir].dir->set_aside_as_stray(stray.partition,
                                                                         base::Uuid::make_random(shard_.random()));
    if (renamed.ok()) {
      ++dirs_[stray.log_dir].strays;
      shard_.log().warn("{}/{} belongs to no topic of the cluster: renamed to {}", dirs_[stray.log_dir].dir->path(),
                        stray.partition.directory, *renamed);
    } else {
      take_offline(stray.log_dir, renamed.error().message);
    }
  }
  for (size_t i = 0; i < dirs_.size(); ++i) {
    if (dirs_[i].offline) continue;
    for (const log::FoundPartition& partition : dirs_[i].dir->partitions()) {
      if (partition.kind == log::DirectoryKind::kStray) ++dirs_[i].strays;
      if (partition.kind == log::DirectoryKind::kDeleted) co_await remove_deleted(i, partition.directory);
    }
    // A crash between the renaming of a directory and the checkpoints leaves them naming it.
    for (const log::TopicPartition& name : dirs_[i].dir->checkpointed()) {
      if (!dirs_[i].lines.contains(name)) dirs_[i].stale.insert(name);
    }
    if (!dirs_[i].stale.empty()) co_await write_checkpoints(i, true);
  }
}

base::Task<base::Result<void>> LogDirs::replay_journals(size_t at_once, std::string needed) {
  for (size_t i = 0; i < dirs_.size(); ++i) {
    if (dirs_[i].offline) continue;
    const auto replayed = co_await log::replay_journals(shard_, *dirs_[i].dir, at_once);
    if (replayed.ok()) continue;
    const bool of_dir = replayed.code() == base::ErrorCode::kKafkaStorageError;
    if (online_count() == 1 || dirs_[i].path == needed || !of_dir) co_return replayed.error();
    take_offline(i, replayed.error().message);
  }
  co_return base::Result<void>{};
}

void LogDirs::fill(HostOrder& order, size_t log_dir) const {
  order.log_dir = log_dir;
  order.offline = dirs_.at(log_dir).offline;
  order.stale_name = is_stale(log_dir, order.name);
  if (!has(log_dir)) return;
  const log::LogDir& dir = *dirs_.at(log_dir).dir;
  order.clean = dir.clean_shutdown().has_value();
  if (!found_.contains(order.key)) return;
  order.recovery_point = dir.recovery_point(order.name);
  order.log_start = dir.log_start(order.name);
}

void LogDirs::opened(size_t log_dir, const log::TopicPartition& name, const PartitionKey& key) {
  Line& line = dirs_.at(log_dir).lines[name];
  if (line.key != key) line = {key, {}, false};
  line.open = true;
}

// One that was deleted since it told how it stands has no line any more; one of its name has a line with another key.
void LogDirs::take_in(Dir& dir, const Standing& standing) {
  const auto at = dir.lines.find(standing.name);
  if (at == dir.lines.end() || at->second.key != standing.key) return;
  const base::Offset log_start = standing.log_start.value_or(base::Offset{0});
  at->second.said = {standing.recovery_point, log_start, standing.high_watermark, false};
}

void LogDirs::letting_go(size_t log_dir, const log::TopicPartition& name) {
  Line& line = dirs_.at(log_dir).lines.at(name);
  line.open = false;
  line.said.untouched = false;
}

void LogDirs::forget(size_t log_dir, const log::TopicPartition& name) {
  dirs_.at(log_dir).lines.erase(name);
  dirs_.at(log_dir).stale.insert(name);
}

std::optional<size_t> LogDirs::where(const log::TopicPartition& name, const PartitionKey& key) const {
  for (size_t i = 0; i < dirs_.size(); ++i) {
    const auto at = dirs_[i].lines.find(name);
    if (at != dirs_[i].lines.end() && at->second.key == key) return i;
  }
  return std::nullopt;
}

bool LogDirs::any_stale() const {
  return std::ranges::any_of(dirs_, [](const Dir& dir) { return !dir.offline && !dir.stale.empty(); });
}

base::Task<std::vector<size_t>> LogDirs::checkpoint(const std::vector<Standing>& standings, bool all) {
  std::vector<size_t> failed;
  for (size_t i = 0; i < dirs_.size(); ++i) {
    if (dirs_[i].offline) continue;
    for (const Standing& standing : standings) {
      if (standing.log_dir == i) take_in(dirs_[i], standing);
    }
    if (!co_await write_checkpoints(i, all)) failed.push_back(i);
  }
  co_return failed;
}

// False where that took the dir offline.
base::Task<bool> LogDirs::write_checkpoints(size_t index, bool all) {
  log::OffsetMap recovery_points;
  log::OffsetMap log_starts;
  log::OffsetMap high_watermarks;
  for (const auto& [name, line] : dirs_[index].lines) {
    recovery_points.emplace(name, line.said.recovery_point);
    if (line.said.log_start > base::Offset{0}) log_starts.emplace(name, line.said.log_start);
    high_watermarks.emplace(name, line.said.high_watermark);
  }
  // Who is deleted while this is written may be named in it.
  const std::set<log::TopicPartition> gone = dirs_[index].stale;
  log::LogDir& dir = *dirs_[index].dir;
  auto written = co_await dir.write_high_watermarks(std::move(high_watermarks));
  if (written.ok() && all) written = co_await dir.write_recovery_points(std::move(recovery_points));
  if (written.ok() && all) written = co_await dir.write_log_starts(std::move(log_starts));
  if (all) dirs_[index].unwritten = !written.ok();
  if (written.ok() && all) {
    for (const log::TopicPartition& name : gone) dirs_[index].stale.erase(name);
  }
  if (written.ok() || dirs_[index].offline) co_return true;
  if (log::is_no_space(written.error())) {
    // The former checkpoints stand: a recovery would only read more.
    ran_out_of_space(index, written.error().message);
    co_return true;
  }
  take_offline(index, written.error().message);
  co_return false;
}

base::Task<void> LogDirs::sync_closed(std::vector<Standing>& standings) {
  for (size_t i = 0; i < dirs_.size(); ++i) {
    if (dirs_[i].offline) continue;
    const auto synced = co_await dirs_[i].dir->sync_all();
    if (!synced.ok()) {
      take_offline(i, synced.error().message);
      continue;
    }
    for (Standing& standing : standings) {
      if (standing.log_dir == i && !standing.failed) standing.recovery_point = standing.end;
    }
  }
}

base::Task<void> LogDirs::mark_clean(const std::vector<Standing>& standings, base::BrokerEpoch epoch) {
  for (size_t i = 0; i < dirs_.size(); ++i) {
    bool clean = !dirs_[i].offline && !dirs_[i].unwritten;
    // What was never opened is as the stop before left it.
    for (const auto& [name, line] : dirs_[i].lines) {
      const bool left_clean = line.said.untouched && dirs_[i].dir->clean_shutdown().has_value();
      clean = clean && (line.open || left_clean);
    }
    for (const Standing& standing : standings) clean = clean && !(standing.log_dir == i && standing.failed);
    if (!clean) continue;
    auto marked = co_await log::remove_journals(*dirs_[i].dir->directory());
    if (marked.ok()) marked = co_await dirs_[i].dir->mark_clean(epoch);
    if (!marked.ok())
      shard_.log().error("{}: no mark of a clean stop: {}", dirs_[i].dir->path(), marked.error().message);
  }
}

base::Task<void> LogDirs::remove_deleted(size_t log_dir, std::string directory) {
  const auto removed = co_await dirs_[log_dir].dir->remove_deleted(directory);
  if (!removed.ok()) {
    shard_.log().warn("{}/{}: cannot be removed: {}", dirs_[log_dir].dir->path(), directory, removed.error().message);
  }
}

}  // namespace stele::broker
