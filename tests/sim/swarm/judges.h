// Says what is wrong with a history. Pure: the same history, the same findings.
#pragma once

#include <string>
#include <vector>

#include "sim/swarm/history.h"

namespace stele::sim::swarm {

struct Finding {
  std::string rule;  // "lost", "two values", "duplicate", ...
  std::string text;
};

// All judges. At most a handful of findings for each rule.
std::vector<Finding> judge(const History& history);

// Each of them, for its own tests.
//
// "lost": a record that was acknowledged or read is gone though no power loss excuses it. "two values": one offset had
// two records. "duplicate": a record that its producer may have written once only lies at two offsets. "order": records
// of one producer lie in another order than it sent them. "unknown record": nobody sent what was read. "cut": a log
// came back shorter, or longer, than the end of its process allows. "hole": a partition ends without offsets in
// between.
std::vector<Finding> judge_logs(const History& history);
// "read": what one answer says contradicts itself (not from where it was asked, a hole, above the high watermark).
// "high watermark", "log start": went back, or passed what it may not pass.
std::vector<Finding> judge_watermarks(const History& history);
// "commit": a committed offset is gone, or an older one is back.
std::vector<Finding> judge_commits(const History& history);
// "epoch": the leader epoch of a partition fell, in answers or over the offsets of its log.
std::vector<Finding> judge_epochs(const History& history);
// "lookup": an answer by time or by leader epoch disagrees with records that were known before it was asked for.
std::vector<Finding> judge_lookups(const History& history);
// "assignment": two members of one generation were handed the same partition, or one got what its leader did not give.
// "fencing": a commit of a generation was taken though a later one had been handed out.
std::vector<Finding> judge_groups(const History& history);
// "topic": one that was created is gone, one that was deleted is back, partitions are missing.
std::vector<Finding> judge_topics(const History& history);

// The smallest end to which any power loss in [from_era, to_era) cut the log; the largest number where none did.
class Cuts {
 public:
  explicit Cuts(const History& history);
  int64_t between(Place place, uint32_t from_era, uint32_t to_era) const;

 private:
  struct Cut {
    uint32_t era = 0;  // at the end of this one
    int64_t end = 0;
  };
  std::map<Place, std::vector<Cut>> cuts_;
};

// Whether the end of a process may have undone what a group's coordinator had made certain before.
class Undoings {
 public:
  Undoings(const History& history, int32_t group);
  // In an era, though not in a later one.
  bool between(uint32_t from_era, uint32_t to_era) const;

 private:
  std::vector<bool> lossy_;  // by era
};

}  // namespace stele::sim::swarm
