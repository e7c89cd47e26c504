#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "sim/swarm/judges.h"

namespace stele::sim::swarm {

namespace {

constexpr size_t kFindingsMax = 3;  // for each rule and partition
constexpr int64_t kNowhere = std::numeric_limits<int64_t>::max();

std::string text_of(const History& history, Place place) {
  return fmt::format("{}-{} (topic {})", history.topics.at(static_cast<size_t>(place.topic)).name, place.partition,
                     place.topic);
}

// Which operation sent a record.
using Senders = std::unordered_map<RecordMark, const Send*>;

// What is known of one partition's log, era by era.
class LogStory {
 public:
  LogStory(const History& history, Place place, const Senders& senders, std::vector<Finding>& findings)
      : history_(history), place_(place), senders_(senders), findings_(findings) {}

  // A record that was acknowledged or read.
  void learn(int64_t offset, RecordMark mark, const char* how) {
    const auto [at, added] = live_.emplace(offset, mark);
    if (!added && at->second != mark) {
      find("two values", fmt::format("offset {} has record {} ({}), and had record {}", offset, number_of(mark), how,
                                     number_of(at->second)));
      at->second = mark;
    }
    const auto sender = senders_.find(mark);
    if (sender == senders_.end()) {
      find("unknown record",
           fmt::format("offset {} has a record of number {} that nobody sent", offset, number_of(mark)));
      return;
    }
    const auto [where, first] = where_.emplace(mark, offset);
    if (first || where->second == offset) return;
    const Send& send = *sender->second;
    if (send.producer_id >= 0 || send.attempts < 2) {
      find("duplicate",
           fmt::format("record {} lies at {} and at {}; it was sent {} times by {}", number_of(mark), where->second,
                       offset, send.attempts, send.producer_id >= 0 ? "an idempotent producer" : "a plain producer"));
    }
  }

  // The process ended. What must be there when the log is next opened becomes less with every ending in between.
  void end(const Ending& ending) {
    const auto ends = ending.ends.find(place_);
    if (ends != ending.ends.end()) {
      known_ = ends->second;
      exact_ = ending.kind == EndKind::kStop && !known_->damaged;
      excused_ = known_->damaged;
      must_ = known_->damaged ? known_->left() : known_->written;
    }
    if (!known_) return;
    if (ending.kind == EndKind::kPowerLoss) {
      must_ = std::min(must_, known_->left());
      excused_ = true;
      exact_ = false;
    }
  }

  void open(const Opening& opening) {
    if (known_) {
      if (opening.end < must_) {
        find("cut",
             fmt::format("the log of era {} ends at {}, though {} had to be left", opening.era, opening.end, must_));
      }
      if (opening.end > known_->assigned || (exact_ && opening.end != known_->assigned)) {
        find("cut", fmt::format("the log of era {} ends at {}, that of the era before at {}", opening.era, opening.end,
                                known_->assigned));
      }
    }
    const auto first_gone = live_.lower_bound(opening.end);
    for (auto at = first_gone; at != live_.end(); ++at) {
      // What was cut off lawfully may be gone, but for what must never be lost.
      const bool allowed = excused_ && at->first >= must_ && !history_.topics[static_cast<size_t>(place_.topic)].synced;
      if (!allowed) find("lost", lost_text(at->first, at->second, opening));
      where_.erase(at->second);
    }
    live_.erase(first_gone, live_.end());
    known_.reset();
    excused_ = false;
  }

  // After the last scan: everything known is below its end.
  void finish(int64_t scan_start, int64_t scan_end, const std::map<int64_t, RecordMark>& scan) {
    for (const auto& [offset, mark] : live_) {
      if (offset >= scan_end) {
        find("lost",
             fmt::format("record {} at offset {}: the partition ends at {}", number_of(mark), offset, scan_end));
      } else if (offset >= scan_start && !scan.contains(offset)) {
        find("lost", fmt::format("record {} at offset {} is not in the last scan of {} to {}", number_of(mark), offset,
                                 scan_start, scan_end));
      }
    }
  }

  const std::unordered_map<RecordMark, int64_t>& where() const { return where_; }

  void find(const char* rule, std::string text) {
    if (++found_[rule] <= kFindingsMax) {
      findings_.push_back({rule, fmt::format("{}: {}", text_of(history_, place_), text)});
    }
  }

 private:
  std::string lost_text(int64_t offset, RecordMark mark, const Opening& opening) const {
    return fmt::format("record {} at offset {} when era {} opened the log with the end {}; {} had to be left",
                       number_of(mark), offset, opening.era, opening.end, must_);
  }

