// Looks at the broker's logs from inside, between events: the ends that the judges need, and what must hold at every
// moment.
#pragma once

#include <map>
#include <set>
#include <string>

#include "sim/swarm/history.h"
#include "sim/swarm/machine.h"

namespace stele::sim::swarm {

// Topics by their ids, whoever hears of one first.
class TopicNumbers {
 public:
  explicit TopicNumbers(History& history) : history_(history) {}
  int32_t number_of(const base::TopicId& id, const std::string& name);
  // What a topic will be made with; before it is made.
  void announce(const std::string& name, bool synced) { synced_[name] = synced; }

 private:
  History& history_;
  std::map<base::TopicId, int32_t> numbers_;
  std::map<std::string, bool> synced_;
};

class LogWatch {
 public:
  // `may_reopen`: a log that failed for want of space is opened anew within one life of the process.
  LogWatch(const io::SimWorld& world, const Machine& machine, TopicNumbers& topics, History& history, bool may_reopen)
      : world_(world), machine_(machine), topics_(topics), history_(history), may_reopen_(may_reopen) {}

  // After each event: cheap, but for one in so many.
  void after_event();
  void look();
  // While a process stops, every event is looked at.
  void look_closely(bool closely) { closely_ = closely; }
  // The process has ended; what was last seen goes into the history.
  void ended(EndKind kind);

 private:
  struct Seen {
    Ends ends;
    int64_t high_watermark = 0;
    int64_t log_start = 0;
  };
  void look_at(const broker::Partition& partition);
  void check(Place place, const broker::Partition& partition, const Seen* before, const Seen& now);
  size_t count() const;

  const io::SimWorld& world_;
  const Machine& machine_;
  TopicNumbers& topics_;
  History& history_;
  const bool may_reopen_;
  std::map<Place, Seen> seen_;
  size_t partitions_ = 0;
  uint32_t until_next_ = 0;
  bool closely_ = false;
  uint64_t failures_ = 0;  // of logs
};

}  // namespace stele::sim::swarm
