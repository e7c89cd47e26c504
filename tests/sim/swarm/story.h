// One seed from its first event to its verdict.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "io/sim/faults.h"
#include "sim/swarm/judges.h"
#include "sim/swarm/plan.h"

namespace stele::sim::swarm {

enum class Verdict : uint8_t { kClean, kStuck, kWrong };

struct StoryTold {
  Verdict verdict = Verdict::kClean;
  std::vector<Finding> findings;
  uint64_t events = 0;
  uint64_t fault_events = 0;  // the number of the event after which the world healed
  uint64_t trace_hash = 0;
  base::Duration virtual_time{};
  uint64_t acknowledged = 0;
  uint64_t endings = 0;
  std::map<std::string, io::BranchCount> marks;
  std::vector<uint64_t> steps;  // a hash after every so many events, to find where two runs part
};

inline constexpr uint64_t kEventsPerStep = 16;

struct TellOptions {
  bool aloud = false;  // the schedule and the broker's log go to stdout
  bool steps = false;
};

StoryTold tell(const Plan& plan, TellOptions options = {});

}  // namespace stele::sim::swarm
