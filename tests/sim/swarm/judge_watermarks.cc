#include <fmt/format.h>

#include <algorithm>

#include "sim/swarm/judges.h"

namespace stele::sim::swarm {

namespace {

constexpr size_t kFindingsMax = 3;
constexpr int64_t kNoCut = std::numeric_limits<int64_t>::max();

// Something that an answer says of a partition's ends; -1 where it says nothing.
struct Claim {
  Span span;
  int64_t high_watermark = -1;  // it is at least this
  int64_t exact_high_watermark = -1;
  int64_t log_start = -1;  // it is at least this
  int64_t exact_log_start = -1;
  int64_t refused = -1;  // OFFSET_OUT_OF_RANGE for this offset
  std::string what{};
};

// What may trim a partition: a retention, or DeleteRecords up to some offset.
struct TrimLimits {
  bool may_expire = false;
  std::vector<std::pair<Moment, int64_t>> asked;  // by moment; the offset is the largest so far

  // The highest log start possible at a moment.
  int64_t at(Moment moment) const {
    if (may_expire) return kNoCut;
    int64_t highest = 0;
    for (const auto& [when, before] : asked) {
      if (when <= moment) highest = std::max(highest, before);
    }
    return highest;
  }
};

Claim claim_of(const Read& read) {
  Claim claim{.span = read.span};
  claim.what = fmt::format("a fetch from {} in era {}", read.from, read.span.era);
  if (read.code == 1) claim.refused = read.from;
  if (read.code != 0) return claim;
  claim.high_watermark = claim.exact_high_watermark = read.high_watermark;
  claim.log_start = claim.exact_log_start = read.log_start;
  return claim;
}

Claim claim_of(const Send& send) {
  Claim claim{.span = send.span};
  claim.what = "an acknowledgement";
  claim.high_watermark = send.base_offset + static_cast<int64_t>(send.records.size());
  return claim;
}

Claim claim_of(const Bound& bound) {
  Claim claim{.span = bound.span};
  claim.what = fmt::format("ListOffsets ({}) in era {}", bound.latest ? "latest" : "earliest", bound.span.era);
  (bound.latest ? claim.high_watermark : claim.log_start) = bound.offset;
  (bound.latest ? claim.exact_high_watermark : claim.exact_log_start) = bound.offset;
  return claim;
}

Claim claim_of(const Trim& trim) {
  Claim claim{.span = trim.span};
  claim.what = fmt::format("DeleteRecords before {}", trim.before);
  claim.log_start = trim.low_watermark;
  return claim;
}

// Every claim against what was certain before it began.
class WatermarkStory {
 public:
  WatermarkStory(const History& history, Place place, const Cuts& cuts, TrimLimits limits,
                 std::vector<Finding>& findings)
      : history_(history), place_(place), cuts_(cuts), limits_(std::move(limits)), findings_(findings) {}

  void judge(std::vector<Claim> claims) {
    std::sort(claims.begin(), claims.end(),
              [](const Claim& a, const Claim& b) { return a.span.invoked < b.span.invoked; });
    std::vector<Claim> by_end;
    for (const Claim& claim : claims) {
      if (claim.span.completed != kNever) by_end.push_back(claim);
    }
    std::sort(by_end.begin(), by_end.end(),
              [](const Claim& a, const Claim& b) { return a.span.completed < b.span.completed; });
    size_t next = 0;
    for (const Claim& claim : claims) {
      while (next < by_end.size() && by_end[next].span.completed < claim.span.invoked) settle(by_end[next++]);
      check(claim);
    }
  }

 private:
  struct Certain {
    int64_t high_watermark = -1;
    int64_t log_start = -1;
  };

  void settle(const Claim& claim) {
    Certain& certain = eras_[claim.span.era];
    certain.high_watermark = std::max(certain.high_watermark, claim.high_watermark);
    certain.log_start = std::max(certain.log_start, claim.log_start);
  }

  // What is certain in an era: a power loss takes the high watermark back, any hard end the log start.
  Certain certain_in(uint32_t era) const {
    Certain now;
    for (const auto& [from, certain] : eras_) {
      if (from > era) break;
      now.high_watermark =
          std::max(now.high_watermark, std::min(certain.high_watermark, cuts_.between(place_, from, era)));
      bool clean = true;
      for (uint32_t e = from; e < era; ++e) clean &= history_.endings.at(e).kind == EndKind::kStop;
      if (clean) now.log_start = std::max(now.log_start, certain.log_start);
    }
    return now;
  }

  void check(const Claim& claim) {
    const Certain certain = certain_in(claim.span.era);
    if (claim.exact_high_watermark >= 0 && claim.exact_high_watermark < certain.high_watermark) {
      find("high watermark",
           fmt::format("{} says {}, after it was {}", claim.what, claim.exact_high_watermark, certain.high_watermark));
    }
    if (claim.exact_log_start >= 0 && claim.exact_log_start < certain.log_start) {
      find("log start",
           fmt::format("{} says {}, after it was {}", claim.what, claim.exact_log_start, certain.log_start));
    }
    const int64_t highest_start = limits_.at(claim.span.completed);
    if (claim.exact_log_start > highest_start) {
      find("log start", fmt::format("{} says {}, though nothing was to be deleted from {} on", claim.what,
                                    claim.exact_log_start, highest_start));
    }
    if (claim.refused >= 0 && claim.refused <= certain.high_watermark && claim.refused >= highest_start) {
      find("read", fmt::format("{} was OFFSET_OUT_OF_RANGE, though the log reached from {} to {}", claim.what,
                               highest_start, certain.high_watermark));
    }
  }

