// Looks at the broker's logs from inside, after every event: the ends that the judges need, and what must hold at
// every moment.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

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
  LogWatch(const Machine& machine, TopicNumbers& topics, History& history, bool may_reopen)
      : machine_(machine), topics_(topics), history_(history), may_reopen_(may_reopen) {}

  // After each event: a log is looked at if anything that is held against it has changed.
  void after_event();
  void look();
  // The process has ended; what was last seen goes into the history.
  void ended(EndKind kind);

 private:
  struct Seen {
    Ends ends;
    int64_t high_watermark = 0;
    int64_t log_start = 0;
    int64_t recovery_point = 0;
    int64_t active_base = 0;
    friend bool operator==(const Seen&, const Seen&) = default;
  };
  // A partition of the process, and how it was last seen. It may have gone; nothing here keeps it.
  struct Watched {
    std::weak_ptr<broker::Partition> held;
    const broker::Partition* partition = nullptr;
    std::optional<Seen> seen = std::nullopt;
  };
  static Seen see(const broker::Partition& partition);
  void list_partitions();
  void look_at(Watched& watched);
  void note(const broker::Partition& partition, const Seen& now);
  void check(Place place, const broker::Partition& partition, const Seen* before, const Seen& now);
  size_t count() const;

  const Machine& machine_;
  TopicNumbers& topics_;
  History& history_;
  const bool may_reopen_;
  std::map<Place, Seen> seen_;
  std::vector<Watched> watched_;
  size_t partitions_ = 0;
  uint32_t until_listed_ = 0;
};

}  // namespace stele::sim::swarm
