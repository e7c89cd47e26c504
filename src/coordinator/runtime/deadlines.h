// Named deadlines in the order of their time. One deadline per key; scheduling a key again moves it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "base/clock.h"

namespace stele::coordinator {

template <class Key>
class Deadlines {
 public:
  void schedule(const Key& key, base::MonoTime at) {
    cancel(key);
    const Slot slot{at, ++sequence_};
    by_time_.emplace(slot, key);
    by_key_.emplace(key, slot);
  }
  void cancel(const Key& key) {
    auto found = by_key_.find(key);
    if (found == by_key_.end()) return;
    by_time_.erase(found->second);
    by_key_.erase(found);
  }
  bool contains(const Key& key) const { return by_key_.contains(key); }
  std::optional<base::MonoTime> next() const {
    if (by_time_.empty()) return std::nullopt;
    return by_time_.begin()->first.first;
  }
  // The earliest key whose time has come, removed; those of one time come in the order of their scheduling.
  std::optional<Key> pop_due(base::MonoTime now) {
    if (by_time_.empty() || by_time_.begin()->first.first > now) return std::nullopt;
    Key key = std::move(by_time_.begin()->second);
    by_time_.erase(by_time_.begin());
    by_key_.erase(key);
    return key;
  }
  size_t size() const { return by_key_.size(); }

 private:
  using Slot = std::pair<base::MonoTime, uint64_t>;
  std::map<Slot, Key> by_time_;
  std::map<Key, Slot> by_key_;
  uint64_t sequence_ = 0;
};

}  // namespace stele::coordinator
