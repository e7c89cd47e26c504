// Requests whose few bytes ask for many: what they name again and again is answered once, and what they unfold to has a
// limit.
#include <gtest/gtest.h>

#include "sim/broker_world.h"
#include "sim/client.h"
#include "wire/describe_configs_request.h"
#include "wire/describe_configs_response.h"
#include "wire/describe_groups_request.h"
#include "wire/describe_groups_response.h"
#include "wire/metadata_request.h"
#include "wire/metadata_response.h"
#include "wire/offset_commit_request.h"
#include "wire/offset_commit_response.h"
#include "wire/offset_fetch_request.h"
#include "wire/offset_fetch_response.h"

namespace stele::sim {
namespace {

using base::Task;

const std::string kTopic = "many";
constexpr int8_t kGroupResource = 32;
constexpr int16_t kUnknownTopicOrPartition = 3;
constexpr int16_t kNotCoordinator = 16;  // nobody has asked for one yet

class MultipliedTest : public ::testing::Test {
 protected:
  void start(config::ConfigMap config) {
    world_ = std::make_unique<BrokerWorld>(WorldOptions{.seed = 5, .shards = 2, .config = std::move(config)});
    world_->start();
    EXPECT_TRUE(world_->run([](io::Shard& shard) { return make_topic(shard); }));
  }
  static Task<void> make_topic(io::Shard& shard) {
    const auto client = co_await connect_patiently(shard);
    EXPECT_EQ(co_await client->create_topic(kTopic, 6), 0);
  }
  void TearDown() override {
    EXPECT_EQ(world_->stop(), 0);
    if (HasFailure()) std::fprintf(stderr, "%s", world_->lines().text().c_str());
  }
  std::unique_ptr<BrokerWorld> world_;
};

Task<base::TopicId> id_of_topic(Client& client) {
  wire::MetadataRequest ask;
  ask.topics.emplace().emplace_back().name = kTopic;
  const auto known = co_await client.call<wire::MetadataResponse>(ask, 12);
  co_return known->topics.front().topic_id;
}

Task<void> name_one_id_often(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  const base::TopicId id = co_await id_of_topic(*client);
  wire::MetadataRequest ask;
  ask.topics.emplace();
  for (int i = 0; i < 1000; ++i) ask.topics->emplace_back().topic_id = id;
  const auto answer = co_await client->call<wire::MetadataResponse>(ask, 12);
  EXPECT_EQ(answer->topics.size(), 1U);
  EXPECT_EQ(answer->topics.front().partitions.size(), 6U);
}

TEST_F(MultipliedTest, a_topic_named_by_its_id_again_and_again_is_told_once) {
  start({});
  EXPECT_TRUE(world_->run([](io::Shard& shard) { return name_one_id_often(shard); }));
}

Task<void> name_one_group_often(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  wire::DescribeGroupsRequest describe;
  wire::OffsetFetchRequest fetch;
  for (int i = 0; i < 100; ++i) {
    for (const char* const group : {"one", "other"}) {
      describe.groups.emplace_back(group);
      fetch.groups.emplace_back().group_id = group;
    }
  }
  const auto described = co_await client->call<wire::DescribeGroupsResponse>(describe, 5);
  EXPECT_EQ(described->groups.size(), 2U);
  const auto fetched = co_await client->call<wire::OffsetFetchResponse>(fetch, 8);
  EXPECT_EQ(fetched->groups.size(), 2U);
}

TEST_F(MultipliedTest, a_group_named_again_and_again_is_told_once) {
  start({});
  EXPECT_TRUE(world_->run([](io::Shard& shard) { return name_one_group_often(shard); }));
}

Task<void> describe_many_groups(io::Shard& shard, int count, bool taken) {
  const auto client = co_await connect_patiently(shard);
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.push_back(std::to_string(i));
  wire::DescribeConfigsRequest ask;
  for (const std::string& name : names) {
    auto& resource = ask.resources.emplace_back();
    resource.resource_type = kGroupResource;
    resource.resource_name = name;
    resource.configuration_keys.reset();
  }
  const auto answer = co_await client->call<wire::DescribeConfigsResponse>(ask, 4);
  EXPECT_EQ(static_cast<bool>(answer), taken);
}

TEST_F(MultipliedTest, stele_request_memory_max_ends_a_request_whose_answer_grows_without_end) {
  start({{"stele.request.memory.max", "1048576"}});
  EXPECT_TRUE(world_->run([](io::Shard& shard) { return describe_many_groups(shard, 20, true); }));
  EXPECT_FALSE(world_->lines().mention("stele.request.memory.max"));
  EXPECT_TRUE(world_->run([](io::Shard& shard) { return describe_many_groups(shard, 20'000, false); }));
  EXPECT_TRUE(world_->lines().mention("more than 1048576 bytes of memory (stele.request.memory.max)"));
  EXPECT_NE(world_->metrics().find("stele_limit_reached_total{option=\"stele.request.memory.max\"} 1\n"),
            std::string::npos);
}

// Topics that are known and topics that are not, partitions that are there and that are not, all of them twice.
Task<void> commit_this_and_that(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  wire::OffsetCommitRequest commit;
  commit.group_id = "one";
  commit.generation_id_or_member_epoch = -1;
  for (const char* const name : {"unknown", "many", "unknown", "many"}) {
    auto& topic = commit.topics.emplace_back();
    topic.name = name;
    for (const int32_t partition : {0, 77}) {
      auto& one = topic.partitions.emplace_back();
      one.partition_index = partition;
      one.committed_offset = 5;
    }
  }
  const auto answer = co_await client->call<wire::OffsetCommitResponse>(commit, 8);
  EXPECT_EQ(answer->topics.size(), 2U);
  std::map<std::pair<std::string, int32_t>, std::vector<int16_t>> codes;
  for (const auto& topic : answer->topics) {
    for (const auto& partition : topic.partitions)
      codes[{std::string{topic.name}, partition.partition_index}].push_back(partition.error_code);
  }
  const std::vector<int16_t> unknown(2, kUnknownTopicOrPartition);
  EXPECT_EQ((codes[{"unknown", 0}]), unknown);
  EXPECT_EQ((codes[{"unknown", 77}]), unknown);
  EXPECT_EQ((codes[{kTopic, 77}]), unknown);
  EXPECT_EQ((codes[{kTopic, 0}]), (std::vector<int16_t>(2, kNotCoordinator))) << "of the group's own answer";
}

TEST_F(MultipliedTest, every_part_of_a_commit_is_answered_and_each_topic_once) {
  start({});
  EXPECT_TRUE(world_->run([](io::Shard& shard) { return commit_this_and_that(shard); }));
}

}  // namespace
}  // namespace stele::sim
