#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "sim/swarm/judges.h"

namespace stele::sim::swarm {

namespace {

constexpr size_t kFindingsMax = 3;  // for each partition

struct PartOps {
  std::vector<const Read*> reads;
  std::vector<const Send*> sends;
  std::vector<const Opening*> openings;
};

// An answer that says what the leader epoch is.
struct Claim {
  Span span;
  int32_t epoch = -1;
  bool exact = true;  // else it is at least this
  const char* who = "";
};

class EpochStory {
 public:
  EpochStory(const History& history, Place place, std::vector<Finding>& findings)
      : history_(history), place_(place), findings_(findings) {}

  // Over the offsets, era by era: what a process left and the next one did not cut off stays as it is.
  void judge_log(const PartOps& ops) {
    size_t next_opening = 0;
    for (uint32_t era = 0; era <= history_.endings.size(); ++era) {
      for (; next_opening < ops.openings.size() && ops.openings[next_opening]->era == era; ++next_opening) {
        epochs_.erase(epochs_.lower_bound(ops.openings[next_opening]->end), epochs_.end());
      }
      for (const Read* read : ops.reads) {
        if (read->span.era != era) continue;
        for (const SeenRecord& record : read->records) learn(record);
      }
    }
  }

  // Over time, and over time and offsets: what was sent later lies in the same epoch or a later one.
  void judge_time(const PartOps& ops, std::vector<Claim> claims) {
    std::unordered_map<RecordMark, Moment> sent;
    for (const Send* send : ops.sends) {
      for (const RecordMark mark : send->records) sent.emplace(mark, send->span.invoked);
    }
    for (const Read* read : ops.reads) {
      for (const SeenRecord& record : read->records) {
        claims.push_back({read->span, record.leader_epoch, false, "a batch"});
        if (const auto at = sent.find(record.mark); at != sent.end()) {
          claims.push_back({{at->second, kNever, read->span.era}, record.leader_epoch, true, "a batch sent later"});
        }
      }
    }
    std::sort(claims.begin(), claims.end(),
              [](const Claim& a, const Claim& b) { return a.span.invoked < b.span.invoked; });
    std::vector<const Claim*> by_end;
    for (const Claim& claim : claims) {
      if (claim.span.completed != kNever) by_end.push_back(&claim);
    }
    std::sort(by_end.begin(), by_end.end(),
              [](const Claim* a, const Claim* b) { return a->span.completed < b->span.completed; });
    size_t next = 0;
    const Claim* highest = nullptr;
    for (const Claim& claim : claims) {
      for (; next < by_end.size() && by_end[next]->span.completed < claim.span.invoked; ++next) {
        if (highest == nullptr || by_end[next]->epoch > highest->epoch) highest = by_end[next];
      }
      if (highest == nullptr || !claim.exact || claim.epoch >= highest->epoch) continue;
      find(fmt::format("{} in era {} has {}, after {} in era {} had {}", claim.who, claim.span.era, claim.epoch,
                       highest->who, highest->span.era, highest->epoch));
    }
  }

 private:
  void learn(const SeenRecord& record) {
    const auto [at, added] = epochs_.emplace(record.offset, record.leader_epoch);
    if (!added && at->second != record.leader_epoch) {
      find(fmt::format("offset {} has {}, and had {}", record.offset, record.leader_epoch, at->second));
    }
    if (!added) return;
    if (at != epochs_.begin() && std::prev(at)->second > at->second) {
      find(fmt::format("offset {} has {}, and offset {} before it {}", at->first, at->second, std::prev(at)->first,
                       std::prev(at)->second));
    }
    if (const auto after = std::next(at); after != epochs_.end() && after->second < at->second) {
      find(fmt::format("offset {} has {}, and offset {} behind it {}", at->first, at->second, after->first,
                       after->second));
    }
  }

  void find(const std::string& text) {
    if (++found_ > kFindingsMax) return;
    findings_.push_back(
        {"epoch", fmt::format("{}-{} (topic {}): {}", history_.topics.at(static_cast<size_t>(place_.topic)).name,
                              place_.partition, place_.topic, text)});
  }

  const History& history_;
  const Place place_;
  std::vector<Finding>& findings_;
  std::map<int64_t, int32_t> epochs_;  // by offset
  size_t found_ = 0;
};

}  // namespace

std::vector<Finding> judge_epochs(const History& history) {
  std::vector<Finding> findings;
  std::map<Place, PartOps> places;
  std::map<Place, std::vector<Claim>> claims;
  if (!history.flips) {
    for (const Read& read : history.reads) places[read.place].reads.push_back(&read);
    for (const Send& send : history.sends) places[send.place].sends.push_back(&send);
    for (const Opening& opening : history.openings) places[opening.place].openings.push_back(&opening);
  }
  for (const EpochSeen& seen : history.epochs) {
    claims[seen.place].push_back({seen.span, seen.leader_epoch, true, "Metadata"});
  }
  for (const Bound& bound : history.bounds) {
    if (bound.latest && bound.leader_epoch >= 0) {
      claims[bound.place].push_back({bound.span, bound.leader_epoch, true, "ListOffsets"});
    }
  }
  for (const auto& [place, mine] : claims) places.try_emplace(place);
  for (const auto& [place, ops] : places) {
    EpochStory story(history, place, findings);
    story.judge_log(ops);
    story.judge_time(ops, std::move(claims[place]));
  }
  return findings;
}

}  // namespace stele::sim::swarm
