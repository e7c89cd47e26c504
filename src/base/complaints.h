// Log lines about what peers do, and the limits that they meet. A peer must not be able to fill the log: beyond a few
// lines a second they are counted, and the count is told. One for each shard, used on it alone.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/limit.h"
#include "base/log_sink.h"

namespace stele::base {

class Complaints {
 public:
  // Both outlive it.
  Complaints(LogSink& log, const Clock& clock) : log_(log), clock_(clock) {}

  // stele.log.complaints.per.second.
  void set_lines_per_second(size_t lines) { lines_max_ = lines; }

  // A peer did wrong: counted, and told while lines are left.
  template <class... Args>
  void warn(fmt::format_string<Args...> format, Args&&... args) {
    ++total_;
    say(LogLevel::kWarn, format, std::forward<Args>(args)...);
  }
  // A peer did what is told of, and is not to blame.
  template <class... Args>
  void info(fmt::format_string<Args...> format, Args&&... args) {
    say(LogLevel::kInfo, format, std::forward<Args>(args)...);
  }
  // Something failed that a peer can make fail again and again.
  template <class... Args>
  void error(fmt::format_string<Args...> format, Args&&... args) {
    say(LogLevel::kError, format, std::forward<Args>(args)...);
  }
  // A peer met a limit: as warn(), and the line ends with the name of its option. One line a second for each limit: a
  // peer that meets one with every request leaves the other lines to the others.
  template <class... Args>
  void reached(Limit limit, fmt::format_string<Args...> format, Args&&... args) {
    count(limit);
    ++total_;
    if (!log_.enabled(LogLevel::kWarn) || !admit(quiet_until_[static_cast<size_t>(limit)])) return;
    std::string line = fmt::format(format, std::forward<Args>(args)...);
    line.append(" (").append(option_of(limit)).append(")");
    log_.write(LogLevel::kWarn, line);
  }
  // A limit at which a line would only be noise.
  void count(Limit limit) { limits_.count(limit); }

  // Tells of lines left out in a second that is over. To be called now and then.
  void settle() {
    if (clock_.now() < window_end_ || left_out_ == 0) return;
    log_.warn("{} more lines about clients were left out (stele.log.complaints.per.second)", left_out_);
    left_out_ = 0;
  }
  uint64_t total() const { return total_; }
  const LimitCounts& limits() const { return limits_; }

 private:
  template <class... Args>
  void say(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
    if (log_.enabled(level) && admit()) log_.log(level, format, std::forward<Args>(args)...);
  }
  bool admit(MonoTime& quiet_until) {
    if (clock_.now() < quiet_until) {
      ++left_out_;
      return false;
    }
    if (!admit()) return false;
    quiet_until = window_end_;
    return true;
  }
  bool admit() {
    const MonoTime now = clock_.now();
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

  LogSink& log_;
  const Clock& clock_;
  size_t lines_max_ = 10;
  size_t lines_ = 0;
  uint64_t left_out_ = 0;
  uint64_t total_ = 0;
  MonoTime window_end_{};
  LimitCounts limits_;
  std::array<MonoTime, kLimitOptions.size()> quiet_until_{};
};

}  // namespace stele::base
