#include "sim/swarm/story.h"

#include <fmt/format.h>

#include <cstdio>

#include "broker/coordinator_host.h"
#include "coordinator/group/partition_of_group.h"
#include "log/dump.h"
#include "sim/swarm/snapshots.h"
#include "sim/swarm/stage.h"

namespace stele::sim::swarm {

namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// Errors are counted against the broker; everything else is for those who read a failure.
class Journal final : public base::LogSink {
 public:
  Journal(bool aloud, const io::SimWorld*& world) : aloud_(aloud), world_(world) {}
  bool enabled(base::LogLevel level) const override { return aloud_ || level == base::LogLevel::kError; }
  void write(base::LogLevel level, std::string_view line) override {
    if (level == base::LogLevel::kError) errors_.emplace_back(line);
    say(fmt::format("broker: {}", line));
  }
  void say(std::string_view line) const {
    if (!aloud_) return;
    const auto now = world_ == nullptr ? base::MonoTime{} : world_->now();
    fmt::print("{:>12.6f} {}\n", static_cast<double>(duration_cast<microseconds>(now.time_since_epoch()).count()) / 1e6,
               line);
  }
  bool aloud() const { return aloud_; }
  std::vector<std::string>& errors() { return errors_; }

 private:
  bool aloud_;
  const io::SimWorld*& world_;
  std::vector<std::string> errors_;
};

base::Task<void> run_client(Stage& stage, io::Shard& shard, const ClientPlan& plan, uint32_t number, size_t& running) {
  switch (plan.kind) {
    case ClientKind::kPlain:
    case ClientKind::kIdempotent:
      co_await run_producer(stage, shard, plan, number);
      break;
    case ClientKind::kReader:
      co_await run_reader(stage, shard, plan, number);
      break;
    case ClientKind::kMember:
      co_await run_member(stage, shard, plan, number);
      break;
    case ClientKind::kLoner:
      co_await run_loner(stage, shard, plan, number);
      break;
    case ClientKind::kAdmin:
      co_await run_admin(stage, shard, plan, number);
      break;
  }
  --running;
}

base::Task<void> run_clients(Stage& stage, io::Shard& shard, std::vector<size_t>& still) {
  base::TaskScope scope{shard.executor(), [](std::exception_ptr fault) { std::rethrow_exception(fault); }};
  const std::vector<ClientPlan>& clients = stage.plan.clients;
  for (uint32_t i = 0; i < clients.size(); ++i) {
    still.push_back(1);
  }
  for (uint32_t i = 0; i < clients.size(); ++i) scope.spawn(run_client(stage, shard, clients[i], i, still[i]));
  co_await scope.join();
}

// Every partition's files by themselves, as `stele log verify` reads them.
base::Task<void> verify_files(io::Shard& shard, const Plan& plan, std::vector<std::string>& problems) {
  for (const std::string& path : plan.log_dirs) {
    auto directory = co_await shard.open_directory(path, false);
    if (!directory.ok()) continue;
    const auto entries = co_await (*directory)->list();
    if (!entries.ok()) continue;
    for (const io::Entry& entry : *entries) {
      if (!entry.directory || entry.name.ends_with("-delete") || entry.name.ends_with("-stray")) continue;
      if (entry.name == "__cluster_metadata-0") continue;
      const auto report = co_await log::dump_partition(
          **directory, entry.name, {.verify = true},
          [&](const log::DumpLine& line) { problems.push_back(entry.name + ": " + line.to_text()); });
      if (!report.ok()) problems.push_back(entry.name + ": " + report.error().message);
      co_await check_snapshots(**directory, entry.name, problems);
    }
  }
}

class Teller {
 public:
  Teller(const Plan& plan, TellOptions options)
      : plan_(plan),
        options_(options),
        journal_(options.aloud, world_pointer_),
        world_({.seed = plan.seed, .log = &journal_, .trace_lines = false}),
        machine_(world_, plan.shards, plan.config),
        client_(world_.add_host("client")),
        numbers_(history_),
        watch_(machine_, numbers_, history_, plan.disk_errors),
        stage_(plan_, history_, numbers_),
        random_(plan.stream(5)) {
    world_pointer_ = &world_;
    history_.synced = plan.synced;
    history_.flips = plan.flipped_read > 0;
    if (options.aloud) stage_.say = [this](std::string_view line) { journal_.say(line); };
  }

