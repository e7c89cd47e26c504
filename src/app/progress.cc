#include "app/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "app/common_options.h"

namespace stele::app {

std::string rate_text(std::string_view noun, uint64_t count, uint64_t bytes, double seconds) {
  const double divisor = std::max(seconds, 0.001);
  return fmt::format("{} {}, {} in {:.1f} s ({} {}/s, {}/s)", human_count(count), noun,
                     human_bytes(static_cast<double>(bytes)), seconds,
                     human_count(static_cast<uint64_t>(static_cast<double>(count) / divisor)), noun,
                     human_bytes(static_cast<double>(bytes) / divisor));
}

void Progress::show() {
  const Clock::time_point now = Clock::now();
  if (quiet_ || now < due_) return;
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  due_ = now + std::chrono::seconds{terminal ? 1 : 10};
  std::string line = summary();
  if (bytes_expected_ > 0) {
    const double done = static_cast<double>(bytes_) / static_cast<double>(bytes_expected_);
    line += fmt::format(", {:.0f} % of {}", done * 100, human_bytes(static_cast<double>(bytes_expected_)));
  }
  fmt::print(stderr, "{}{}{}", terminal ? "\r\x1b[K" : "", line, terminal ? "" : "\n");
  std::fflush(stderr);
  open_line_ = terminal;
}

void Progress::finish() {
  if (open_line_) fmt::print(stderr, "\r\x1b[K");
  open_line_ = false;
}

double Progress::seconds() const { return std::chrono::duration<double>(Clock::now() - started_).count(); }

std::string Progress::summary() const { return rate_text(noun_, count_, bytes_, seconds()); }

}  // namespace stele::app
