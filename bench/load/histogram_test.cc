#include "load/histogram.h"

#include <gtest/gtest.h>

#include <memory>

namespace stele::bench {
namespace {

TEST(Histogram, tells_every_quantile_within_a_hundredth) {
  auto histogram = std::make_unique<Histogram>();
  for (int64_t i = 1; i <= 1'000'000; ++i) histogram->record(i);
  for (const double quantile : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999}) {
    const double exact = quantile * 1e6;
    EXPECT_GE(static_cast<double>(histogram->at(quantile)), exact);
    EXPECT_LE(static_cast<double>(histogram->at(quantile)), exact * 1.01);
  }
  EXPECT_EQ(histogram->at(1), 1'000'000U);
  EXPECT_EQ(histogram->max(), 1'000'000U);
}

TEST(Histogram, is_exact_below_a_hundred_and_twenty_eight) {
  Histogram histogram;
  for (const int64_t value : {0, 1, 5, 127}) histogram.record(value);
  EXPECT_EQ(histogram.at(0.25), 0U);
  EXPECT_EQ(histogram.at(0.5), 1U);
  EXPECT_EQ(histogram.at(0.75), 5U);
  EXPECT_EQ(histogram.at(1), 127U);
}

TEST(Histogram, takes_the_largest_and_what_is_below_nothing) {
  Histogram histogram;
  histogram.record(INT64_MAX);
  histogram.record(-1);
  EXPECT_EQ(histogram.at(0.5), 0U);
  EXPECT_EQ(histogram.at(1), static_cast<uint64_t>(INT64_MAX));
}

}  // namespace
}  // namespace stele::bench
