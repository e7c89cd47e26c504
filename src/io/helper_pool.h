// Threads that do what would hold up a loop.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace stele::io {

class HelperPool {
 public:
  class Job {
   public:
    virtual ~Job() = default;
    virtual void run() = 0;  // on a helper thread; owns itself from here
  };

  explicit HelperPool(uint32_t threads);
  HelperPool(const HelperPool&) = delete;
  HelperPool& operator=(const HelperPool&) = delete;
  ~HelperPool();  // finish()

  // From any thread.
  void submit(std::unique_ptr<Job> job);
  // Runs what was submitted to its end, and ends the threads. Nothing is submitted afterwards.
  void finish();

 private:
  void serve();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Job>> waiting_;
  bool finishing_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace stele::io
