// How far long work has come, for the person who waits: lines on standard error, none for work that is soon over.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace stele::app {

class Progress {
 public:
  // `noun` is what is counted ("records"). `quiet`: nothing is ever written.
  Progress(std::string_view noun, bool quiet) : noun_(noun), quiet_(quiet) {}

  // The whole, where it is known: then lines tell how much of it is done.
  void expect_bytes(uint64_t bytes) { bytes_expected_ = bytes; }
  void add(uint64_t count, uint64_t bytes) {
    count_ += count;
    bytes_ += bytes;
  }
  // Writes a line where one is due: the first after two seconds, then one a second on a terminal, one in ten elsewhere.
  void show();
  // Ends a line that show() left open on a terminal.
  void finish();

  uint64_t count() const { return count_; }
  uint64_t bytes() const { return bytes_; }
  double seconds() const;
  // "12,345 records, 1.2 MiB in 3.4 s (3,631 records/s, 361.4 KiB/s)"
  std::string summary() const;

 private:
  using Clock = std::chrono::steady_clock;

  std::string_view noun_;
  bool quiet_;
  bool open_line_ = false;
  uint64_t count_ = 0;
  uint64_t bytes_ = 0;
  uint64_t bytes_expected_ = 0;
  Clock::time_point started_ = Clock::now();
  Clock::time_point due_ = started_ + std::chrono::seconds{2};
};

// The same as a function of numbers, for tests.
std::string rate_text(std::string_view noun, uint64_t count, uint64_t bytes, double seconds);

}  // namespace stele::app
