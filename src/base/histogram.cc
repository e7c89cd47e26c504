#include "base/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"

namespace stele::base {

namespace {

constexpr unsigned kSubBits = 4;
constexpr uint64_t kSubBuckets = uint64_t{1} << kSubBits;

}  // namespace

size_t Histogram::bucket_of(uint64_t value) {
  value = std::min(value, kLargest);
  if (value < kSubBuckets) return value;
  const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kSubBits;
  return (uint64_t{shift} << kSubBits) + (value >> shift);
}

uint64_t Histogram::largest_of(size_t bucket) {
  STELE_CHECK(bucket < kBuckets);
  if (bucket < 2 * kSubBuckets) return bucket;
  const uint64_t shift = (bucket >> kSubBits) - 1;
  const uint64_t first = (kSubBuckets + (bucket & (kSubBuckets - 1))) << shift;
  return first + (uint64_t{1} << shift) - 1;
}

void Histogram::merge(const Histogram& other) {
  for (size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
}

Histogram Histogram::since(const Histogram& earlier) const {
  Histogram out = *this;
  for (size_t i = 0; i < kBuckets; ++i) out.buckets_[i] -= earlier.buckets_[i];
  out.count_ -= earlier.count_;
  out.sum_ -= earlier.sum_;
  return out;
}

uint64_t Histogram::quantile(double rank) const {
  if (count_ == 0) return 0;
  const auto wanted = std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(rank * static_cast<double>(count_))));
  uint64_t seen = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= wanted) return largest_of(i);
  }
  return kLargest;
}

void Histogram::add_to_bucket(size_t bucket, uint64_t count) {
  STELE_CHECK(bucket < kBuckets);
  buckets_[bucket] += count;
  count_ += count;
  sum_ += count * largest_of(bucket);
}

}  // namespace stele::base
