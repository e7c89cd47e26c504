// A shard of the production world: a thread's loop.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/complaints.h"
#include "io/helper_pool.h"
#include "io/mailbox.h"
#include "io/reactor.h"
#include "io/shard.h"
#include "io/timer_queue.h"

namespace stele::io {

class RealClock final : public base::Clock {
 public:
  RealClock() { refresh(); }
  void refresh();
  base::MonoTime now() const override { return now_; }
  base::MonoTime read() const override;
  base::Timestamp wall() const override { return wall_; }

 private:
  base::MonoTime now_;
  base::Timestamp wall_;
};

// The kernel's randomness, fetched a few hundred bytes at a time.
class KernelRandom final : public base::Random {
 public:
  uint64_t next() override;

 private:
  std::array<uint64_t, 32> words_;
  size_t used_ = words_.size();
};

class ReadyQueue final : public base::Executor {
 public:
  void post(base::Waiter& waiter) override { ready_.push_back(waiter); }
  void defer(base::Waiter& waiter) override { deferred_.push_back(waiter); }
  bool empty() const { return ready_.empty() && deferred_.empty(); }
  // So many of those who are ready, then one of those who gave way: these go on however busy the others are, and keep
  // them waiting for one slice at most.
  void run(uint32_t resumes_max) {
    for (uint32_t i = 0; i < resumes_max; ++i) {
      base::Waiter* waiter = ready_.pop_front();
      if (waiter == nullptr) break;
      waiter->handle.resume();
    }
    if (base::Waiter* waiter = deferred_.pop_front()) waiter->handle.resume();
  }

 private:
  base::IntrusiveList<base::Waiter> ready_;
  base::IntrusiveList<base::Waiter> deferred_;
};

class RealShard final : public Shard {
 public:
  RealShard(base::ShardId id, uint32_t shard_count, base::LogSink& log, HelperPool& helpers, int64_t send_buffer_bytes);

  // Another shard is reached through its pointer; called before any of them runs.
  void connect_to(const std::vector<std::unique_ptr<RealShard>>& shards);
  // The loop. Returns after stop().
  void run();
  // From any thread.
  void stop();
  // From any thread.
  // True where the loop slept and had to be woken.
  bool accept_mail(MailBatch batch);
  // Tasks of io/ itself and the shard's main live here. On the loop's thread, or while no thread runs.
  base::TaskScope& tasks() { return tasks_; }
  // Destroys mail that is still under way; while no thread runs.
  void discard_mail();
  // Sets the signal whenever a termination signal arrives on the descriptor of signalfd(2).
  base::Task<void> forward_termination(int signal_fd, base::Signal& signal);

  base::ShardId id() const override { return id_; }
  uint32_t shard_count() const override { return shard_count_; }
  base::Executor& executor() override { return ready_; }
  base::Clock& clock() override { return clock_; }
  base::Random& random() override { return random_; }
  base::LogSink& log() override { return log_; }
  base::Complaints& complaints() override { return complaints_; }
  std::unique_ptr<Timer> make_timer() override { return timers_.make(); }
  base::Result<std::unique_ptr<Listener>> listen(const Endpoint& endpoint) override;
  base::Task<base::Result<std::unique_ptr<Stream>>> connect(Endpoint endpoint) override;
  std::unique_ptr<Stream> adopt(std::unique_ptr<DetachedStream> stream) override;
  std::unique_ptr<DetachedStream> detach(std::unique_ptr<Stream> stream) override;
  base::Task<base::Result<std::unique_ptr<Directory>>> open_directory(std::string path, bool create) override;
  void send(base::ShardId to, std::unique_ptr<Mail> mail) override;
  base::Task<void> offload(std::move_only_function<void()> work) override;
  LoopCounts& counts() override { return counts_; }
  bool maybe(const char*) override { return false; }
  void mark(const char*) override {}

 private:
  void turn();
  void deliver_mail();
  void flush_outgoing();
  void wait_for_events();
  bool wake();
  base::Task<void> drain_wakeups();

  const base::ShardId id_;
  const uint32_t shard_count_;
  base::LogSink& log_;
  HelperPool& helpers_;
  int64_t send_buffer_bytes_;
  RealClock clock_;
  base::Complaints complaints_{log_, clock_};
  KernelRandom random_;
  Reactor reactor_;
  TimerQueue timers_;
  LoopCounts counts_;
  base::MonoTime awake_since_;
  ReadyQueue ready_;
  Inbox inbox_;
  std::vector<RealShard*> shards_;
  std::vector<MailBatch> outgoing_;    // one for each shard
  std::vector<uint32_t> outgoing_to_;  // those that are not empty
  int wake_fd_;                        // owned by the watch in drain_wakeups()
  std::atomic<bool> asleep_{false};    // a sender that turns it false writes to wake_fd_
  std::atomic<bool> stopping_{false};
  base::TaskScope tasks_;
};

}  // namespace stele::io
