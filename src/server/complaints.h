// Log lines about what peers do. A peer must not be able to fill the log: beyond a few lines a second they are counted,
// and the count is told. Owned by a shard, used on it alone.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/log_sink.h"

namespace stele::server {

class Complaints {
 public:
  // `lines_per_second`: stele.log.complaints.per.second.
  Complaints(base::LogSink& log, const base::Clock& clock, size_t lines_per_second)
      : log_(log), clock_(clock), lines_max_(lines_per_second) {}

  template <class... Args>
  void warn(fmt::format_string<Args...> format, Args&&... args) {
    say(base::LogLevel::kWarn, format, std::forward<Args>(args)...);
  }
  template <class... Args>
  void info(fmt::format_string<Args...> format, Args&&... args) {
    say(base::LogLevel::kInfo, format, std::forward<Args>(args)...);
  }
  // Tells of lines left out in a second that is over. To be called now and then.
  void settle() {
    if (clock_.now() < window_end_ || left_out_ == 0) return;
    log_.warn("{} more lines about clients were left out (stele.log.complaints.per.second)", left_out_);
    left_out_ = 0;
  }
  uint64_t total() const { return total_; }

 private:
  template <class... Args>
  void say(base::LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
    ++total_;
    if (admit()) log_.log(level, format, std::forward<Args>(args)...);
  }
  bool admit() {
    const base::MonoTime now = clock_.now();
    if (now >= window_end_) {
      settle();
      window_end_ = now + std::chrono::seconds{1};
      lines_ = 0;
    }
    if (lines_ >= lines_max_) {
      ++left_out_;
      return false;
    }
    ++lines_;
    return true;
  }

  base::LogSink& log_;
  const base::Clock& clock_;
  size_t lines_max_;
  size_t lines_ = 0;
  uint64_t left_out_ = 0;
  uint64_t total_ = 0;
  base::MonoTime window_end_{};
};

}  // namespace stele::server
