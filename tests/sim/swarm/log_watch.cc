#include "sim/swarm/log_watch.h"

#include <fmt/format.h>

namespace stele::sim::swarm {

namespace {

constexpr uint32_t kEventsBetweenLooks = 48;

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
  const size_t now = count();
  // A log that fails is let go soon: this is the last moment to see where it ended.
  const uint64_t failures = world_.marked("log.failed");
  const bool failed = failures != failures_;
  failures_ = failures;
  if (now == partitions_ && !failed && !closely_ && until_next_ > 0) {
    --until_next_;
    return;
  }
  partitions_ = now;
  look();
}

void LogWatch::look() {
  if (machine_.process() == nullptr) return;
  bool opening = false;
  for (uint32_t i = 0; i < machine_.shards(); ++i) {
    for (const auto& partition : machine_.process()->shard(base::ShardId{i}).partitions()) {
      if (partition->log() != nullptr) {
        look_at(*partition);
      } else {
        opening = true;
      }
    }
  }
  // What a log has when it is opened is seen at once.
  until_next_ = opening ? 0 : kEventsBetweenLooks;
}

void LogWatch::look_at(const broker::Partition& partition) {
  const log::PartitionLog& log = *partition.log();
  const Place place{topics_.number_of(partition.key().topic, partition.topic_partition().topic),
                    partition.key().partition.value()};
  const Seen now{.ends = {.written = log.written_end().value(),
                          .synced = log.synced_end().value(),
                          .assigned = log.assigned_end().value(),
                          .damaged = log.failure().has_value(),
                          .log_start = log.log_start_offset().value()},
                 .high_watermark = partition.high_watermark().value(),
                 .log_start = log.log_start_offset().value()};
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
             now.ends.synced, now.ends.written, now.ends.assigned, partition.log()->recovery_point().value())});
  };
  const bool synced = history_.topics[static_cast<size_t>(place.topic)].synced;
  if (now.ends.synced > now.ends.written || now.ends.written > now.ends.assigned) wrong("the ends are out of order");
  if (now.log_start > now.high_watermark) wrong("the log start is above the high watermark");
  if (now.high_watermark > (synced ? now.ends.synced : now.ends.written)) wrong("the high watermark is too high");
  if (partition.log()->recovery_point().value() > now.ends.synced) wrong("the recovery point is above what is synced");
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
  partitions_ = 0;
  until_next_ = 0;
  closely_ = false;
}

}  // namespace stele::sim::swarm
