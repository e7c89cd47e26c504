// stele_sim: runs whole brokers under seeds, and says which seed shows a broken promise. `make sim SEEDS=n`.
#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <optional>

#include "sim/swarm/runner.h"

namespace stele::sim::swarm {
namespace {

constexpr const char* kUsage =
    R"(stele_sim --seeds N [--first K] [--durability replicated|synced|any] [--jobs J] [--stored FILE] [--failures F]
stele_sim --seed S [what a shrunk seed says]     one seed, with its schedule and the broker's log
stele_sim --shrink S [the same]                  the least that still fails
stele_sim --compare S                            runs it twice, says where the runs part
options that leave something out: --off kill|power|stop|pause|tearing|network|disk|loops|rare|errors|clients,
  --clients N, --partitions N, --events N, --story N (without what was added to stories after their Nth form)
exit codes: 0 clean, 127 a crash, 128 something does not end, 129 a broken promise
)";

enum class Mode { kMany, kOne, kShrink, kCompare };

struct Arguments {
  Mode mode = Mode::kMany;
  uint64_t seed = 0;
  uint64_t first = 1;
  uint64_t seeds = 0;
  RunOptions run;
  Limits limits;
  std::string stored;
};

std::optional<uint64_t> number(const char* text) {
  uint64_t value = 0;
  const char* end = text + std::strlen(text);
  const auto [at, error] = std::from_chars(text, end, value);
  if (error != std::errc{} || at != end) return std::nullopt;
  return value;
}

bool take_word(Arguments& arguments, std::string_view name, std::string_view value) {
  if (name == "--durability") {
    if (value != "any" && value != "replicated" && value != "synced") return false;
    arguments.limits.durability = value == "any"      ? Durability::kAny
                                  : value == "synced" ? Durability::kSynced
                                                      : Durability::kReplicated;
    return true;
  }
  if (name == "--stored") {
    arguments.stored = value;
    return true;
  }
  if (name != "--off") return false;
  for (const FaultKind kind : kAllFaults) {
    if (value != name_of(kind)) continue;
    arguments.limits.faults_off |= bit_of(kind);
    return true;
  }
  return false;
}

bool take_number(Arguments& arguments, std::string_view name, uint64_t value) {
  if (name == "--seed" || name == "--shrink" || name == "--compare") {
    arguments.seed = value;
    arguments.mode = name == "--seed" ? Mode::kOne : name == "--shrink" ? Mode::kShrink : Mode::kCompare;
  } else if (name == "--seeds") {
    arguments.seeds = value;
  } else if (name == "--first") {
    arguments.first = value;
  } else if (name == "--jobs") {
    arguments.run.jobs = static_cast<uint32_t>(std::max<uint64_t>(1, value));
  } else if (name == "--failures") {
    arguments.run.failures_max = value;
  } else if (name == "--clients") {
    arguments.limits.clients_max = static_cast<uint32_t>(value);
  } else if (name == "--partitions") {
    arguments.limits.partitions_max = static_cast<int32_t>(value);
  } else if (name == "--events") {
    arguments.limits.faults_events = value;
  } else if (name == "--story") {
    if (value == 0 || value > kNewestStory) return false;
    arguments.limits.story = static_cast<uint32_t>(value);
  } else {
    return false;
  }
  return true;
}

bool parse(Arguments& arguments, const std::vector<std::string>& words) {
  for (size_t i = 0; i + 1 < words.size(); i += 2) {
    if (take_word(arguments, words[i], words[i + 1])) continue;
    const auto value = number(words[i + 1].c_str());
    if (!value || !take_number(arguments, words[i], *value)) return false;
  }
  return words.size() % 2 == 0 && (arguments.mode != Mode::kMany || arguments.seeds > 0 || !arguments.stored.empty());
}

// A stored seed stands in a line: its number, the options that leave something out (--story with the number of the
// newest one at that time), and behind '#' what it found.
std::optional<std::vector<SeedRun>> read_stored(const std::string& path) {
  std::vector<SeedRun> runs;
  if (path.empty()) return runs;
  std::FILE* file = std::fopen(path.c_str(), "r");
  if (file == nullptr) {
    fmt::print(stderr, "cannot read {}\n", path);
    return std::nullopt;
  }
  char buffer[1024];
  while (std::fgets(buffer, sizeof buffer, file) != nullptr) {
    std::string line{buffer};
    line.resize(std::min(line.size(), line.find_first_of("#\n")));
    std::vector<std::string> words;
    for (char* word = std::strtok(line.data(), " "); word != nullptr; word = std::strtok(nullptr, " ")) {
      words.emplace_back(word);
    }
    if (words.empty()) continue;
    words.insert(words.begin(), "--seed");
    Arguments one;
    if (!parse(one, words)) {
      fmt::print(stderr, "{}: cannot read the line of seed {}\n", path, words[1]);
      std::fclose(file);
      return std::nullopt;
    }
    runs.push_back({one.seed, one.limits});
  }
  std::fclose(file);
  return runs;
}

int run_many(const Arguments& arguments) {
  const auto stored = read_stored(arguments.stored);
  if (!stored) return kExitUsage;
  RunOptions options = arguments.run;
  options.on_failure = [](const Failure& failure) {
    fmt::print("seed {} failed ({}):\n", failure.run.seed, failure.exit_code);
    for (const std::string& text : failure.texts) fmt::print("  {}\n", text);
    fmt::print("  replay: {}\n", replay_command(failure.run));
    std::fflush(stdout);
  };
  uint64_t next = 0;
  const Summary summary = run_seeds(
      [&]() -> std::optional<SeedRun> {
        const uint64_t at = next++;
        if (at < stored->size()) return (*stored)[at];
        if (at - stored->size() >= arguments.seeds) return std::nullopt;
        return SeedRun{arguments.first + at - stored->size(), arguments.limits};
      },
      options);
  const std::string unreached = summary.unreached();
  if (!unreached.empty()) fmt::print("no seed reached:{}\n", unreached);
  fmt::print("{}\n", summary.text());
  return summary.exit_code();
}

int run_one(const Arguments& arguments) {
  const Plan plan = draw_plan(arguments.seed, arguments.limits);
  fmt::print("{}", plan.text());
  const StoryTold told = tell(plan, {.aloud = true});
  for (const Finding& finding : told.findings) fmt::print("FOUND {}: {}\n", finding.rule, finding.text);
  fmt::print("{} events, {} operations answered well, {} ends of a process, trace {:016x}\n", told.events,
             told.acknowledged, told.endings, told.trace_hash);
  return told.verdict == Verdict::kClean ? kExitClean : told.verdict == Verdict::kStuck ? kExitStuck : kExitWrong;
}

int run_shrink(const Arguments& arguments) {
  const SeedRun least = shrink({arguments.seed, arguments.limits}, [](const std::string& text) {
    fmt::print("{}\n", text);
    std::fflush(stdout);
  });
  const Failure failure = run_apart(least);
  for (const std::string& text : failure.texts) fmt::print("  {}\n", text);
  fmt::print("replay: {}\n", replay_command(least));
  return failure.exit_code;
}

int run(int count, char** texts) {
  Arguments arguments;
  arguments.run.progress = isatty(2) != 0;
  if (!parse(arguments, {texts + 1, texts + count})) {
    fmt::print(stderr, "{}", kUsage);
    return kExitUsage;
  }
  switch (arguments.mode) {
    case Mode::kMany:
      return run_many(arguments);
    case Mode::kOne:
      return run_one(arguments);
    case Mode::kShrink:
      return run_shrink(arguments);
    case Mode::kCompare: {
      const std::string parted = compare_runs({arguments.seed, arguments.limits});
      fmt::print("{}\n", parted.empty() ? "the same twice" : parted);
      return parted.empty() ? kExitClean : kExitWrong;
    }
  }
  return kExitUsage;
}

}  // namespace
}  // namespace stele::sim::swarm

int main(int count, char** texts) {
  // Each seed takes and frees the same megabytes: to give them back to the kernel in between costs more than the seed.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 64 << 20);
  return stele::sim::swarm::run(count, texts);
}
