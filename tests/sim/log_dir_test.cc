// A broker with several log dirs of which one fails: the partitions there are refused, the others go on.
#include <gtest/gtest.h>

#include "sim/broker_world.h"
#include "sim/client.h"

namespace stele::sim {
namespace {

using base::Task;
using std::chrono::seconds;

constexpr int16_t kStorageError = 56;
constexpr int32_t kPartitions = 6;
const std::string kTopic = "two-dirs";

// The code of a produce to each partition, with how many partitions it was.
using Codes = std::map<int16_t, int>;

Task<void> make_topic(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  EXPECT_EQ(co_await client->create_topic(kTopic, kPartitions), 0);
}

Task<void> produce_everywhere(io::Shard& shard, Codes& codes) {
  const auto client = co_await connect_patiently(shard);
  for (int32_t i = 0; i < kPartitions; ++i) {
    ++codes[(co_await client->produce(kTopic, i, 1, {.values = {"value"}})).code];
  }
}

class LogDirTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  void SetUp() override {
    world_.start();
    EXPECT_TRUE(world_.run([](io::Shard& shard) { return make_topic(shard); }));
    EXPECT_EQ(produced(), (Codes{{0, kPartitions}}));
  }
  void TearDown() override {
    if (HasFailure()) std::fprintf(stderr, "%s", world_.lines().text().c_str());
  }
  void fail_syncs(const std::string& dir) {
    io::DiskFaults faults;
    faults.sync_error = io::kAlways;
    world_.broker_host().disk().set_faults(dir, faults);
  }
  Codes produced() {
    Codes codes;
    EXPECT_TRUE(world_.run([&codes](io::Shard& shard) { return produce_everywhere(shard, codes); }));
    return codes;
  }

  BrokerWorld world_{{.seed = 11, .shards = GetParam(), .config = {{"log.dirs", "/data/one,/data/two"}}}};
};

TEST_P(LogDirTest, a_dir_whose_checkpoint_cannot_be_synced_refuses_records) {
  fail_syncs("/data/two");
  world_.pass(seconds{10});  // no record comes: the checkpoint alone meets the fault
  EXPECT_TRUE(world_.lines().mention("log dir /data/two is offline"));
  EXPECT_EQ(produced(), (Codes{{0, kPartitions / 2}, {kStorageError, kPartitions / 2}}));
  EXPECT_EQ(world_.stop(), 0);
}

TEST_P(LogDirTest, a_broker_ends_when_the_checkpoint_of_the_metadata_dir_cannot_be_synced) {
  fail_syncs("/data/one");
  world_.pass(seconds{10});
  EXPECT_TRUE(world_.lines().mention("log dir /data/one is offline"));
  EXPECT_EQ(world_.stop(), 1);
}

INSTANTIATE_TEST_SUITE_P(Shards, LogDirTest, ::testing::Values(1U, 3U));

}  // namespace
}  // namespace stele::sim
