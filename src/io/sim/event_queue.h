// Virtual time: everything that happens in a simulated world is an event of one queue, ordered by time and, within one
// instant, by a tie drawn from the seed. The same seed gives the same order, and the same trace hash.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/random.h"

namespace stele::io {

class EventQueue {
 public:
  explicit EventQueue(uint64_t seed) : ties_(seed), hash_(seed ^ kFnvOffset) {}

  base::MonoTime now() const { return now_; }
  bool empty() const { return waiting_.empty(); }
  base::MonoTime next_time() const { return waiting_.top().at; }
  uint64_t events() const { return events_; }
  uint64_t trace_hash() const { return hash_; }

  // A time that has passed is now.
  void at(base::MonoTime when, std::move_only_function<void()> run) {
    waiting_.push({std::max(when, now_), ties_.next(), scheduled_++, std::move(run)});
  }
  void after(base::Duration delay, std::move_only_function<void()> run) { at(now_ + delay, std::move(run)); }

  void run_next() {
    Event event = std::move(const_cast<Event&>(waiting_.top()));  // popped at once: its key is not looked at again
    waiting_.pop();
    now_ = event.at;
    ++events_;
    mix(static_cast<uint64_t>(event.at.time_since_epoch().count()));
    mix(event.number);
    event.run();
  }
  void advance_to(base::MonoTime when) { now_ = std::max(now_, when); }
  void clear() { waiting_ = {}; }

  // Whatever shows that two runs are the same.
  void trace(std::string_view what) {
    for (const char c : what) mix(static_cast<unsigned char>(c));
  }
  void mix(uint64_t value) { hash_ = (hash_ ^ value) * kFnvPrime; }

 private:
  static constexpr uint64_t kFnvOffset = 0xcbf29ce484222325ULL;
  static constexpr uint64_t kFnvPrime = 0x100000001b3ULL;

  struct Event {
    base::MonoTime at;
    uint64_t tie;
    uint64_t number;
    std::move_only_function<void()> run;
    friend bool operator<(const Event& a, const Event& b) {
      return std::tie(a.at, a.tie, a.number) > std::tie(b.at, b.tie, b.number);  // the earliest is on top
    }
  };

  base::MonoTime now_{};
  std::priority_queue<Event> waiting_;
  base::SeededRandom ties_;
  uint64_t scheduled_ = 0;
  uint64_t events_ = 0;
  uint64_t hash_;
};

}  // namespace stele::io
