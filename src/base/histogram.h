// How often values fell where: a table of buckets, each a sixteenth of the power of two that it lies in, so that a
// value is told to 6 %.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace stele::base {

// Values of any unit. Not thread-safe. 5 KiB.
class Histogram {
 public:
  static constexpr size_t kBuckets = 640;
  // Values above land in the last bucket; in nanoseconds they are more than two hours.
  static constexpr uint64_t kLargest = (uint64_t{1} << 43) - 1;

  void add(uint64_t value) {
    ++buckets_[bucket_of(value)];
    ++count_;
    sum_ += value;
  }
  void merge(const Histogram& other);
  // What came since `earlier`, a copy of this one.
  Histogram since(const Histogram& earlier) const;

  uint64_t count() const { return count_; }
  uint64_t sum() const { return sum_; }
  // The largest value of the bucket that the value of that rank (0 to 1) fell into; 0 where there is none.
  uint64_t quantile(double rank) const;
  std::span<const uint64_t, kBuckets> buckets() const { return buckets_; }
  // For one that was told bucket by bucket; values count as the largest of their bucket.
  void add_to_bucket(size_t bucket, uint64_t count);

  static size_t bucket_of(uint64_t value);
  static uint64_t largest_of(size_t bucket);

 private:
  std::array<uint64_t, kBuckets> buckets_{};
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
};

}  // namespace stele::base
