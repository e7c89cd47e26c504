#include "io/sim/sim_world.h"

#include <deque>
#include <exception>
#include <utility>

#include "base/check.h"
#include "base/complaints.h"
#include "io/sim/branches.h"
#include "io/sim/seeds.h"
#include "io/sim/sim_loop.h"

namespace stele::io {

namespace {

void end_on_fault(std::exception_ptr fault) { std::rethrow_exception(fault); }

// What waits for an event; the event finds nobody where the waiting frame has gone.
template <class T>
struct Awaited {
  explicit Awaited(base::Executor& executor) : done(executor) {}
  base::Signal done;
  T value;
};

struct Nothing {};

}  // namespace

class SimWorld::Log final : public base::LogSink {
 public:
  Log(EventQueue& events, base::LogSink* next, bool trace) : events_(events), next_(next), trace_(trace) {}
  bool enabled(base::LogLevel level) const override { return trace_ || (next_ != nullptr && next_->enabled(level)); }
  void write(base::LogLevel level, std::string_view line) override {
    if (trace_) events_.trace(line);
    if (next_ != nullptr && next_->enabled(level)) next_->write(level, line);
  }

 private:
  EventQueue& events_;
  base::LogSink* next_;
  bool trace_;
};

class SimShard final : public SimLoop, public base::Executor, public base::Clock {
 public:
  SimShard(SimHost& host, base::ShardId id, uint32_t shard_count, uint64_t seed)
      : host_(host),
        world_(host.world_),
        life_(host.starts_),
        id_(id),
        shard_count_(shard_count),
        random_(derive_seed(seed, 1)),
        order_(derive_seed(seed, 2)),
        link_delay_(derive_seed(seed, 3)),
        offload_delay_(derive_seed(seed, 4)),
        slow_offload_(derive_seed(seed, 5)),
        pause_(derive_seed(seed, 6)),
        links_(shard_count),
        tasks_(*this, end_on_fault) {}

  base::TaskScope& tasks() { return tasks_; }

  base::ShardId id() const override { return id_; }
  uint32_t shard_count() const override { return shard_count_; }
  base::Executor& executor() override { return *this; }
  base::Clock& clock() override { return *this; }
  base::Random& random() override { return random_; }
  base::LogSink& log() override { return *world_.log_; }
  base::Complaints& complaints() override { return complaints_; }
  std::unique_ptr<Timer> make_timer() override;

  base::Result<std::unique_ptr<Listener>> listen(const Endpoint& endpoint) override {
    return world_.network_.listen(host_.name_, endpoint);
  }
  base::Task<base::Result<std::unique_ptr<Stream>>> connect(Endpoint endpoint) override;
  std::unique_ptr<Stream> adopt(std::unique_ptr<DetachedStream> stream) override {
    return SimNetwork::adopt(std::move(stream));
  }
  std::unique_ptr<DetachedStream> detach(std::unique_ptr<Stream> stream) override {
    return SimNetwork::detach(std::move(stream));
  }
  base::Task<base::Result<std::unique_ptr<Directory>>> open_directory(std::string path, bool create) override {
    return host_.disk_.open_directory(*this, std::move(path), create);
  }
  void send(base::ShardId to, std::unique_ptr<Mail> mail) override;
  base::Task<void> offload(std::move_only_function<void()> work) override { return offload_for({}, std::move(work)); }
  bool maybe(const char* fault_point) override {
    SimWorld::Branch& branch = world_.branch(fault_point);
    ++branch.count.asked;
    if (!branch.chance.comes_true(branch.taken)) return false;
    ++branch.count.taken;
    return true;
  }
  LoopCounts& counts() override { return counts_; }
  void mark(const char* name) override { world_.branch(name).count.happened(); }

  // SimLoop
  void hold_up(base::Duration time) override { held_until_ = std::max(held_until_, now()) + time; }
  base::Task<void> offload_for(base::Duration more, std::move_only_function<void()> work) override;

  // base::Clock
  base::MonoTime now() const override { return world_.events_.now(); }
  base::MonoTime read() const override { return now(); }
  base::Timestamp wall() const override {
    const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(now().time_since_epoch());
    return base::Timestamp{world_.options_.wall_start.value() + elapsed.count()};
  }

  // base::Executor
  void post(base::Waiter& waiter) override {
    ready_.push_back(waiter);
    later(now(), [this] { take_turn(); });
  }

  void discard_mail() {
    for (Link& link : links_) link.mail.clear();
  }

 private:
  // Mail from this shard to another.
  struct Link {
    std::deque<std::unique_ptr<Mail>> mail;
    base::MonoTime last_delivery;
  };

  // An event that does not happen once the process has ended.
  template <class F>
  void later(base::MonoTime when, F run) {
    world_.events_.at(when, [&host = host_, life = life_, run = std::move(run)]() mutable {
      if (host.lives(life)) run();
    });
  }
  // True where the loop stands still; the event happens again once it goes on.
  template <class F>
  bool waits(F again) {
    if (held_until_ <= now()) return false;
    later(held_until_, std::move(again));
    return true;
  }

