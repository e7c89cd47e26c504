#include <fmt/format.h>

#include <algorithm>

#include "sim/swarm/judges.h"

namespace stele::sim::swarm {

namespace {

constexpr size_t kFindingsMax = 3;  // for each partition

struct PartOps {
  std::vector<const Read*> reads;
  std::vector<const Bound*> bounds;
  std::vector<const Trim*> trims;
  std::vector<const TimeLookup*> times;
  std::vector<const EpochLookup*> epochs;
};

// What one answer is held against: the records that were known before it was asked for, and where the log may begin.
class LookupStory {
 public:
  LookupStory(const History& history, Place place, const PartOps& ops, const Cuts& cuts, int64_t start_most,
              std::vector<Finding>& findings)
      : history_(history), place_(place), ops_(ops), cuts_(cuts), start_most_(start_most), findings_(findings) {}

  void judge() {
    for (const TimeLookup* lookup : ops_.times) check(*lookup);
    for (const EpochLookup* lookup : ops_.epochs) check(*lookup);
  }

 private:
  template <class Take>
  void each_known(const Span& span, Take&& take) const {
    for (const Read* read : ops_.reads) {
      if (read->span.completed >= span.invoked) continue;
      const int64_t cut = cuts_.between(place_, read->span.era, span.era);
      for (const SeenRecord& record : read->records) {
        if (record.offset < cut) take(record);
      }
    }
  }

  // Below it the log had nothing any more before it was asked.
  int64_t certain_start(const Span& span) const {
    int64_t start = 0;
    const auto learn = [&](const Span& earlier, int64_t offset) {
      if (earlier.era == span.era && earlier.completed < span.invoked) start = std::max(start, offset);
    };
    for (const Read* read : ops_.reads) learn(read->span, read->log_start);
    for (const Bound* bound : ops_.bounds) {
      if (!bound->latest) learn(bound->span, bound->offset);
    }
    for (const Trim* trim : ops_.trims) {
      if (trim->outcome == Outcome::kOk) learn(trim->span, trim->low_watermark);
    }
    return start;
  }

  void check(const TimeLookup& lookup) {
    const std::string what = fmt::format("a lookup of time {} in era {}", lookup.asked, lookup.span.era);
    const bool found = lookup.offset >= 0;
    if (found && lookup.timestamp < lookup.asked) {
      find(fmt::format("{} found offset {} of the earlier time {}", what, lookup.offset, lookup.timestamp));
    }
    if (const int64_t start = certain_start(lookup.span); found && lookup.offset < start) {
      find(fmt::format("{} found offset {}, though the log began at {}", what, lookup.offset, start));
    }
    std::string wrong;
    each_known(lookup.span, [&](const SeenRecord& record) {
      if (found && record.offset == lookup.offset && record.timestamp != lookup.timestamp) {
        wrong = fmt::format("{} found offset {} of time {}, which has time {}", what, record.offset, lookup.timestamp,
                            record.timestamp);
      }
      if (record.timestamp < lookup.asked || record.offset < start_most_) return;
      if (found && record.offset >= lookup.offset) return;
      wrong = fmt::format("{} found offset {}, though offset {} before it has time {}", what, lookup.offset,
                          record.offset, record.timestamp);
    });
    if (!wrong.empty()) find(wrong);
  }

  void check(const EpochLookup& lookup) {
    const std::string what = fmt::format("the end of epoch {} in era {} was told as {} of epoch {}", lookup.asked,
                                         lookup.span.era, lookup.end, lookup.epoch);
    if (lookup.end < 0) return;
    if (lookup.epoch > lookup.asked) find(what);
    std::string wrong;
    each_known(lookup.span, [&](const SeenRecord& record) {
      const bool before = record.leader_epoch <= lookup.epoch;
      if (before && record.offset < lookup.end) return;
      if (!before && record.leader_epoch > lookup.asked && record.offset >= lookup.end) return;
      if (record.offset < start_most_) return;
      wrong = fmt::format("{}, though offset {} is of epoch {}", what, record.offset, record.leader_epoch);
    });
    if (!wrong.empty()) find(wrong);
  }

  void find(const std::string& text) {
    if (++found_ > kFindingsMax) return;
    findings_.push_back(
        {"lookup", fmt::format("{}-{} (topic {}): {}", history_.topics.at(static_cast<size_t>(place_.topic)).name,
                               place_.partition, place_.topic, text)});
  }

  const History& history_;
  const Place place_;
  const PartOps& ops_;
  const Cuts& cuts_;
  const int64_t start_most_;  // the log never began above it
  std::vector<Finding>& findings_;
  size_t found_ = 0;
};

}  // namespace

std::vector<Finding> judge_lookups(const History& history) {
  std::vector<Finding> findings;
  if (history.flips) return findings;  // indexes and leader epochs have no checksum
  std::map<Place, PartOps> places;
  for (const TimeLookup& lookup : history.time_lookups) places[lookup.place].times.push_back(&lookup);
  for (const EpochLookup& lookup : history.epoch_lookups) places[lookup.place].epochs.push_back(&lookup);
  const auto ops_of = [&](Place place) {
    const auto at = places.find(place);
    return at == places.end() ? nullptr : &at->second;
  };
  for (const Read& read : history.reads) {
    if (PartOps* ops = ops_of(read.place)) ops->reads.push_back(&read);
  }
  for (const Bound& bound : history.bounds) {
    if (PartOps* ops = ops_of(bound.place)) ops->bounds.push_back(&bound);
  }
  std::map<Place, int64_t> starts;
  for (const Trim& trim : history.trims) {
    if (PartOps* ops = ops_of(trim.place)) ops->trims.push_back(&trim);
    // It names a topic, and may reach a later one of that name.
    const std::string& name = history.topics.at(static_cast<size_t>(trim.place.topic)).name;
    for (size_t i = static_cast<size_t>(trim.place.topic); i < history.topics.size(); ++i) {
      if (history.topics[i].name != name) continue;
      int64_t& start = starts[{static_cast<int32_t>(i), trim.place.partition}];
      start = std::max(start, trim.before);
    }
  }
  const Cuts cuts(history);
  for (const auto& [place, ops] : places) {
    const bool may_expire = history.topics.at(static_cast<size_t>(place.topic)).may_expire;
    const int64_t start_most = may_expire ? std::numeric_limits<int64_t>::max() : starts[place];
    LookupStory(history, place, ops, cuts, start_most, findings).judge();
  }
  return findings;
}

}  // namespace stele::sim::swarm