  ~Teller() {
    client_.crash();
    machine_.kill();
  }

  StoryTold tell() {
    const bool finished = live();
    told_.events = world_.events();
    told_.trace_hash = world_.trace_hash();
    told_.virtual_time = world_.now().time_since_epoch();
    told_.acknowledged = stage_.acknowledged;
    told_.endings = history_.endings.size();
    told_.marks = world_.marks();
    for (const std::string& error : journal_.errors()) {
      if (plan_.story >= 3 && error.find("(stele.partitions.max)") != std::string::npos) continue;
      if (!plan_.disk_errors && plan_.flipped_read == 0) stage_.odd("the broker logged an error: " + error);
    }
    place_groups();
    told_.findings = judge(history_);
    if (!finished) told_.findings.insert(told_.findings.begin(), {"stuck", stuck_});
    if (!told_.findings.empty()) told_.verdict = finished ? Verdict::kWrong : Verdict::kStuck;
    return std::move(told_);
  }

 private:
  // In which log a group's commits lie: in doubt in none.
  void place_groups() {
    int32_t number = -1;
    for (size_t i = 0; i < history_.topics.size(); ++i) {
      if (history_.topics[i].name != broker::kOffsetsTopic) continue;
      if (number >= 0) return;
      number = static_cast<int32_t>(i);
    }
    if (number < 0) return;
    const int32_t partitions = std::stoi(plan_.config.at("offsets.topic.num.partitions"));
    for (int32_t group = 0; group < kGroups; ++group) {
      history_.group_logs[group] = {number, coordinator::partition_of_group(group_name(group), partitions)};
    }
  }

  // False where something that must end does not.
  bool live() {
    begin_process();
    if (!run_client_to_end("the set-up", [this](io::Shard& shard) { return set_up(stage_, shard); })) return false;
    for (const FaultKind kind : kStrikes) schedule_.push_back(kind);
    std::erase_if(schedule_, [this](FaultKind kind) { return (plan_.faults & bit_of(kind)) == 0; });
    if (plan_.cut_off > base::Duration{0}) schedule_.push_back(FaultKind::kNetwork);
    start_clients();
    set_faults();
    if (!bring_trouble()) return false;
    if (!heal()) return false;
    if (!scan("the last scan")) return false;
    if (!stop("the last stop")) return false;
    begin_process();
    if (!scan("the scan after a clean start")) return false;
    if (!stop("the stop after it")) return false;
    return verify();
  }

  void start_clients() {
    still_.clear();
    client_.start(1, [this](io::Shard& shard) { return run_clients(stage_, shard, still_); });
  }

  bool run_until(const std::function<bool()>& done, base::Duration longest) {
    return world_.run_until(
        [&] {
          watch_.after_event();
          if (plan_.flipped_read > 0) set_flips(!stage_.healed && machine_.all_open());
          if (read_only_from_ && world_.now() >= *read_only_from_) turn_read_only();
          if (options_.steps && world_.events() % kEventsPerStep == 0) told_.steps.push_back(world_.trace_hash());
          return done();
        },
        longest);
  }

  void begin_process() {
    journal_.say(fmt::format("--- the broker starts (era {})", history_.endings.size()));
    machine_.start();
  }

  void end_process(EndKind kind) {
    watch_.look();
    if (kind == EndKind::kPowerLoss) {
      machine_.lose_power(plan_.power);
    } else {
      machine_.kill();
    }
    watch_.ended(kind);
  }

  base::Duration draw_around(base::Duration mean) {
    return base::Duration{static_cast<int64_t>(random_.below(static_cast<uint64_t>(2 * mean.count() + 1)))};
  }

  // A process that ends by itself though nothing is wrong with its machine.
  void take_sudden_end() {
    if (!plan_.disk_errors) {
      stage_.odd(fmt::format("the broker ended by itself with exit code {}", *machine_.exit_code()));
    }
    end_process(EndKind::kKill);
  }