  const History& history_;
  const Place place_;
  const Senders& senders_;
  std::vector<Finding>& findings_;
  std::map<std::string, size_t> found_;
  std::map<int64_t, RecordMark> live_;
  std::unordered_map<RecordMark, int64_t> where_;
  std::optional<Ends> known_;
  int64_t must_ = kNowhere;
  bool exact_ = false;
  bool excused_ = false;
};

// The operations of one partition.
struct PartOps {
  std::vector<const Send*> sends;
  std::vector<const Read*> reads;
  std::vector<const Opening*> openings;
};

struct Known {
  uint32_t era;
  int64_t offset;
  RecordMark mark;
  const char* how;
};

std::vector<Known> known_records(const PartOps& ops) {
  std::vector<Known> known;
  for (const Send* send : ops.sends) {
    if (send->outcome != Outcome::kOk || send->base_offset < 0) continue;
    for (size_t i = 0; i < send->records.size(); ++i) {
      known.push_back({send->span.era, send->base_offset + static_cast<int64_t>(i), send->records[i], "acknowledged"});
    }
  }
  for (const Read* read : ops.reads) {
    for (const SeenRecord& record : read->records) {
      known.push_back({read->span.era, record.offset, record.mark, "read"});
    }
  }
  std::sort(known.begin(), known.end(),
            [](const Known& a, const Known& b) { return std::tuple{a.era, a.offset} < std::tuple{b.era, b.offset}; });
  return known;
}

void judge_order(LogStory& story, const PartOps& ops) {
  // By producer where it numbers its batches; else by connection, as long as nothing was sent twice.
  using Line = std::tuple<int64_t, int16_t, uint32_t>;
  std::map<Line, std::pair<int64_t, RecordMark>> last;
  std::vector<const Send*> sends = ops.sends;
  const auto rank = [](const Send* send) {
    return std::tuple{send->producer_id, send->producer_epoch, send->producer_id >= 0 ? send->sequence : 0,
                      send->span.invoked};
  };
  std::sort(sends.begin(), sends.end(), [&](const Send* a, const Send* b) { return rank(a) < rank(b); });
  for (const Send* send : sends) {
    if (send->producer_id < 0 && send->attempts != 1) continue;
    const Line line{send->producer_id, send->producer_epoch, send->producer_id >= 0 ? 0 : send->line};
    for (const RecordMark mark : send->records) {
      const auto at = story.where().find(mark);
      if (at == story.where().end()) continue;
      const auto before = last.find(line);
      if (before != last.end() && before->second.first >= at->second) {
        story.find("order", fmt::format("record {} lies at {}, but record {}, sent before it, at {}", number_of(mark),
                                        at->second, number_of(before->second.second), before->second.first));
      }
      last[line] = {at->second, mark};
    }
  }
}

void judge_scan(LogStory& story, const History& history, Place place, const PartOps& ops) {
  std::map<int64_t, RecordMark> scan;
  int64_t start = -1;
  int64_t end = -1;
  for (const Read* read : ops.reads) {
    if (!read->final_scan) continue;
    start = std::max(start, read->log_start);  // a retention goes on meanwhile
    end = std::max(end, read->high_watermark);
    for (const SeenRecord& record : read->records) scan.emplace(record.offset, record.mark);
  }
  const Topic& topic = history.topics[static_cast<size_t>(place.topic)];
  if (end < 0 || topic.delete_invoked != kNever) return;
  int64_t next = start;
  for (const auto& [offset, mark] : scan) {
    if (offset < start) continue;
    if (offset > next) story.find("hole", fmt::format("nothing between {} and {}", next, offset));
    next = offset + 1;
  }
  if (next < end && !topic.may_expire) story.find("hole", fmt::format("nothing from {} to the end {}", next, end));
  story.finish(start, end, scan);
}

void judge_place(const History& history, Place place, const PartOps& ops, const Senders& senders,
                 std::vector<Finding>& findings) {
  LogStory story(history, place, senders, findings);
  const std::vector<Known> known = known_records(ops);
  size_t next_known = 0;
  size_t next_opening = 0;
  for (uint32_t era = 0; era <= history.endings.size(); ++era) {
    if (next_opening < ops.openings.size() && ops.openings[next_opening]->era == era) {
      story.open(*ops.openings[next_opening]);
      ++next_opening;
    }
    for (; next_known < known.size() && known[next_known].era == era; ++next_known) {
      story.learn(known[next_known].offset, known[next_known].mark, known[next_known].how);
    }
    if (era < history.endings.size()) story.end(history.endings[era]);
  }
  judge_order(story, ops);
  judge_scan(story, history, place, ops);
}

}  // namespace

std::vector<Finding> judge_logs(const History& history) {
  std::vector<Finding> findings;
  Senders senders;
  std::map<Place, PartOps> places;
  for (const Send& send : history.sends) {
    places[send.place].sends.push_back(&send);
    for (const RecordMark mark : send.records) senders.emplace(mark, &send);
  }
  for (const Read& read : history.reads) places[read.place].reads.push_back(&read);
  for (const Opening& opening : history.openings) places[opening.place].openings.push_back(&opening);
  for (const auto& [place, ops] : places) {
    // The log of a group's commits is nobody's to read.
    if (history.topics.at(static_cast<size_t>(place.topic)).name.starts_with("__")) continue;
    judge_place(history, place, ops, senders, findings);
  }
  return findings;
}

}  // namespace stele::sim::swarm
