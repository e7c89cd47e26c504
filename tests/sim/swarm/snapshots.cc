// Producer snapshots against the batches before them.
#include "sim/swarm/snapshots.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

#include "log/batch_scanner.h"
#include "log/file_names.h"
#include "log/producer_snapshot.h"
#include "log/producer_state.h"

namespace stele::sim::swarm {

namespace {

using base::Task;
using log::ProducerSnapshotEntry;

std::string text_of(const ProducerSnapshotEntry& entry) {
  return fmt::format("producer {} epoch {} sequence {} at {} of {} records, time {}", entry.producer_id.value(),
                     entry.epoch.value(), entry.last_sequence, entry.last_offset.value(), entry.offset_delta + 1,
                     entry.timestamp.value());
}

class Replay {
 public:
  Replay(io::Directory& log_dir, std::string partition, std::vector<std::string>& problems)
      : log_dir_(log_dir), partition_(std::move(partition)), problems_(problems) {}

  Task<void> run() {
    const auto entries = co_await log_dir_.list(partition_);
    if (!entries.ok()) co_return;
    std::vector<base::Offset> segments;
    for (const io::Entry& entry : *entries) {
      if (const auto base = log::parse_offset_file_name(entry.name, log::kLogSuffix)) segments.push_back(*base);
      if (const auto at = log::parse_offset_file_name(entry.name, log::kSnapshotSuffix)) {
        snapshots_.emplace(*at, partition_ + "/" + entry.name);
      }
    }
    std::ranges::sort(segments);
    if (segments.empty()) co_return;
    start_ = segments.front();
    for (const base::Offset base : segments) {
      co_await compare_up_to(base);
      co_await replay(base);
    }
    co_await compare_up_to(end_);
  }

 private:
  Task<void> replay(base::Offset base) {
    auto opened =
        co_await log_dir_.open(partition_ + "/" + log::offset_file_name(base, log::kLogSuffix), io::OpenMode::kRead);
    if (!opened.ok()) co_return;
    const std::shared_ptr<io::File> file = *std::move(opened);
    const auto size = file->size();
    log::BatchScanner scanner(file, 0, size.ok() ? *size : 0);
    while (true) {
      const auto more = co_await scanner.fill();
      if (!more.ok() || !*more) co_return;
      while (const auto located = scanner.take()) {
        co_await compare_up_to(located->view.base_offset());
        state_.update(log::ProducerAppend::of(located->view), located->view.base_offset());
        end_ = located->view.next_offset();
      }
    }
  }

  // Those at or below an offset, now that all batches before it are in.
  Task<void> compare_up_to(base::Offset offset) {
    while (!snapshots_.empty() && snapshots_.begin()->first <= offset) {
      const auto [at, path] = *snapshots_.begin();
      snapshots_.erase(snapshots_.begin());
      if (at < start_) continue;  // what it tells is deleted
      const auto bytes = co_await io::read_whole(log_dir_, path, 1 << 24);
      if (!bytes.ok()) continue;
      const auto told = log::parse_producer_snapshot(*bytes);
      if (told.ok()) compare(path, at, *told);  // what cannot be read is a problem of log verify
    }
  }

  void compare(const std::string& path, base::Offset at, const std::vector<ProducerSnapshotEntry>& told) {
    std::map<base::ProducerId, ProducerSnapshotEntry> known;
    for (const ProducerSnapshotEntry& entry : told) known.emplace(entry.producer_id, entry);
    for (const ProducerSnapshotEntry& entry : state_.snapshot()) {
      const auto found = known.find(entry.producer_id);
      if (found == known.end()) {
        problem(path, fmt::format("it lacks {}", text_of(entry)));
      } else if (found->second != entry) {
        problem(path, fmt::format("it has {}, the batches {}", text_of(found->second), text_of(entry)));
      }
      if (found != known.end()) known.erase(found);
    }
    // Of those whose batches are deleted it is the only witness.
    for (const auto& [id, entry] : known) {
      if (entry.last_offset < start_) continue;
      problem(path, fmt::format("it has {}, of whom there is no batch from {} to {}", text_of(entry), start_.value(),
                                at.value()));
    }
  }

  void problem(const std::string& path, const std::string& what) { problems_.push_back(path + ": " + what); }

  io::Directory& log_dir_;
  const std::string partition_;
  std::vector<std::string>& problems_;
  std::map<base::Offset, std::string> snapshots_;
  base::Offset start_;
  base::Offset end_;
  log::ProducerState state_;
};

}  // namespace

Task<void> check_snapshots(io::Directory& log_dir, std::string partition, std::vector<std::string>& problems) {
  Replay replay(log_dir, std::move(partition), problems);
  co_await replay.run();
}

}  // namespace stele::sim::swarm
