// What one measured stretch of load came to.
#pragma once

#include <cstdint>
#include <string>

#include "load/histogram.h"
#include "load/process.h"

namespace stele::bench {

struct Phase {
  int64_t requests = 0;
  int64_t records = 0;
  int64_t batch_bytes = 0;
  int64_t uncompressed_bytes = 0;
  Histogram latency;
  Usage before, after;
  int64_t resident = 0;

  double seconds() const { return static_cast<double>(after.at - before.at) / 1e9; }
  // One line of JSON.
  std::string json() const;
};

}  // namespace stele::bench
