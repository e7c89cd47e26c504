#include "io/real_shard.h"

#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <utility>

#include "base/check.h"
#include "io/posix_file.h"
#include "io/tcp.h"

namespace stele::io {

namespace {

// Resumed coroutines between two looks at the sockets; the clock stands still meanwhile.
constexpr uint32_t kResumesPerTurn = 128;

int64_t nanoseconds(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

void end_on_fault(std::exception_ptr fault) { std::rethrow_exception(fault); }

// Work on its way to a helper, and home again as mail.
struct OffloadState {
  explicit OffloadState(base::Executor& executor) : done(executor) {}
  base::Signal done;
};

struct OffloadJob final : HelperPool::Job, Mail {
  OffloadJob(RealShard& shard, std::move_only_function<void()> function, std::shared_ptr<OffloadState> waiting)
      : home(shard), work(std::move(function)), state(std::move(waiting)) {}
  void run() override {
    work();
    MailBatch batch;
    batch.add(std::unique_ptr<Mail>{this});
    home.accept_mail(batch);
  }
  void deliver() override {
    const std::unique_ptr<OffloadJob> self{this};
    state->done.set();
  }
  RealShard& home;
  std::move_only_function<void()> work;
  std::shared_ptr<OffloadState> state;
};

}  // namespace

void RealClock::refresh() {
  now_ = read();
  wall_ = base::Timestamp{nanoseconds(CLOCK_REALTIME) / 1'000'000};
}

base::MonoTime RealClock::read() const { return base::MonoTime{base::Duration{nanoseconds(CLOCK_MONOTONIC)}}; }

uint64_t KernelRandom::next() {
  if (used_ == words_.size()) {
    const ssize_t got = ::getrandom(words_.data(), sizeof words_, 0);
    STELE_CHECK(got == static_cast<ssize_t>(sizeof words_), "getrandom gave {} bytes, errno {}", got, errno);
    used_ = 0;
  }
  return std::exchange(words_[used_++], 0);
}

RealShard::RealShard(base::ShardId id, uint32_t shard_count, base::LogSink& log, HelperPool& helpers,
                     int64_t send_buffer_bytes)
    : id_(id),
      shard_count_(shard_count),
      log_(log),
      helpers_(helpers),
      send_buffer_bytes_(send_buffer_bytes),
      timers_(clock_),
      outgoing_(shard_count),
      wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      tasks_(ready_, end_on_fault) {
  STELE_CHECK(wake_fd_ >= 0, "eventfd: errno {}", errno);
  tasks_.spawn(drain_wakeups());
}

void RealShard::connect_to(const std::vector<std::unique_ptr<RealShard>>& shards) {
  for (const auto& shard : shards) shards_.push_back(shard.get());
}

void RealShard::run() {
  clock_.refresh();
  awake_since_ = clock_.now();
  while (!stopping_.load()) turn();
}

void RealShard::turn() {
  clock_.refresh();
  deliver_mail();
  timers_.fire(clock_.now());
  ready_.run(kResumesPerTurn);
  flush_outgoing();
  wait_for_events();
}

void RealShard::deliver_mail() {
  for (Mail* mail = inbox_.take(); mail != nullptr;) {
    Mail* next = std::exchange(mail->next, nullptr);
    mail->deliver();
    ++counts_.mail;
    mail = next;
  }
}

void RealShard::flush_outgoing() {
  for (const uint32_t to : outgoing_to_) {
    if (shards_[to]->accept_mail(std::exchange(outgoing_[to], {}))) ++counts_.wakeups;
  }
  outgoing_to_.clear();
}

// Either the sender sees that this shard sleeps, or this shard sees the mail before it sleeps: both sides write first
// and read then, in one total order.
void RealShard::wait_for_events() {
  ++counts_.turns;
  if (!ready_.empty()) {
    reactor_.poll();
    return;
  }
  asleep_.store(true);
  if (!inbox_.empty() || stopping_.load()) {
    asleep_.store(false);
    reactor_.poll();
    return;
  }
  clock_.refresh();
  counts_.busy += clock_.now() - awake_since_;
  const base::Duration longest =
      timers_.empty() ? base::Duration{-1} : std::max(base::Duration::zero(), timers_.earliest() - clock_.now());
  reactor_.wait(longest);
  asleep_.store(false);
  awake_since_ = clock_.read();
}

bool RealShard::accept_mail(MailBatch batch) {
  inbox_.push(batch);
  return wake();
}

bool RealShard::wake() {
  if (!asleep_.exchange(false)) return false;
  const uint64_t one = 1;
  const ssize_t written = ::write(wake_fd_, &one, sizeof one);
  STELE_CHECK(written == sizeof one || errno == EAGAIN, "eventfd: errno {}", errno);
  return true;
}

void RealShard::stop() {
  stopping_.store(true);
  wake();
}

base::Task<void> RealShard::drain_wakeups() {
  base::Signal woken{ready_};
  Watch watch = reactor_.watch(wake_fd_);
  while (true) {
    watch.notify(Direction::kRead, &woken);
    co_await woken.wait();
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(wake_fd_, &count, sizeof count);
  }
}

base::Task<void> RealShard::forward_termination(int signal_fd, base::Signal& signal) {
  base::Signal arrived{ready_};
  Watch watch = reactor_.watch(signal_fd);
  while (true) {
    watch.notify(Direction::kRead, &arrived);
    co_await arrived.wait();
    signalfd_siginfo information;
    while (::read(signal_fd, &information, sizeof information) == sizeof information) signal.set();
  }
}

void RealShard::discard_mail() {
  inbox_.clear();
  for (MailBatch& batch : outgoing_) {
    for (Mail* mail = std::exchange(batch, {}).newest; mail != nullptr;) {
      const std::unique_ptr<Mail> owned{mail};
      mail = mail->next;
    }
  }
}

base::Result<std::unique_ptr<Listener>> RealShard::listen(const Endpoint& endpoint) {
  return listen_tcp(reactor_, endpoint, send_buffer_bytes_);
}
base::Task<base::Result<std::unique_ptr<Stream>>> RealShard::connect(Endpoint endpoint) {
  return connect_tcp(*this, reactor_, std::move(endpoint));
}
std::unique_ptr<Stream> RealShard::adopt(std::unique_ptr<DetachedStream> stream) {
  return adopt_tcp(*this, reactor_, std::move(stream));
}
std::unique_ptr<DetachedStream> RealShard::detach(std::unique_ptr<Stream> stream) {
  return detach_tcp(std::move(stream));
}
base::Task<base::Result<std::unique_ptr<Directory>>> RealShard::open_directory(std::string path, bool create) {
  return open_posix_directory(*this, std::move(path), create);
}

void RealShard::send(base::ShardId to, std::unique_ptr<Mail> mail) {
  STELE_CHECK(to.value() < shard_count_, "shard {} of {}", to.value(), shard_count_);
  MailBatch& batch = outgoing_[to.value()];
  if (batch.empty()) outgoing_to_.push_back(to.value());
  batch.add(std::move(mail));
}

base::Task<void> RealShard::offload(std::move_only_function<void()> work) {
  auto state = std::make_shared<OffloadState>(ready_);
  helpers_.submit(std::make_unique<OffloadJob>(*this, std::move(work), state));
  co_await state->done.wait();
}

}  // namespace stele::io
