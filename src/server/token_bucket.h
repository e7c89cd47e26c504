// A rate: so many a second, and after a pause as many at once.
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace stele::server {

class TokenBucket {
 public:
  // Begins full.
  explicit TokenBucket(double per_second) : per_second_(per_second), tokens_(per_second) {}

  void set_rate(double per_second) {
    per_second_ = per_second;
    tokens_ = std::min(tokens_, per_second);
  }
  // Takes one if there is one; else how long until there is. A rate of 0 never has one.
  base::Duration take(base::MonoTime now) {
    using Seconds = std::chrono::duration<double>;
    tokens_ = std::min(std::max(per_second_, 1.0), tokens_ + Seconds{now - last_}.count() * per_second_);
    last_ = now;
    if (tokens_ >= 1) {
      tokens_ -= 1;
      return {};
    }
    const double wait = per_second_ > 0 ? std::min((1 - tokens_) / per_second_, 60.0) : 60.0;
    return std::max(std::chrono::duration_cast<base::Duration>(Seconds{wait}), base::Duration{1});
  }

 private:
  double per_second_;
  double tokens_;
  base::MonoTime last_{};
};

}  // namespace stele::server