  void take_turn() {
    const LoopFaults& faults = world_.loop_faults_;
    if (pause_.comes_true(faults.pause)) hold_up(pause_.up_to(faults.pause_longest));
    if (!waits([this] { resume_one(); })) resume_one();
  }

  // Any of the first few: code must not depend on the order in which ready coroutines run.
  void resume_one() {
    if (waits([this] { resume_one(); })) return;
    base::IntrusiveList<base::Waiter> passed;
    for (uint64_t skip = order_.below(4); skip > 0; --skip) {
      if (base::Waiter* waiter = ready_.pop_front()) passed.push_back(*waiter);
    }
    base::Waiter* chosen = ready_.empty() ? passed.pop_front() : ready_.pop_front();
    passed.splice_back(ready_);
    ready_.splice_back(passed);
    if (chosen != nullptr) chosen->handle.resume();
  }

  void deliver(Link& link) {
    if (waits([this, &link] { deliver(link); })) return;
    std::unique_ptr<Mail> next = std::move(link.mail.front());
    link.mail.pop_front();
    next.release()->deliver();
  }

  LoopCounts counts_;
  SimHost& host_;
  SimWorld& world_;
  const uint64_t life_;
  const base::ShardId id_;
  const uint32_t shard_count_;
  base::SeededRandom random_;
  base::SeededRandom order_;
  Chance link_delay_;
  Chance offload_delay_;
  Chance slow_offload_;
  Chance pause_;
  base::MonoTime held_until_{};
  base::IntrusiveList<base::Waiter> ready_;
  std::vector<Link> links_;
  base::Complaints complaints_{*world_.log_, *this};
  base::TaskScope tasks_;
};

struct SimHost::Process {
  std::vector<std::unique_ptr<SimShard>> shards;
  uint32_t mains_running = 0;
};

namespace {

class SimTimer final : public Timer {
 public:
  explicit SimTimer(EventQueue& events) : events_(events) {}
  ~SimTimer() override { disarm(); }

  void arm(base::MonoTime deadline, base::Signal& signal) override {
    disarm();
    if (deadline <= events_.now()) {
      signal.set();
      return;
    }
    armed_ = std::make_shared<base::Signal*>(&signal);
    events_.at(deadline, [armed = armed_] {
      if (base::Signal* to_set = std::exchange(*armed, nullptr)) to_set->set();
    });
  }
  void disarm() override {
    if (armed_) *armed_ = nullptr;
    armed_.reset();
  }

