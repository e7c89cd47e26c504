// Virtual time: everything that happens in a simulated world is an event of one queue, ordered by time and, within one
// instant, by a tie drawn from the seed. The same seed gives the same order, and the same trace hash.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/random.h"

namespace stele::io {

// What an event does: a function object that is run once, held in place unless it is large.
class EventAction {
 public:
  EventAction() = default;
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, EventAction>)
  EventAction(F&& function) {  // NOLINT(google-explicit-constructor): at() takes any function object
    using Function = std::remove_cvref_t<F>;
    if constexpr (sizeof(Function) <= kInPlace && alignof(Function) <= alignof(std::max_align_t) &&
                  std::is_nothrow_move_constructible_v<Function>) {
      ::new (static_cast<void*>(place_)) Function(std::forward<F>(function));
      act_ = [](void* place, void* target) {
        auto* held = std::launder(static_cast<Function*>(place));
        if (target != nullptr) ::new (target) Function(std::move(*held));
        held->~Function();
      };
      run_ = [](void* place) { (*std::launder(static_cast<Function*>(place)))(); };
    } else {
      *this = EventAction{[held = std::make_unique<Function>(std::forward<F>(function))] { (*held)(); }};
    }
  }
  EventAction(EventAction&& other) noexcept { take(other); }
  EventAction& operator=(EventAction&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  ~EventAction() { reset(); }

  void operator()() { run_(place_); }

 private:
  static constexpr size_t kInPlace = 48;

  void take(EventAction& other) {
    if (other.act_ != nullptr) other.act_(other.place_, place_);
    act_ = std::exchange(other.act_, nullptr);
    run_ = other.run_;
  }
  void reset() {
    if (auto* act = std::exchange(act_, nullptr)) act(place_, nullptr);
  }

  alignas(std::max_align_t) std::byte place_[kInPlace];
  void (*act_)(void* place, void* target) = nullptr;  // moves to the target, or destroys where there is none
  void (*run_)(void* place) = nullptr;
};

class EventQueue {
 public:
  explicit EventQueue(uint64_t seed) : ties_(seed), hash_(seed ^ kFnvOffset) {}

  base::MonoTime now() const { return now_; }
  bool empty() const { return waiting_.empty(); }
  base::MonoTime next_time() const { return waiting_.front().at; }
  uint64_t events() const { return events_; }
  uint64_t trace_hash() const { return hash_; }

  // A time that has passed is now.
  void at(base::MonoTime when, EventAction action) {
    uint32_t slot = 0;
    if (free_.empty()) {
      slot = static_cast<uint32_t>(actions_.size());
      actions_.push_back(std::move(action));
    } else {
      slot = free_.back();
      free_.pop_back();
      actions_[slot] = std::move(action);
    }
    waiting_.push_back({std::max(when, now_), ties_.next(), scheduled_++, slot});
    std::push_heap(waiting_.begin(), waiting_.end());
  }
  void after(base::Duration delay, EventAction action) { at(now_ + delay, std::move(action)); }

  void run_next() {
    std::pop_heap(waiting_.begin(), waiting_.end());
    const Event event = waiting_.back();
    waiting_.pop_back();
    EventAction action = std::move(actions_[event.slot]);
    free_.push_back(event.slot);
    now_ = event.at;
    ++events_;
    mix(static_cast<uint64_t>(event.at.time_since_epoch().count()));
    mix(event.number);
    action();
  }
  void advance_to(base::MonoTime when) { now_ = std::max(now_, when); }
  void clear() {
    waiting_.clear();
    free_.clear();
    // What goes may schedule more.
    while (!actions_.empty()) {
      const std::vector<EventAction> gone = std::exchange(actions_, {});
    }
    waiting_.clear();
    free_.clear();
  }

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
    uint32_t slot;                                           // of actions_
    friend bool operator<(const Event& a, const Event& b) {  // the earliest is on top
      if (a.at != b.at) return a.at > b.at;
      if (a.tie != b.tie) return a.tie > b.tie;
      return a.number > b.number;
    }
  };

  base::MonoTime now_{};
  std::vector<Event> waiting_;  // a heap
  std::vector<EventAction> actions_;
  std::vector<uint32_t> free_;  // slots of actions_
  base::SeededRandom ties_;
  uint64_t scheduled_ = 0;
  uint64_t events_ = 0;
  uint64_t hash_;
};

}  // namespace stele::io
