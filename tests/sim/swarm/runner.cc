#include "sim/swarm/runner.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

namespace stele::sim::swarm {

namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kSeedsPerProcess = 64;
constexpr uint64_t kSeedsPerComparison = 100;
constexpr time_t kSecondsPerSeed = 120;  // of the processor: what stands still is somebody's pause

int exit_code_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kClean:
      return kExitClean;
    case Verdict::kStuck:
      return kExitStuck;
    case Verdict::kWrong:
      return kExitWrong;
  }
  return kExitWrong;
}

// What a worker says, a line each: "begin <index>", "text <index> ...", "end <index> <code> <counts>", and
// at last "mark <asked> <taken> <name>".
void work(int out, const std::vector<SeedRun>& runs) {
  const auto say = [out](std::string line) {
    for (char& c : line) c = c == '\n' ? ' ' : c;
    line += '\n';
    for (size_t at = 0; at < line.size();) {
      const ssize_t written = write(out, line.data() + at, line.size() - at);
      if (written <= 0) _exit(1);
      at += static_cast<size_t>(written);
    }
  };
  std::map<std::string, io::BranchCount> marks;
  for (size_t i = 0; i < runs.size(); ++i) {
    say(fmt::format("begin {}", i));
    const itimerval limit{.it_interval = {}, .it_value = {.tv_sec = kSecondsPerSeed, .tv_usec = 0}};
    setitimer(ITIMER_VIRTUAL, &limit, nullptr);
    const Plan plan = draw_plan(runs[i].seed, runs[i].limits);
    const StoryTold told = tell(plan);
    int code = exit_code_of(told.verdict);
    for (const auto& [name, count] : told.marks) marks[name] += count;
    for (const Finding& finding : told.findings) say(fmt::format("text {} {}: {}", i, finding.rule, finding.text));
    if (runs[i].seed % kSeedsPerComparison == 0) {
      const StoryTold again = tell(plan);
      if (again.trace_hash != told.trace_hash || again.events != told.events) {
        code = kExitWrong;
        say(fmt::format("text {} nondeterminism: {}", i, compare_runs(runs[i])));
      }
    }
    say(fmt::format("end {} {} {} {} {} {} {}", i, code, told.events, told.acknowledged, told.endings,
                    told.virtual_time.count(), told.fault_events));
  }
  for (const auto& [name, count] : marks) say(fmt::format("mark {} {} {}", count.asked, count.taken, name));
}

// A process with its share of the seeds.
class Worker {
 public:
  explicit Worker(std::vector<SeedRun> runs) : runs_(std::move(runs)) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    std::fflush(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      ::close(ends[0]);
      work(ends[1], runs_);
      _exit(0);
    }
    ::close(ends[1]);
    in_ = ends[0];
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() {
    ::close(in_);
    if (!reaped_) {
      ::kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }

  int fd() const { return in_; }
  bool over() const { return over_; }
  uint64_t last_fault_events() const { return fault_events_; }

  // Takes in what it said; when its process has gone, the seed that it was at failed.
  void read_more(Summary& summary) {
    char buffer[4096];
    const ssize_t got = read(in_, buffer, sizeof buffer);
    if (got > 0) {
      text_.append(buffer, static_cast<size_t>(got));
      size_t line_end = 0;
      while ((line_end = text_.find('\n')) != std::string::npos) {
        take_line(text_.substr(0, line_end), summary);
        text_.erase(0, line_end + 1);
      }
      return;
    }
    over_ = true;
    int status = 0;
    waitpid(pid_, &status, 0);
    reaped_ = true;
    if (!at_) return;
    Failure& failure = failure_of(*at_, summary);
    failure.exit_code = kExitCrash;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGVTALRM) {
      failure.texts.push_back(fmt::format("crash: does not end within {} s of the processor", kSecondsPerSeed));
    } else {
      failure.texts.push_back(WIFSIGNALED(status) ? fmt::format("crash: signal {}", WTERMSIG(status))
                                                  : fmt::format("crash: exit code {}", WEXITSTATUS(status)));
    }
  }
  // Those behind the one at which it crashed.
  std::vector<SeedRun> left() const {
    if (!at_) return {};
    return {runs_.begin() + static_cast<std::ptrdiff_t>(*at_) + 1, runs_.end()};
  }

 private:
  Failure& failure_of(size_t index, Summary& summary) {
    if (!failing_) {
      summary.failures.push_back({runs_[index], kExitClean, {}});
      failing_ = true;
    }
    return summary.failures.back();
  }

