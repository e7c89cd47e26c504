// Makes a failing seed small: fewer events before the world heals, fewer kinds of faults, fewer clients, fewer
// partitions; whatever can go while it still fails.
#include <fmt/format.h>

#include "sim/swarm/runner.h"

namespace stele::sim::swarm {

namespace {

// How a failure is told from another: by its exit code and the rule that was broken first.
std::string kind_of(const Failure& failure) {
  const std::string first = failure.texts.empty() ? "" : failure.texts.front();
  return fmt::format("{} {}", failure.exit_code, first.substr(0, first.find(':')));
}

class Shrinking {
 public:
  Shrinking(const SeedRun& failing, const std::function<void(const std::string&)>& say) : best_(failing), say_(say) {}

  SeedRun run() {
    uint64_t fault_events = 0;
    const Failure failure = run_apart(best_, &fault_events);
    if (failure.exit_code == kExitClean) {
      say_("it does not fail");
      return best_;
    }
    wanted_ = kind_of(failure);
    say_(fmt::format("it fails with {}", wanted_));
    cut_events(fault_events == 0 ? 1 << 20 : fault_events);
    for (const FaultKind kind : kAllFaults) {
      SeedRun less = best_;
      less.limits.faults_off |= bit_of(kind);
      if (less.limits.faults_off != best_.limits.faults_off)
        keep_if_it_fails(less, "without " + std::string{name_of(kind)});
    }
    for (uint32_t clients = 1; clients < best_.limits.clients_max; ++clients) {
      SeedRun less = best_;
      less.limits.clients_max = clients;
      if (keep_if_it_fails(less, fmt::format("with {} client(s)", clients))) break;
    }
    for (int32_t partitions = 1; partitions < best_.limits.partitions_max; ++partitions) {
      SeedRun less = best_;
      less.limits.partitions_max = partitions;
      if (keep_if_it_fails(less, fmt::format("with topics of {} partition(s)", partitions))) break;
    }
    uint64_t events = 0;
    run_apart(best_, &events);
    cut_events(std::min(events, best_.limits.faults_events));
    return best_;
  }

 private:
  bool keep_if_it_fails(const SeedRun& less, const std::string& what) {
    const Failure failure = run_apart(less);
    const bool fails = failure.exit_code != kExitClean && kind_of(failure) == wanted_;
    say_(fmt::format("{}: {}", what, fails ? "still fails" : "does not fail so"));
    if (fails) best_ = less;
    return fails;
  }

  // Not every smaller number fails where a larger one does; a few halvings find a good one all the same.
  void cut_events(uint64_t most) {
    uint64_t low = 0;
    uint64_t high = most;
    while (low + 1 < high && high - low > most / 200) {
      SeedRun less = best_;
      less.limits.faults_events = low + (high - low) / 2;
      if (keep_if_it_fails(less, fmt::format("healed after {} events", less.limits.faults_events))) {
        high = less.limits.faults_events;
      } else {
        low = less.limits.faults_events;
      }
    }
  }

  SeedRun best_;
  const std::function<void(const std::string&)>& say_;
  std::string wanted_;
};

}  // namespace

SeedRun shrink(const SeedRun& failing, const std::function<void(const std::string&)>& say) {
  return Shrinking(failing, say).run();
}

std::string replay_command(const SeedRun& run) {
  std::string text = fmt::format("build/release/stele_sim --seed {}", run.seed);
  const Limits all;
  if (run.limits.durability != Durability::kAny) {
    text += run.limits.durability == Durability::kSynced ? " --durability synced" : " --durability replicated";
  }
  for (const FaultKind kind : kAllFaults) {
    if ((run.limits.faults_off & bit_of(kind)) != 0) text += fmt::format(" --off {}", name_of(kind));
  }
  if (run.limits.clients_max != all.clients_max) text += fmt::format(" --clients {}", run.limits.clients_max);
  if (run.limits.partitions_max != all.partitions_max)
    text += fmt::format(" --partitions {}", run.limits.partitions_max);
  if (run.limits.story != all.story) text += fmt::format(" --story {}", run.limits.story);
  if (run.limits.faults_events != all.faults_events) text += fmt::format(" --events {}", run.limits.faults_events);
  return text;
}

}  // namespace stele::sim::swarm