  bool bring_trouble() {
    const base::MonoTime until = world_.now() + plan_.faults_for;
    if (plan_.read_only_after > base::Duration{0}) read_only_from_ = world_.now() + plan_.read_only_after;
    const auto over = [&] {
      return world_.now() >= until || client_.ended() || world_.events() >= plan_.faults_events || schedule_.empty();
    };
    while (!over()) {
      if (!machine_.running()) begin_process();
      const base::MonoTime next = world_.now() + draw_around(plan_.gap);
      run_until([&] { return over() || world_.now() >= next || machine_.exit_code().has_value(); },
                plan_.faults_for + minutes{1});
      if (machine_.exit_code()) {
        take_sudden_end();
        const base::MonoTime up = world_.now() + draw_around(plan_.down);
        run_until([&] { return world_.now() >= up; }, minutes{1});
        continue;
      }
      if (over()) break;
      if (!strike(schedule_[random_.below(schedule_.size())])) return false;
    }
    if (schedule_.empty()) {
      run_until([&] { return world_.now() >= until || client_.ended() || world_.events() >= plan_.faults_events; },
                plan_.faults_for);
    }
    return true;
  }

  void set_faults() {
    world_.network().set_faults(plan_.network);
    machine_.host().disk().set_faults(plan_.disk);
    if (plan_.disk_errors) machine_.host().disk().set_faults(plan_.bad_dir, plan_.bad_disk);
    world_.set_loop_faults(plan_.loops);
    world_.set_rare_branches(plan_.rare);
  }
  // A recovery cuts what it reads as damaged: it is spared.
  void set_flips(bool on) {
    if (flips_ == on) return;
    flips_ = on;
    for (const std::string& dir : plan_.log_dirs) {
      io::DiskFaults faults = machine_.host().disk().faults(dir);
      faults.flipped_read = on ? plan_.flipped_read : 0;
      machine_.host().disk().set_faults(dir, faults);
    }
  }
  void turn_read_only() {
    read_only_from_.reset();
    journal_.say(fmt::format("--- {} turns read-only (event {})", plan_.bad_dir, world_.events()));
    io::DiskFaults faults = machine_.host().disk().faults(plan_.bad_dir);
    faults.read_only = true;
    machine_.host().disk().set_faults(plan_.bad_dir, faults);
  }
  void end_faults() {
    read_only_from_.reset();
    world_.network().set_faults(io::NetworkFaults{});
    machine_.host().disk().set_faults(io::DiskFaults{});
    if (plan_.disk_errors) machine_.host().disk().set_faults(plan_.bad_dir, io::DiskFaults{});
    world_.set_loop_faults(io::LoopFaults{});
    world_.set_rare_branches(io::RareBranches{});
  }

  // One way or both, for a while.
  void cut_off_clients() {
    const uint64_t which = random_.below(3);
    const auto set = [&](bool off) {
      if (which != 0) world_.network().set_cut_off("client", "broker", off);
      if (which != 1) world_.network().set_cut_off("broker", "client", off);
    };
    set(true);
    const base::MonoTime until = world_.now() + draw_around(plan_.cut_off);
    run_until([&] { return world_.now() >= until || machine_.exit_code().has_value(); }, minutes{1});
    set(false);
  }

  bool strike(FaultKind kind) {
    journal_.say(fmt::format("--- {} (event {})", name_of(kind), world_.events()));
    if (kind == FaultKind::kNetwork) {
      cut_off_clients();
      return true;
    }
    if (kind == FaultKind::kClients) {
      client_.crash();
      const base::MonoTime up = world_.now() + draw_around(plan_.down);
      run_until([&] { return world_.now() >= up || machine_.exit_code().has_value(); }, minutes{1});
      start_clients();
      return true;
    }
    if (kind == FaultKind::kPause) {
      machine_.host().hold_up(draw_around(plan_.down));
      return true;
    }
    if (kind == FaultKind::kStop && machine_.serving()) {
      // Now and then a stop is cut short.
      const bool whole = random_.below(4) != 0;
      const base::Duration patience = whole ? base::Duration{minutes{1}} : draw_around(milliseconds{20});
      machine_.ask_to_stop();
      const bool ended = run_until([&] { return machine_.exit_code().has_value(); }, patience);
      if (!ended && whole) {
        stuck_ = "a stop does not end";
        return false;
      }
      if (ended) check_exit();
      // With a disk that fails a stop may leave what a kill leaves.
      end_process(ended && !plan_.disk_errors ? EndKind::kStop : EndKind::kKill);
    } else {
      end_process(kind == FaultKind::kPowerLoss ? EndKind::kPowerLoss : EndKind::kKill);
    }
    const base::MonoTime up = world_.now() + draw_around(plan_.down);
    run_until([&] { return world_.now() >= up; }, minutes{1});
    return true;
  }

