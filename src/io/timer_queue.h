// The timers of one loop, ordered by deadline, and among equals by the order in which they were armed.
#pragma once

#include <boost/intrusive/set.hpp>

#include "base/clock.h"
#include "base/executor.h"
#include "io/shard.h"

namespace stele::io {

class TimerQueue {
 public:
  explicit TimerQueue(const base::Clock& clock) : clock_(clock) {}
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;
  ~TimerQueue() { armed_.clear(); }

  std::unique_ptr<Timer> make() { return std::make_unique<Entry>(*this); }
  bool empty() const { return armed_.empty(); }
  base::MonoTime earliest() const { return armed_.begin()->deadline; }

  // Sets the signals of all that are due.
  void fire(base::MonoTime now) {
    while (!armed_.empty() && armed_.begin()->deadline <= now) {
      Entry& due = *armed_.begin();
      due.disarm();
      due.signal->set();
    }
  }

 private:
  struct Entry final : Timer,
                       boost::intrusive::set_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
    explicit Entry(TimerQueue& owner) : queue(owner) {}
    void arm(base::MonoTime when, base::Signal& to_set) override {
      disarm();
      if (when <= queue.clock_.now()) {
        to_set.set();
        return;
      }
      deadline = when;
      signal = &to_set;
      queue.armed_.insert(*this);
    }
    void disarm() override {
      if (is_linked()) unlink();
    }
    friend bool operator<(const Entry& a, const Entry& b) { return a.deadline < b.deadline; }

    TimerQueue& queue;
    base::MonoTime deadline;
    base::Signal* signal = nullptr;
  };

  const base::Clock& clock_;
  boost::intrusive::multiset<Entry, boost::intrusive::constant_time_size<false>> armed_;
};

}  // namespace stele::io
