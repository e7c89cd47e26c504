// Many seeds, in processes of their own, so that one that crashes is reported like any other.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/swarm/plan.h"
#include "sim/swarm/story.h"

namespace stele::sim::swarm {

// Exit codes, as TigerBeetle's simulator has them.
inline constexpr int kExitClean = 0;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitCrash = 127;
inline constexpr int kExitStuck = 128;
inline constexpr int kExitWrong = 129;

struct SeedRun {
  uint64_t seed = 0;
  Limits limits;
};

struct Failure {
  SeedRun run;
  int exit_code = kExitClean;
  std::vector<std::string> texts;
};

struct Summary {
  uint64_t seeds = 0;
  uint64_t events = 0;
  uint64_t acknowledged = 0;
  uint64_t endings = 0;
  double virtual_seconds = 0;
  double real_seconds = 0;
  std::map<std::string, io::BranchCount> marks;  // by rare branch and kind of fault
  std::vector<Failure> failures;
  int exit_code() const;
  std::string text() const;
  // Those that no seed took; empty where each was.
  std::string unreached() const;
};

struct RunOptions {
  uint32_t jobs = 1;
  uint64_t failures_max = 5;                       // then it stops
  bool progress = false;                           // a line on stderr now and then
  std::function<void(const Failure&)> on_failure;  // as soon as it is known; may be empty
};

// Seeds for as long as `next` gives some.
using NextSeed = std::function<std::optional<SeedRun>()>;
Summary run_seeds(const NextSeed& next, const RunOptions& options);

// One seed in a process of its own.
Failure run_apart(const SeedRun& run, uint64_t* fault_events = nullptr);

// Runs it twice and compares; what parts them, or nothing.
std::string compare_runs(const SeedRun& run);

// The least that still fails in the same way, and how it is replayed.
SeedRun shrink(const SeedRun& failing, const std::function<void(const std::string&)>& say);
std::string replay_command(const SeedRun& run);

}  // namespace stele::sim::swarm
