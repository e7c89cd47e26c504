#include "io/sim/sim_world.h"

#include <deque>
#include <exception>
#include <utility>

#include "base/check.h"

namespace stele::io {

namespace {

// The n-th of the seeds that belong to one.
uint64_t derive(uint64_t seed, uint64_t n) { return base::SeededRandom{seed + n * 0x632be59bd9b4e019ULL}.next(); }

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
  Log(EventQueue& events, base::LogSink* next) : events_(events), next_(next) {}
  bool enabled(base::LogLevel) const override { return true; }
  void write(base::LogLevel level, std::string_view line) override {
    events_.trace(line);
    if (next_ != nullptr && next_->enabled(level)) next_->write(level, line);
  }

 private:
  EventQueue& events_;
  base::LogSink* next_;
};

class SimShard final : public Shard, public base::Executor, public base::Clock {
 public:
  SimShard(SimHost& host, SimHost::Process& process, base::ShardId id, uint32_t shard_count, uint64_t seed)
      : host_(host),
        world_(host.world_),
        process_(process),
        id_(id),
        shard_count_(shard_count),
        random_(derive(seed, 1)),
        scheduling_(derive(seed, 2)),
        links_(shard_count),
        tasks_(*this, end_on_fault) {}

  base::TaskScope& tasks() { return tasks_; }

  base::ShardId id() const override { return id_; }
  uint32_t shard_count() const override { return shard_count_; }
  base::Executor& executor() override { return *this; }
  base::Clock& clock() override { return *this; }
  base::Random& random() override { return random_; }
  base::LogSink& log() override { return *world_.log_; }
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
  base::Task<void> offload(std::move_only_function<void()> work) override;
  bool maybe(const char*) override { return false; }

  // base::Clock
  base::MonoTime now() const override { return world_.events_.now(); }
  base::Timestamp wall() const override {
    const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(now().time_since_epoch());
    return base::Timestamp{world_.options_.wall_start.value() + elapsed.count()};
  }

  // base::Executor
  void post(base::Waiter& waiter) override {
    ready_.push_back(waiter);
    later(now(), [this] { resume_one(); });
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
  void later(base::MonoTime when, std::move_only_function<void()> run);

  // Any of the first few: code must not depend on the order in which ready coroutines run.
  void resume_one() {
    base::IntrusiveList<base::Waiter> passed;
    for (uint64_t skip = scheduling_.below(4); skip > 0; --skip) {
      if (base::Waiter* waiter = ready_.pop_front()) passed.push_back(*waiter);
    }
    base::Waiter* chosen = ready_.empty() ? passed.pop_front() : ready_.pop_front();
    passed.splice_back(ready_);
    ready_.splice_back(passed);
    if (chosen != nullptr) chosen->handle.resume();
  }

  SimHost& host_;
  SimWorld& world_;
  SimHost::Process& process_;
  const base::ShardId id_;
  const uint32_t shard_count_;
  base::SeededRandom random_;
  base::SeededRandom scheduling_;
  base::IntrusiveList<base::Waiter> ready_;
  std::vector<Link> links_;
  base::TaskScope tasks_;
};

struct SimHost::Process {
  std::vector<std::unique_ptr<SimShard>> shards;
  uint32_t mains_running = 0;
  std::weak_ptr<Process> self;
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

void SimShard::later(base::MonoTime when, std::move_only_function<void()> run) {
  world_.events_.at(when, [life = process_.self, run = std::move(run)]() mutable {
    if (const auto alive = life.lock()) run();
  });
}

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
  link.last_delivery = std::max(link.last_delivery, now() + std::chrono::nanoseconds(scheduling_.below(50'000)));
  later(link.last_delivery, [&link] {
    std::unique_ptr<Mail> next = std::move(link.mail.front());
    link.mail.pop_front();
    next.release()->deliver();
  });
}

base::Task<void> SimShard::offload(std::move_only_function<void()> work) {
  auto state = std::make_shared<Awaited<Nothing>>(*this);
  later(now() + std::chrono::microseconds(5 + scheduling_.below(500)), [state, work = std::move(work)]() mutable {
    work();
    state->done.set();
  });
  co_await state->done.wait();
}

SimHost::SimHost(SimWorld& world, std::string name, uint64_t seed)
    : world_(world), name_(std::move(name)), seed_(seed), disk_(derive(seed, 0)) {}

SimHost::~SimHost() { crash(); }

namespace {

base::Task<void> run_main(SimHost::Main main, Shard& shard, uint32_t& running) {
  co_await main(shard);
  --running;
}

}  // namespace

void SimHost::start(uint32_t shards, Main main) {
  STELE_CHECK(process_ == nullptr && shards > 0);
  process_ = std::make_shared<Process>();
  process_->self = process_;
  process_->mains_running = shards;
  const uint64_t seed = derive(seed_, ++starts_);
  for (uint32_t i = 0; i < shards; ++i) {
    process_->shards.push_back(std::make_unique<SimShard>(*this, *process_, base::ShardId{i}, shards, derive(seed, i)));
  }
  for (const auto& shard : process_->shards) {
    world_.events_.at(world_.now(), [life = process_->self, main, shard = shard.get()] {
      if (const auto alive = life.lock()) shard->tasks().spawn(run_main(main, *shard, alive->mains_running));
    });
  }
}

bool SimHost::ended() const { return process_ == nullptr || process_->mains_running == 0; }

void SimHost::crash() {
  if (process_ == nullptr) return;
  for (const auto& shard : process_->shards) shard->tasks().cancel();
  for (const auto& shard : process_->shards) shard->discard_mail();
  process_.reset();
}

Shard& SimHost::shard(base::ShardId id) {
  STELE_CHECK(process_ != nullptr);
  return *process_->shards.at(id.value());
}

SimWorld::SimWorld(SimOptions options)
    : options_(options),
      events_(derive(options.seed, 1)),
      network_(events_, derive(options.seed, 2)),
      log_(std::make_unique<Log>(events_, options.log)) {}

SimWorld::~SimWorld() {
  for (const auto& [name, host] : hosts_) host->crash();
  events_.clear();
}

SimHost& SimWorld::add_host(const std::string& name) {
  network_.add_host(name);
  auto& host = hosts_[name];
  host = std::make_unique<SimHost>(*this, name, derive(options_.seed, 100 + hosts_.size()));
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