  void take_line(const std::string& line, Summary& summary) {
    size_t index = 0;
    int used = 0;
    if (std::sscanf(line.c_str(), "begin %zu", &index) == 1) {
      at_ = index;
      texts_.clear();
    } else if (std::sscanf(line.c_str(), "text %zu %n", &index, &used) == 1) {
      texts_.push_back(line.substr(static_cast<size_t>(used)));
    } else if (line.starts_with("mark ")) {
      unsigned long long asked = 0;
      unsigned long long taken = 0;
      std::sscanf(line.c_str(), "mark %llu %llu %n", &asked, &taken, &used);
      summary.marks[line.substr(static_cast<size_t>(used))] += {asked, taken};
    } else {
      int code = 0;
      unsigned long long counts[5] = {};
      std::sscanf(line.c_str(), "end %zu %d %llu %llu %llu %llu %llu", &index, &code, &counts[0], &counts[1],
                  &counts[2], &counts[3], &counts[4]);
      ++summary.seeds;
      summary.events += counts[0];
      summary.acknowledged += counts[1];
      summary.endings += counts[2];
      summary.virtual_seconds += static_cast<double>(counts[3]) / 1e9;
      fault_events_ = counts[4];
      if (code != kExitClean) summary.failures.push_back({runs_[index], code, std::move(texts_)});
      texts_.clear();
      at_.reset();
    }
  }

  std::vector<SeedRun> runs_;
  pid_t pid_ = -1;
  int in_ = -1;
  bool over_ = false;
  bool reaped_ = false;
  bool failing_ = false;
  std::string text_;
  std::optional<size_t> at_;  // the seed it is at
  std::vector<std::string> texts_;
  uint64_t fault_events_ = 0;
};

}  // namespace

int Summary::exit_code() const {
  int code = kExitClean;
  for (const Failure& failure : failures) {
    if (code == kExitClean || failure.exit_code < code) code = failure.exit_code;
  }
  return code;
}

std::string Summary::text() const {
  const double seconds = std::max(real_seconds, 1e-9);
  return fmt::format(
      "{} seeds in {:.1f} s: {:.0f} seeds a minute, {:.0f} virtual s in each real one, {} events, {} operations "
      "answered well, {} ends of a process, {} failures",
      seeds, real_seconds, static_cast<double>(seeds) * 60 / seconds, virtual_seconds / seconds, events, acknowledged,
      endings, failures.size());
}

std::string Summary::unreached() const {
  std::string text;
  for (const auto& [name, count] : marks) {
    if (count.taken == 0) text += fmt::format(" {}", name);
  }
  return text;
}

Summary run_seeds(const NextSeed& next, const RunOptions& options) {
  Summary summary;
  const auto began = Clock::now();
  auto said = began;
  std::deque<SeedRun> again;
  std::vector<std::unique_ptr<Worker>> workers;
  bool more = true;
  size_t told = 0;  // failures
  const auto take_share = [&] {
    std::vector<SeedRun> share;
    while (share.size() < kSeedsPerProcess && !again.empty()) {
      share.push_back(again.front());
      again.pop_front();
    }
    while (more && share.size() < kSeedsPerProcess) {
      if (auto run = next()) {
        share.push_back(*run);
      } else {
        more = false;
      }
    }
    return share;
  };
  while (true) {
    const bool enough = summary.failures.size() >= options.failures_max;
    while (!enough && workers.size() < options.jobs) {
      std::vector<SeedRun> share = take_share();
      if (share.empty()) break;
      workers.push_back(std::make_unique<Worker>(std::move(share)));
    }
    if (workers.empty() || enough) break;
    std::vector<pollfd> waiting;
    for (const auto& worker : workers) waiting.push_back({worker->fd(), POLLIN, 0});
    poll(waiting.data(), waiting.size(), 1000);
    for (size_t i = 0; i < waiting.size(); ++i) {
      if (waiting[i].revents != 0) workers[i]->read_more(summary);
    }
    for (const auto& worker : workers) {
      if (!worker->over()) continue;
      for (const SeedRun& run : worker->left()) again.push_back(run);
    }
    std::erase_if(workers, [](const auto& worker) { return worker->over(); });
    for (; told < summary.failures.size(); ++told) {
      if (options.on_failure) options.on_failure(summary.failures[told]);
    }
    summary.real_seconds = std::chrono::duration<double>(Clock::now() - began).count();
    if (options.progress && Clock::now() - said > std::chrono::seconds{10}) {
      said = Clock::now();
      fmt::print(stderr, "{}\n", summary.text());
    }
  }
  summary.real_seconds = std::chrono::duration<double>(Clock::now() - began).count();
  return summary;
}

Failure run_apart(const SeedRun& run, uint64_t* fault_events) {
  Summary summary;
  Worker worker({run});
  while (!worker.over()) worker.read_more(summary);
  if (fault_events != nullptr) *fault_events = worker.last_fault_events();
  return summary.failures.empty() ? Failure{run, kExitClean, {}} : summary.failures.front();
}

std::string compare_runs(const SeedRun& run) {
  const Plan plan = draw_plan(run.seed, run.limits);
  const StoryTold first = tell(plan, {.steps = true});
  const StoryTold second = tell(plan, {.steps = true});
  if (first.trace_hash == second.trace_hash && first.events == second.events) return "";
  size_t same = 0;
  while (same < std::min(first.steps.size(), second.steps.size()) && first.steps[same] == second.steps[same]) ++same;
  return fmt::format("two runs of it took {} and {} events; they part after event {}", first.events, second.events,
                     same * kEventsPerStep);
}

}  // namespace stele::sim::swarm
