#include "controller/placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace stele::controller {
namespace {

using base::BrokerId;
using base::ErrorCode;

// Brokers that may take new replicas, by rack.
struct Rack {
  std::vector<BrokerId> up;
  std::vector<BrokerId> fenced;
};

bool takes_replicas(const metadata::Broker& broker) {
  if (!broker.cordoned_log_dirs || broker.log_dirs.empty()) return true;
  const auto& cordoned = *broker.cordoned_log_dirs;
  return std::any_of(broker.log_dirs.begin(), broker.log_dirs.end(), [&](const base::DirectoryId& dir) {
    return std::find(cordoned.begin(), cordoned.end(), dir) == cordoned.end();
  });
}

void turn(std::vector<BrokerId>& list, base::Random& random) {
  if (list.size() > 1) {
    std::rotate(list.begin(), list.begin() + static_cast<ptrdiff_t>(random.below(list.size())), list.end());
  }
}

}  // namespace

base::Result<std::vector<std::vector<BrokerId>>> place(const metadata::Image& image, const Placement& wanted,
                                                       base::Random& random) {
  const auto bad = [](std::string text) { return base::Error{ErrorCode::kInvalidReplicationFactor, std::move(text)}; };
  if (wanted.replication <= 0) {
    return bad(
        fmt::format("Invalid replication factor {}: the replication factor must be positive.", wanted.replication));
  }
  std::map<std::string, Rack> by_rack;
  size_t total = 0;
  size_t up = 0;
  image.brokers.for_each([&](int32_t, const auto& broker) {
    if (!takes_replicas(*broker)) return;
    ++total;
    Rack& rack = by_rack[broker->rack.value_or("")];
    if (broker->fenced) {
      rack.fenced.push_back(broker->id);
    } else {
      rack.up.push_back(broker->id);
      ++up;
    }
  });
  if (up == 0) return bad("All brokers are currently fenced, or have all their log directories cordoned.");
  if (static_cast<size_t>(wanted.replication) > total) {
    return bad(
        fmt::format("The target replication factor of {} cannot be reached because only {} broker(s) are registered "
                    "or some brokers have all their log directories cordoned.",
                    wanted.replication, total));
  }
  std::vector<Rack> racks;
  for (auto& [name, rack] : by_rack) {
    turn(rack.up, random);
    turn(rack.fenced, random);
    racks.push_back(std::move(rack));
  }
  if (racks.size() > 1) {
    std::rotate(racks.begin(), racks.begin() + static_cast<ptrdiff_t>(random.below(racks.size())), racks.end());
  }
  std::vector<std::vector<BrokerId>> out;
  for (int32_t i = 0; i < wanted.count; ++i) {
    // The preferred leader moves on by one rack, and within a rack by one broker at each round, so that leaders and
    // followers spread evenly; the other replicas come from the next racks, those that are up first.
    std::vector<BrokerId> replicas;
    for (const bool fenced : {false, true}) {
      for (size_t depth = 0; replicas.size() < static_cast<size_t>(wanted.replication) && depth < total; ++depth) {
        for (size_t r = 0; r < racks.size() && replicas.size() < static_cast<size_t>(wanted.replication); ++r) {
          const Rack& rack = racks[(static_cast<size_t>(i) + r) % racks.size()];
          const auto& list = fenced ? rack.fenced : rack.up;
          if (depth >= list.size()) continue;
          replicas.push_back(list[(static_cast<size_t>(i) / racks.size() + depth) % list.size()]);
        }
      }
    }
    out.push_back(std::move(replicas));
  }
  return out;
}

}  // namespace stele::controller
