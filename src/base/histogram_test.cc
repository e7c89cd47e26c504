#include "base/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace stele::base {
namespace {

TEST(Histogram, every_value_lies_in_its_bucket) {
  for (uint64_t value = 0; value <= Histogram::kLargest; value += 1 + value / 7) {
    const size_t bucket = Histogram::bucket_of(value);
    EXPECT_LE(value, Histogram::largest_of(bucket));
    if (bucket > 0) EXPECT_GT(value, Histogram::largest_of(bucket - 1));
  }
}

TEST(Histogram, buckets_meet_without_gaps_and_end_at_the_largest) {
  for (size_t bucket = 1; bucket < Histogram::kBuckets; ++bucket) {
    EXPECT_EQ(Histogram::bucket_of(Histogram::largest_of(bucket)), bucket);
    EXPECT_EQ(Histogram::bucket_of(Histogram::largest_of(bucket - 1) + 1), bucket);
  }
  EXPECT_EQ(Histogram::largest_of(Histogram::kBuckets - 1), Histogram::kLargest);
  EXPECT_EQ(Histogram::bucket_of(~uint64_t{0}), Histogram::kBuckets - 1);
}

TEST(Histogram, a_quantile_is_told_to_six_percent) {
  Histogram histogram;
  for (uint64_t value = 1; value <= 100'000; ++value) histogram.add(value);
  for (const double rank : {0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const double exact = rank * 100'000;
    EXPECT_GE(static_cast<double>(histogram.quantile(rank)), exact);
    EXPECT_LE(static_cast<double>(histogram.quantile(rank)), exact * 1.07);
  }
  EXPECT_EQ(histogram.count(), 100'000U);
  EXPECT_EQ(histogram.sum(), uint64_t{100'000} * 100'001 / 2);
}

TEST(Histogram, of_nothing_is_zero) {
  EXPECT_EQ(Histogram{}.quantile(0.99), 0U);
  EXPECT_EQ(Histogram{}.count(), 0U);
}

TEST(Histogram, one_value_in_a_thousand_is_the_last_one) {
  Histogram histogram;
  for (int i = 0; i < 999; ++i) histogram.add(10);
  histogram.add(1000);
  EXPECT_EQ(histogram.quantile(0.999), 10U);
  EXPECT_GE(histogram.quantile(0.9991), 1000U);
}

TEST(Histogram, what_came_since_a_copy) {
  Histogram histogram;
  histogram.add(5);
  const Histogram earlier = histogram;
  histogram.add(7);
  histogram.add(7);
  const Histogram since = histogram.since(earlier);
  EXPECT_EQ(since.count(), 2U);
  EXPECT_EQ(since.sum(), 14U);
  EXPECT_EQ(since.quantile(0.01), 7U);
  Histogram merged = earlier;
  merged.merge(since);
  EXPECT_TRUE(std::ranges::equal(merged.buckets(), histogram.buckets()));
}

}  // namespace
}  // namespace stele::base