 private:
  EventQueue& events_;
  std::shared_ptr<base::Signal*> armed_;
};

}  // namespace

std::unique_ptr<Timer> SimShard::make_timer() { return std::make_unique<SimTimer>(world_.events_); }

base::Task<base::Result<std::unique_ptr<Stream>>> SimShard::connect(Endpoint endpoint) {
  using Answer = Awaited<std::optional<base::Result<std::unique_ptr<Stream>>>>;
  auto answer = std::make_shared<Answer>(*this);
  SimNetwork::Connected connected = [waiting = std::weak_ptr<Answer>{answer}](auto result) {
    const auto waiter = waiting.lock();
    if (waiter == nullptr) return;
    waiter->value.emplace(std::move(result));
    waiter->done.set();
  };
  world_.network_.connect(host_.name_, endpoint, std::move(connected));
  co_await answer->done.wait();
  co_return *std::move(answer->value);
}

void SimShard::send(base::ShardId to, std::unique_ptr<Mail> mail) {
  STELE_CHECK(to.value() < shard_count_, "shard {} of {}", to.value(), shard_count_);
  Link& link = links_[to.value()];
  link.mail.push_back(std::move(mail));
  const base::MonoTime arrival = now() + link_delay_.up_to(world_.loop_faults_.link_delay_longest);
  link.last_delivery = std::max(link.last_delivery, arrival);
  SimShard& target = host_.sim_shard(to);
  later(link.last_delivery, [&target, &link] { target.deliver(link); });
}

base::Task<void> SimShard::offload_for(base::Duration more, std::move_only_function<void()> work) {
  const LoopFaults& faults = world_.loop_faults_;
  more += faults.offload_least;
  if (slow_offload_.comes_true(faults.slow_offload)) {
    more += slow_offload_.up_to(faults.slow_offload_longest);
  } else {
    more += offload_delay_.up_to(faults.offload_longest);
  }
  auto state = std::make_shared<Awaited<Nothing>>(*this);
  later(now() + more, [state, work = std::move(work)]() mutable {
    work();
    state->done.set();
  });
  co_await state->done.wait();
}

SimHost::SimHost(SimWorld& world, std::string name, uint64_t seed)
    : world_(world), name_(std::move(name)), seed_(seed), disk_(derive_seed(seed, 0)) {}

SimHost::~SimHost() { crash(); }

namespace {

base::Task<void> run_main(SimHost::Main main, Shard& shard, uint32_t& running) {
  co_await main(shard);
  --running;
}

}  // namespace

void SimHost::start(uint32_t shards, Main main) {
  STELE_CHECK(process_ == nullptr && shards > 0);
  world_.network_.regain_power(name_);
  process_ = std::make_unique<Process>();
  process_->mains_running = shards;
  const uint64_t seed = derive_seed(seed_, ++starts_);
  for (uint32_t i = 0; i < shards; ++i) {
    process_->shards.push_back(std::make_unique<SimShard>(*this, base::ShardId{i}, shards, derive_seed(seed, i)));
  }
  for (const auto& shard : process_->shards) {
    world_.events_.at(world_.now(), [this, life = starts_, main, shard = shard.get()] {
      if (lives(life)) shard->tasks().spawn(run_main(main, *shard, process_->mains_running));
    });
  }
}

bool SimHost::lives(uint64_t life) const { return process_ != nullptr && starts_ == life; }

bool SimHost::ended() const { return process_ == nullptr || process_->mains_running == 0; }

void SimHost::crash() {
  if (process_ == nullptr) return;
  for (const auto& shard : process_->shards) shard->tasks().cancel();
  for (const auto& shard : process_->shards) shard->discard_mail();
  process_.reset();
}

void SimHost::lose_power(const PowerLoss& how) {
  world_.network_.lose_power(name_);
  crash();
  disk_.lose_power(how);
}

void SimHost::hold_up(base::Duration time) {
  if (process_ == nullptr) return;
  for (const auto& shard : process_->shards) shard->hold_up(time);
}

SimShard& SimHost::sim_shard(base::ShardId id) {
  STELE_CHECK(process_ != nullptr);
  return *process_->shards.at(id.value());
}

Shard& SimHost::shard(base::ShardId id) { return sim_shard(id); }

SimWorld::SimWorld(SimOptions options)
    : options_(options),
      events_(derive_seed(options.seed, 1)),
      network_(events_, derive_seed(options.seed, 2)),
      log_(std::make_unique<Log>(events_, options.log, options.trace_lines)) {}

namespace {

// A part of the points, whichever the seed says.
bool uses(uint64_t seed, std::string_view name, uint32_t part) {
  return Chance{derive_seed(seed, hash_of(name))}.comes_true(part);
}

}  // namespace

SimWorld::Branch& SimWorld::branch(std::string_view name) {
  const auto found = branches_.find(name);
  if (found != branches_.end()) return found->second;
  const uint64_t seed = derive_seed(options_.seed, 4);
  const uint32_t taken = uses(seed, name, rare_.used) ? rare_.taken : 0;
  Branch made{.chance = Chance{derive_seed(seed, ~hash_of(name))}, .taken = taken, .count = {}};
  return branches_.emplace(name, std::move(made)).first->second;
}

void SimWorld::set_rare_branches(const RareBranches& rare) {
  rare_ = rare;
  const uint64_t seed = derive_seed(options_.seed, 4);
  for (auto& [name, branch] : branches_) branch.taken = uses(seed, name, rare.used) ? rare.taken : 0;
}

void SimWorld::set_rare_branch(const std::string& name, uint32_t taken) { branch(name).taken = taken; }

uint64_t SimWorld::marked(std::string_view name) const {
  const auto found = branches_.find(name);
  return found == branches_.end() ? 0 : found->second.count.taken;
}

std::map<std::string, BranchCount> SimWorld::marks() const {
  std::map<std::string, BranchCount> counts;
  for (const std::string_view name : known_branches()) counts[std::string{name}] = {};
  for (const auto& [name, branch] : branches_) counts[name] += branch.count;
  network_.count(counts);
  for (const auto& [name, host] : hosts_) host->disk().count(counts);
  return counts;
}

base::SeededRandom SimWorld::stream(std::string_view name) const {
  return base::SeededRandom{derive_seed(derive_seed(options_.seed, 5), hash_of(name))};
}

SimWorld::~SimWorld() {
  for (const auto& [name, host] : hosts_) host->crash();
  events_.clear();
}

SimHost& SimWorld::add_host(const std::string& name) {
  network_.add_host(name);
  auto& host = hosts_[name];
  host = std::make_unique<SimHost>(*this, name, derive_seed(options_.seed, 100 + hosts_.size()));
  return *host;
}

bool SimWorld::run_until(const std::function<bool()>& done, base::Duration longest) {
  const base::MonoTime deadline = now() + longest;
  while (!done()) {
    if (events_.empty() || events_.next_time() > deadline) {
      events_.advance_to(deadline);
      return done();
    }
    events_.run_next();
  }
  return true;
}

}  // namespace stele::io
