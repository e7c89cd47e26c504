#include "log/epoch_cache.h"

#include <algorithm>

namespace stele::log {

EpochCache::EpochCache(const std::vector<EpochStart>& entries) {
  for (const EpochStart& entry : entries) assign(entry.epoch, entry.start);
}

bool EpochCache::assign(base::LeaderEpoch epoch, base::Offset start) {
  if (epoch < base::LeaderEpoch{0} || start < base::Offset{0}) return false;
  if (!entries_.empty() && entries_.back().epoch == epoch && start >= entries_.back().start) return false;
  while (!entries_.empty() && (entries_.back().epoch >= epoch || entries_.back().start >= start)) entries_.pop_back();
  entries_.push_back({epoch, start});
  return true;
}

bool EpochCache::truncate_end(base::Offset end) {
  const size_t before = entries_.size();
  while (!entries_.empty() && entries_.back().start >= end) entries_.pop_back();
  return entries_.size() != before;
}

bool EpochCache::truncate_start(base::Offset start) {
  const auto behind = std::ranges::upper_bound(entries_, start, {}, &EpochStart::start);
  if (behind == entries_.begin()) return false;
  const auto at = std::prev(behind);
  if (at == entries_.begin() && at->start == start) return false;
  at->start = start;
  entries_.erase(entries_.begin(), at);
  return true;
}

std::optional<base::LeaderEpoch> EpochCache::latest() const {
  return entries_.empty() ? std::nullopt : std::optional{entries_.back().epoch};
}

std::optional<base::LeaderEpoch> EpochCache::epoch_at(base::Offset offset) const {
  const auto behind = std::ranges::upper_bound(entries_, offset, {}, &EpochStart::start);
  return behind == entries_.begin() ? std::nullopt : std::optional{std::prev(behind)->epoch};
}

std::optional<EpochEnd> EpochCache::end_offset_for(base::LeaderEpoch epoch, base::Offset log_end) const {
  if (epoch == base::kNoLeaderEpoch || entries_.empty() || epoch > entries_.back().epoch) return std::nullopt;
  if (epoch == entries_.back().epoch) return EpochEnd{epoch, log_end};
  const auto behind = std::ranges::upper_bound(entries_, epoch, {}, &EpochStart::epoch);
  if (behind == entries_.begin()) return EpochEnd{epoch, behind->start};
  return EpochEnd{std::prev(behind)->epoch, behind->start};
}

}  // namespace stele::log
