#include "sim/swarm/log_watch.h"

#include <fmt/format.h>

namespace stele::sim::swarm {

namespace {

constexpr uint32_t kEventsBetweenLists = 48;

}  // namespace

int32_t TopicNumbers::number_of(const base::TopicId& id, const std::string& name) {
  const auto [at, added] = numbers_.emplace(id, static_cast<int32_t>(history_.topics.size()));
  if (added) {
    const auto said = synced_.find(name);
    history_.topics.push_back({.name = name, .synced = said == synced_.end() ? history_.synced : said->second});
  }
  return at->second;
}

size_t LogWatch::count() const {
  size_t count = 0;
  for (uint32_t i = 0; i < machine_.shards(); ++i) {
    count += machine_.process()->shard(base::ShardId{i}).partition_count();
  }
  return count;
}

void LogWatch::after_event() {
  if (machine_.process() == nullptr) return;
  // One that went is told by its count, but for one that came in its place within the same event.
  if (count() != partitions_ || until_listed_-- == 0) list_partitions();
  for (Watched& watched : watched_) {
    if (!watched.held.expired()) look_at(watched);
  }
}

void LogWatch::look() {
  if (machine_.process() == nullptr) return;
  list_partitions();
  for (Watched& watched : watched_) look_at(watched);
}

void LogWatch::list_partitions() {
  partitions_ = count();
  until_listed_ = kEventsBetweenLists;
  std::vector<Watched> listed;
  for (uint32_t i = 0; i < machine_.shards(); ++i) {
    for (const auto& partition : machine_.process()->shard(base::ShardId{i}).partitions()) {
      listed.push_back({.held = partition, .partition = partition.get()});
    }
  }
  watched_ = std::move(listed);
}

LogWatch::Seen LogWatch::see(const broker::Partition& partition) {
  const log::PartitionLog& log = *partition.log();
  return {.ends = {.written = log.written_end().value(),
                   .synced = log.synced_end().value(),
                   .assigned = log.assigned_end().value(),
                   .damaged = log.failure().has_value(),
                   .log_start = log.log_start_offset().value()},
          .high_watermark = partition.high_watermark().value(),
          .log_start = log.log_start_offset().value(),
          .recovery_point = log.recovery_point().value(),
          .active_base = log.active_base().value()};
}

void LogWatch::look_at(Watched& watched) {
  if (watched.partition->log() == nullptr) return;
  const Seen now = see(*watched.partition);
  if (watched.seen == now) return;
  watched.seen = now;
  note(*watched.partition, now);
}

void LogWatch::note(const broker::Partition& partition, const Seen& now) {
  const Place place{topics_.number_of(partition.key().topic, partition.topic_partition().topic),
                    partition.key().partition.value()};
  const auto [at, first] = seen_.emplace(place, now);
  if (first) {
    history_.openings.push_back({.era = static_cast<uint32_t>(history_.endings.size()),
                                 .place = place,
                                 .end = now.ends.assigned,
                                 .log_start = now.log_start});
  }
  check(place, partition, first ? nullptr : &at->second, now);
  at->second = now;
}

void LogWatch::check(Place place, const broker::Partition& partition, const Seen* before, const Seen& now) {
  const auto wrong = [&](std::string_view what) {
    if (history_.oddities.size() > 10) return;
    history_.oddities.push_back(
        {history_.clock,
         fmt::format(
             "{} (topic {}) in era {}: {}; log start {}, high watermark {}, synced {}, written {}, assigned {}, "
             "recovery point {}",
             partition.name(), place.topic, history_.endings.size(), what, now.log_start, now.high_watermark,
             now.ends.synced, now.ends.written, now.ends.assigned, now.recovery_point)});
  };
  const bool synced = history_.topics[static_cast<size_t>(place.topic)].synced;
  if (now.ends.synced > now.ends.written || now.ends.written > now.ends.assigned) wrong("the ends are out of order");
  if (now.log_start > now.high_watermark) wrong("the log start is above the high watermark");
  if (now.high_watermark > (synced ? now.ends.synced : now.ends.written)) wrong("the high watermark is too high");
  if (now.recovery_point > now.ends.synced) wrong("the recovery point is above what is synced");
  // Of a log that failed the unwritten tail is undone, though not the roll before it.
  if (now.active_base > now.ends.assigned && !now.ends.damaged) wrong("the active segment begins behind the end");
  if (before == nullptr) return;
  if (now.high_watermark < before->high_watermark) wrong("the high watermark went back");
  if (now.log_start < before->log_start) wrong("the log start went back");
  if (may_reopen_) return;
  if (now.ends.written < before->ends.written) wrong("what is written went back");
  if (now.ends.synced < before->ends.synced) wrong("what is synced went back");
}

void LogWatch::ended(EndKind kind) {
  Ending ending{.era = static_cast<uint32_t>(history_.endings.size()), .kind = kind, .at = history_.tick(), .ends = {}};
  for (const auto& [place, seen] : seen_) ending.ends.emplace(place, seen.ends);
  history_.endings.push_back(std::move(ending));
  seen_.clear();
  watched_.clear();
  partitions_ = 0;
  until_listed_ = 0;
}

}  // namespace stele::sim::swarm
