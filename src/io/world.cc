#include "io/world.h"

#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "io/real_shard.h"
#include "io/stderr_log.h"

namespace stele::io {

struct World::Impl {
  explicit Impl(const WorldOptions& given)
      : options(given), stderr_log(given.log_level), helpers(given.offload_threads), mains_running(given.shards) {
    STELE_CHECK(options.shards > 0 && options.offload_threads > 0);
    for (uint32_t i = 0; i < options.shards; ++i) {
      shards.push_back(
          std::make_unique<RealShard>(base::ShardId{i}, options.shards, log(), helpers, options.send_buffer_bytes));
    }
    for (const auto& shard : shards) shard->connect_to(shards);
  }

  base::LogSink& log() { return options.log != nullptr ? *options.log : stderr_log; }

  void stop() {
    for (const auto& shard : shards) shard->stop();
  }

  static base::Task<void> run_main(Impl& impl, Main main, Shard& shard) {
    co_await main(shard);
    if (impl.mains_running.fetch_sub(1) == 1) impl.stop();
  }

  WorldOptions options;
  StderrLog stderr_log;
  HelperPool helpers;
  std::atomic<uint32_t> mains_running;
  std::vector<std::unique_ptr<RealShard>> shards;
  std::vector<std::thread> threads;
  int signal_fd = -1;  // until notify_termination() takes it
};

namespace {

// Blocks the signals before a thread of ours exists, so that all of them inherit it.
int block_termination() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  STELE_CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  const int fd = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  STELE_CHECK(fd >= 0, "signalfd: errno {}", errno);
  return fd;
}

// sendfile() knows no MSG_NOSIGNAL: what it raises on a connection that is gone stays pending on the thread.
void block_broken_pipes() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  STELE_CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
}

}  // namespace

World::World(WorldOptions options) {
  const int signal_fd = options.catch_termination ? block_termination() : -1;
  impl_ = std::make_unique<Impl>(options);
  impl_->signal_fd = signal_fd;
}

World::~World() {
  stop();
  join();
  if (impl_->signal_fd >= 0) ::close(impl_->signal_fd);
}

void World::start(Main main) {
  STELE_CHECK(impl_->threads.empty());
  for (const auto& shard : impl_->shards) {
    impl_->threads.emplace_back([impl = impl_.get(), shard = shard.get(), main] {
      block_broken_pipes();
      shard->tasks().spawn(Impl::run_main(*impl, main, *shard));
      shard->run();
    });
  }
}

void World::stop() { impl_->stop(); }

void World::join() {
  for (std::thread& thread : impl_->threads) {
    if (thread.joinable()) thread.join();
  }
  impl_->helpers.finish();
  for (const auto& shard : impl_->shards) shard->tasks().cancel();
  for (const auto& shard : impl_->shards) shard->discard_mail();
}

void World::notify_termination(base::Signal& signal) {
  STELE_CHECK(impl_->signal_fd >= 0, "the world was not made to catch termination, or gave it away already");
  RealShard& shard = *impl_->shards[0];
  shard.tasks().spawn(shard.forward_termination(std::exchange(impl_->signal_fd, -1), signal));
}

Shard& World::shard(base::ShardId id) { return *impl_->shards.at(id.value()); }
base::LogSink& World::log() { return impl_->log(); }

}  // namespace stele::io
