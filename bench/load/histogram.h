// Durations in nanoseconds, counted in buckets whose width is at most 1/128 of their value: no allocation to record.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace stele::bench {

class Histogram {
 public:
  void record(int64_t nanoseconds) {
    const auto value = static_cast<uint64_t>(std::max<int64_t>(nanoseconds, 0));
    ++counts_[std::min(bucket_of(value), kBuckets - 1)];
    ++count_;
    max_ = std::max(max_, value);
  }

  uint64_t count() const { return count_; }
  uint64_t max() const { return max_; }

  // The upper end of the bucket in which the share `quantile` (0 to 1) of all values is reached.
  uint64_t at(double quantile) const {
    const auto wanted = std::max<uint64_t>(1, static_cast<uint64_t>(quantile * static_cast<double>(count_) + 0.5));
    uint64_t seen = 0;
    for (size_t i = 0; i < kBuckets; ++i) {
      seen += counts_[i];
      if (seen >= wanted) return std::min(end_of(i), max_);
    }
    return max_;
  }

 private:
  // Below 128 a bucket a value; above, 128 buckets for each power of two.
  static constexpr int kBits = 7;
  static constexpr size_t kStep = size_t{1} << kBits;
  static constexpr size_t kBuckets = kStep * (64 - kBits);

  static size_t bucket_of(uint64_t value) {
    if (value < kStep) return value;
    const int shift = static_cast<int>(std::bit_width(value)) - 1 - kBits;
    return kStep * static_cast<size_t>(shift) + (value >> shift);
  }
  static uint64_t end_of(size_t bucket) {
    if (bucket < 2 * kStep) return bucket;
    const size_t shift = bucket / kStep - 1;
    return ((bucket - kStep * shift + 1) << shift) - 1;
  }

  std::array<uint64_t, kBuckets> counts_{};
  uint64_t count_ = 0;
  uint64_t max_ = 0;
};

}  // namespace stele::bench
