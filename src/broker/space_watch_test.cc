#include "broker/space_watch.h"

#include <gtest/gtest.h>

namespace stele::broker {
namespace {

constexpr uint64_t kMiB = 1 << 20;
io::Space free_of(uint64_t free_mib, uint64_t total_mib = 100'000) { return {total_mib * kMiB, free_mib * kMiB}; }

TEST(SpaceWatch, refuses_below_the_limit_and_serves_again_once_a_quarter_more_is_free) {
  SpaceWatch watch(static_cast<int64_t>(1000 * kMiB));
  EXPECT_EQ(watch.saw(free_of(1000)), SpaceLevel::kEnough);
  EXPECT_EQ(watch.saw(free_of(999)), SpaceLevel::kNearFull);
  EXPECT_EQ(watch.saw(free_of(1249)), SpaceLevel::kNearFull) << "no change to and fro at the limit";
  EXPECT_EQ(watch.saw(free_of(1250)), SpaceLevel::kEnough);
}

TEST(SpaceWatch, keeps_a_reserve_for_what_must_go_on) {
  SpaceWatch watch(static_cast<int64_t>(1000 * kMiB));
  EXPECT_EQ(watch.saw(free_of(250)), SpaceLevel::kNearFull);
  EXPECT_EQ(watch.saw(free_of(249)), SpaceLevel::kReserveUsed);
  EXPECT_EQ(watch.saw(free_of(312)), SpaceLevel::kReserveUsed);
  EXPECT_EQ(watch.saw(free_of(313)), SpaceLevel::kNearFull);
  EXPECT_EQ(watch.saw(free_of(1250)), SpaceLevel::kEnough);
}

TEST(SpaceWatch, takes_a_twentieth_of_a_small_file_system_and_1_gib_of_a_large_one) {
  SpaceWatch small(-1);
  EXPECT_EQ(small.saw(free_of(50, 1000)), SpaceLevel::kEnough);
  EXPECT_EQ(small.saw(free_of(49, 1000)), SpaceLevel::kNearFull);
  SpaceWatch large(-1);
  EXPECT_EQ(large.saw(free_of(1024)), SpaceLevel::kEnough);
  EXPECT_EQ(large.saw(free_of(1023)), SpaceLevel::kNearFull);
}

TEST(SpaceWatch, a_write_that_found_no_space_refuses_until_there_is_some_whatever_the_limit) {
  SpaceWatch watch(0);
  EXPECT_EQ(watch.saw(free_of(0)), SpaceLevel::kEnough) << "no limit";
  watch.ran_out();
  EXPECT_EQ(watch.level(), SpaceLevel::kNearFull);
  EXPECT_EQ(watch.saw(free_of(124)), SpaceLevel::kNearFull);
  EXPECT_EQ(watch.saw(free_of(125)), SpaceLevel::kEnough);
  EXPECT_EQ(watch.saw(free_of(0)), SpaceLevel::kEnough);
}

}  // namespace
}  // namespace stele::broker