  void find(const char* rule, std::string text) {
    if (++found_[rule] > kFindingsMax) return;
    findings_.push_back(
        {rule, fmt::format("{}-{} (topic {}): {}", history_.topics.at(static_cast<size_t>(place_.topic)).name,
                           place_.partition, place_.topic, text)});
  }

  const History& history_;
  const Place place_;
  const Cuts& cuts_;
  const TrimLimits limits_;
  std::vector<Finding>& findings_;
  std::map<std::string, size_t> found_;
  std::map<uint32_t, Certain> eras_;
};

// What one answer says must hold together.
std::string contradiction(const Read& read) {
  if (!read.damage.empty()) return "damaged: " + read.damage;
  if (read.code != 0) return read.records.empty() ? "" : fmt::format("has records beside the error {}", read.code);
  if (read.log_start > read.high_watermark) {
    return fmt::format("has the log start {} above the high watermark {}", read.log_start, read.high_watermark);
  }
  int64_t next = read.from;
  for (const SeenRecord& record : read.records) {
    if (record.offset != next) return fmt::format("has offset {} where {} follows", record.offset, next);
    ++next;
  }
  if (!read.records.empty() && next > read.high_watermark) {
    return fmt::format("has offset {} with the high watermark {}", next - 1, read.high_watermark);
  }
  return "";
}

}  // namespace

Cuts::Cuts(const History& history) {
  std::map<Place, uint32_t> lossy;  // the last era whose end may have cut the log, until it is next opened
  size_t next = 0;
  for (uint32_t era = 0; era <= history.endings.size(); ++era) {
    for (; next < history.openings.size() && history.openings[next].era == era; ++next) {
      const Opening& opening = history.openings[next];
      const auto at = lossy.find(opening.place);
      if (at == lossy.end()) continue;
      cuts_[opening.place].push_back({at->second, opening.end});
      lossy.erase(at);
    }
    if (era == history.endings.size()) break;
    const Ending& ending = history.endings[era];
    for (const auto& [place, ends] : ending.ends) {
      if (ending.kind == EndKind::kPowerLoss || ends.damaged) lossy[place] = era;
    }
    // One that was not open may have been open before, and was written then.
    if (ending.kind != EndKind::kPowerLoss) continue;
    for (uint32_t before = 0; before < era; ++before) {
      for (const auto& [place, ends] : history.endings[before].ends) lossy.try_emplace(place, era);
    }
  }
}

int64_t Cuts::between(Place place, uint32_t from_era, uint32_t to_era) const {
  const auto at = cuts_.find(place);
  if (at == cuts_.end()) return kNoCut;
  int64_t end = kNoCut;
  for (const Cut& cut : at->second) {
    if (cut.era >= from_era && cut.era < to_era) end = std::min(end, cut.end);
  }
  return end;
}

std::vector<Finding> judge_watermarks(const History& history) {
  std::vector<Finding> findings;
  const Cuts cuts(history);
  std::map<Place, std::vector<Claim>> claims;
  std::map<Place, TrimLimits> limits;
  size_t contradictions = 0;
  for (const Read& read : history.reads) {
    if (const std::string wrong = contradiction(read); !wrong.empty() && ++contradictions <= kFindingsMax) {
      findings.push_back(
          {"read", fmt::format("topic {} partition {}: the answer to a fetch from {} in era {} {}", read.place.topic,
                               read.place.partition, read.from, read.span.era, wrong)});
    }
    claims[read.place].push_back(claim_of(read));
  }
  for (const Send& send : history.sends) {
    if (send.outcome == Outcome::kOk && send.base_offset >= 0) claims[send.place].push_back(claim_of(send));
  }
  for (const Bound& bound : history.bounds) claims[bound.place].push_back(claim_of(bound));
  for (const Trim& trim : history.trims) {
    // It names a topic, and may reach a later one of that name.
    const std::string& name = history.topics.at(static_cast<size_t>(trim.place.topic)).name;
    for (size_t i = static_cast<size_t>(trim.place.topic); i < history.topics.size(); ++i) {
      if (history.topics[i].name != name) continue;
      limits[{static_cast<int32_t>(i), trim.place.partition}].asked.emplace_back(trim.span.invoked, trim.before);
    }
    if (trim.outcome == Outcome::kOk) claims[trim.place].push_back(claim_of(trim));
  }
  for (auto& [place, mine] : claims) {
    TrimLimits& limit = limits[place];
    limit.may_expire = history.topics.at(static_cast<size_t>(place.topic)).may_expire;
    WatermarkStory(history, place, cuts, limit, findings).judge(std::move(mine));
  }
  return findings;
}

}  // namespace stele::sim::swarm