  void check_exit() {
    if (*machine_.exit_code() != 0 && (!plan_.disk_errors || stage_.healed)) {
      stage_.odd(fmt::format("a stop ended with exit code {}", *machine_.exit_code()));
    }
  }

  bool heal() {
    told_.fault_events = world_.events();
    end_faults();
    journal_.say(fmt::format("--- all faults end (event {})", world_.events()));
    // A log dir that went offline comes back with the next start.
    // What was read wrongly may be remembered.
    if (machine_.running() && (plan_.disk_errors || plan_.flipped_read > 0)) end_process(EndKind::kKill);
    if (!machine_.running()) begin_process();
    stage_.healed = true;
    if (!run_until([&] { return client_.ended() || machine_.exit_code().has_value(); }, minutes{3}) ||
        !client_.ended()) {
      stuck_ = fmt::format("clients do not finish:{}", unfinished());
      return false;
    }
    client_.crash();
    return true;
  }

  std::string unfinished() const {
    std::string text = machine_.exit_code() ? fmt::format(" (the broker ended with {})", *machine_.exit_code()) : "";
    for (size_t i = 0; i < still_.size(); ++i) {
      if (still_[i] != 0) text += fmt::format(" {} ({})", i, name_of(plan_.clients[i].kind));
    }
    return text;
  }

  bool run_client_to_end(const char* what, std::function<base::Task<void>(io::Shard&)> client) {
    client_.start(1, std::move(client));
    const bool ended =
        run_until([&] { return client_.ended() || machine_.exit_code().has_value(); }, minutes{3}) && client_.ended();
    if (!ended) {
      stuck_ = fmt::format("{} does not end", what);
      if (machine_.exit_code()) stuck_ += fmt::format(" (the broker ended with {})", *machine_.exit_code());
    }
    client_.crash();
    return ended;
  }

  bool scan(const char* what) {
    journal_.say(fmt::format("--- {}", what));
    return run_client_to_end(what, [this](io::Shard& shard) { return scan_all(stage_, shard); });
  }

  bool stop(const char* what) {
    journal_.say(fmt::format("--- {}", what));
    run_until([&] { return machine_.serving(); }, minutes{1});
    machine_.ask_to_stop();
    if (!run_until([&] { return machine_.exit_code().has_value(); }, minutes{1})) {
      stuck_ = fmt::format("{} does not end", what);
      return false;
    }
    check_exit();
    end_process(EndKind::kStop);
    return true;
  }

  bool verify() {
    std::vector<std::string> problems;
    client_.crash();
    io::SimHost& host = machine_.host();
    host.start(1, [&](io::Shard& shard) { return verify_files(shard, plan_, problems); });
    const bool ended = run_until([&] { return host.ended(); }, minutes{1});
    host.crash();
    for (const std::string& problem : problems) stage_.odd("on disk: " + problem);
    if (!ended) stuck_ = "reading the files does not end";
    return ended;
  }

  const Plan& plan_;
  const TellOptions options_;
  const io::SimWorld* world_pointer_ = nullptr;
  Journal journal_;
  io::SimWorld world_;
  Machine machine_;
  io::SimHost& client_;
  History history_;
  TopicNumbers numbers_;
  LogWatch watch_;
  Stage stage_;
  base::SeededRandom random_;
  std::vector<FaultKind> schedule_;
  bool flips_ = false;
  std::optional<base::MonoTime> read_only_from_;  // of the bad dir
  std::vector<size_t> still_;
  std::string stuck_;
  StoryTold told_;
};

}  // namespace

StoryTold tell(const Plan& plan, TellOptions options) { return Teller(plan, options).tell(); }

}  // namespace stele::sim::swarm
