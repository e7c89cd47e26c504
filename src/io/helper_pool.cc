#include "io/helper_pool.h"

#include <utility>

namespace stele::io {

HelperPool::HelperPool(uint32_t threads) {
  for (uint32_t i = 0; i < threads; ++i) threads_.emplace_back([this] { serve(); });
}

HelperPool::~HelperPool() { finish(); }

void HelperPool::submit(std::unique_ptr<Job> job) {
  {
    const std::lock_guard lock{mutex_};
    waiting_.push_back(std::move(job));
  }
  changed_.notify_one();
}

void HelperPool::finish() {
  {
    const std::lock_guard lock{mutex_};
    finishing_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void HelperPool::serve() {
  while (true) {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [this] { return finishing_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    std::unique_ptr<Job> job = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    job.release()->run();
  }
}

}  // namespace stele::io
