// Log dirs as they may be found or lost, and what else only a whole broker can show.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/broker_command.h"
#include "sim/broker_world.h"
#include "sim/client.h"
#include "wire/create_topics_request.h"
#include "wire/create_topics_response.h"
#include "wire/delete_topics_request.h"
#include "wire/delete_topics_response.h"
#include "wire/fetch_request.h"
#include "wire/fetch_response.h"
#include "wire/find_coordinator_request.h"
#include "wire/find_coordinator_response.h"
#include "wire/offset_commit_request.h"
#include "wire/offset_commit_response.h"
#include "wire/offset_fetch_request.h"
#include "wire/offset_fetch_response.h"

namespace stele::sim {
namespace {

using base::Task;
using std::chrono::milliseconds;
using std::chrono::seconds;

const std::string kTopic = "letters";
constexpr std::string_view kGroup = "readers";
constexpr int16_t kInvalidTopic = 17;
constexpr int16_t kStorageError = 56;

Task<void> make_topic(io::Shard& shard, int32_t partitions) {
  const auto client = co_await connect_patiently(shard);
  EXPECT_EQ(co_await client->create_topic(kTopic, partitions), 0);
}

void put(BrokerWorld& world, const std::string& path, std::string_view content) {
  ASSERT_TRUE(world.broker_host().disk().make_directory(path.substr(0, path.rfind('/')), true).ok());
  const auto file = world.broker_host().disk().open(path, io::OpenMode::kCreate);
  ASSERT_TRUE(file.ok());
  (*file)->write(0, base::as_bytes(content));
}

// --- log dirs

TEST(LogDirsTest, formatting_that_was_cut_short_is_done_anew) {
  BrokerWorld world({.seed = 1, .config = {}});
  put(world, "/data/bootstrap.checkpoint", "half a batch");
  world.start();
  EXPECT_EQ(world.stop(), 0);
  world.start();
  EXPECT_EQ(world.stop(), 0);
}

TEST(LogDirsTest, files_of_somebody_else_are_not_formatted_over) {
  BrokerWorld world({.seed = 2, .config = {}});
  put(world, "/data/holiday.jpg", "a beach");
  EXPECT_EQ(world.start_in_vain(), app::kExitConfig);
  EXPECT_TRUE(world.lines().mention("no meta.properties"));
  EXPECT_THAT(world.broker_host().disk().files("/data"), testing::Contains("/data/holiday.jpg"));
}

TEST(LogDirsTest, the_metadata_log_lies_where_metadata_log_dir_says) {
  BrokerWorld world({.seed = 3, .config = {{"log.dirs", "/data,/more"}, {"metadata.log.dir", "/meta"}}});
  for (int round = 0; round < 2; ++round) {
    world.start();
    EXPECT_EQ(world.stop(), 0);
    const auto files = world.broker_host().disk().files();
    EXPECT_THAT(files, testing::Contains(testing::StartsWith("/meta/__cluster_metadata-0/")));
    EXPECT_THAT(files, testing::Not(testing::Contains(testing::StartsWith("/data/__cluster_metadata-0/"))));
    for (const char* dir : {"/meta", "/data", "/more"}) {
      EXPECT_THAT(files, testing::Contains(fmt::format("{}/meta.properties", dir)));
    }
  }
}

Task<void> produce_to_all(io::Shard& shard, int32_t partitions, std::map<int16_t, int>& codes) {
  const auto client = co_await connect_patiently(shard);
  for (int32_t partition = 0; partition < partitions; ++partition) {
    ++codes[(co_await client->produce(kTopic, partition, -1, {.values = {"a letter"}})).code];
  }
}

// Every write to `dir` fails from now on, and clients go on writing.
void fail_writes(BrokerWorld& world, const std::string& dir, std::map<int16_t, int>& codes) {
  world.start();
  EXPECT_TRUE(world.run([](io::Shard& shard) { return make_topic(shard, 4); }));
  io::DiskFaults faults;
  faults.write_error = io::kAlways;
  world.broker_host().disk().set_faults(dir, faults);
  world.run([&codes](io::Shard& shard) { return produce_to_all(shard, 4, codes); }, seconds{5});
}

TEST(LogDirsTest, a_broker_stops_when_the_dir_of_its_metadata_log_fails) {
  BrokerWorld world({.seed = 4, .config = {{"log.dirs", "/data,/more"}}});
  std::map<int16_t, int> codes;
  fail_writes(world, "/data", codes);
  EXPECT_TRUE(world.run_until([&world] { return world.exit_code().has_value(); }, seconds{5}));
  EXPECT_EQ(world.exit_code(), app::kExitFailed);
  EXPECT_THAT(world.lines().errors(), testing::Not(testing::IsEmpty()));
}

TEST(LogDirsTest, a_broker_goes_on_without_another_dir) {
  BrokerWorld world({.seed = 5, .config = {{"log.dirs", "/data,/more"}}});
  std::map<int16_t, int> codes;
  fail_writes(world, "/more", codes);
  EXPECT_EQ(codes, (std::map<int16_t, int>{{0, 2}, {kStorageError, 2}}));
  world.pass(seconds{5});
  EXPECT_FALSE(world.exit_code());
  EXPECT_EQ(world.stop(), 0);
}

// --- what the answers to clients rest on

class WholeBrokerTest : public ::testing::Test {
 protected:
  void SetUp() override { world_.start(); }
  void TearDown() override {
    EXPECT_EQ(world_.stop(), 0);
    if (HasFailure()) std::fprintf(stderr, "%s", world_.lines().text().c_str());
  }
  void run(BrokerWorld::Client client) { EXPECT_TRUE(world_.run(std::move(client))); }

  BrokerWorld world_{{.seed = 6, .config = {}}};
};

Task<void> find_coordinator(Client& client) {
  wire::FindCoordinatorRequest request;
  request.coordinator_keys.emplace_back(kGroup);
  for (int tries = 0; tries < 100; ++tries) {
    const auto answer = co_await client.call<wire::FindCoordinatorResponse>(request, 4);
    if (!answer || answer->coordinators.front().error_code == 0) co_return;
    co_await io::sleep_until(client.shard(), client.shard().clock().now() + milliseconds{100});
  }
  ADD_FAILURE() << "no coordinator";
}

Task<int16_t> commit(Client& client, int64_t offset) {
  wire::OffsetCommitRequest request;
  request.group_id = kGroup;
  auto& topic = request.topics.emplace_back();
  topic.name = kTopic;
  topic.partitions.push_back({.partition_index = 0, .committed_offset = offset});
  const auto answer = co_await client.call<wire::OffsetCommitResponse>(request, 8);
  co_return answer ? answer->topics.front().partitions.front().error_code : int16_t{-1};
}

Task<int64_t> committed(Client& client) {
  wire::OffsetFetchRequest request;
  auto& group = request.groups.emplace_back();
  group.group_id = kGroup;
  auto& topic = group.topics->emplace_back();
  topic.name = kTopic;
  topic.partition_indexes.push_back(0);
  const auto answer = co_await client.call<wire::OffsetFetchResponse>(request, 8);
  EXPECT_TRUE(answer && answer->groups.front().error_code == 0);
  co_return answer ? answer->groups.front().topics.front().partitions.front().committed_offset : -2;
}

Task<int16_t> delete_topic(Client& client) {
  wire::DeleteTopicsRequest request;
  request.timeout_ms = 10'000;
  request.topics.emplace_back().name = kTopic;
  const auto answer = co_await client.call<wire::DeleteTopicsResponse>(request, 6);
  co_return answer ? answer->responses.front().error_code : int16_t{-1};
}

Task<void> commit_delete_and_make_again(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  EXPECT_EQ(co_await client->create_topic(kTopic, 1), 0);
  co_await find_coordinator(*client);
  int16_t code = -1;
  for (int tries = 0; tries < 50 && code != 0; ++tries) {
    code = co_await commit(*client, 7);
    if (code != 0) co_await io::sleep_until(shard, shard.clock().now() + milliseconds{100});
  }
  EXPECT_EQ(code, 0);
  EXPECT_EQ(co_await committed(*client), 7);
  EXPECT_EQ(co_await delete_topic(*client), 0);
  EXPECT_EQ(co_await client->create_topic(kTopic, 1), 0);
  co_await io::sleep_until(shard, shard.clock().now() + seconds{1});
  EXPECT_EQ(co_await committed(*client), -1);
}

TEST_F(WholeBrokerTest, what_was_committed_of_a_deleted_topic_does_not_come_back_with_one_of_its_name) {
  run([](io::Shard& shard) { return commit_delete_and_make_again(shard); });
}

Task<void> write_to_internal_topic(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  co_await find_coordinator(*client);
  EXPECT_EQ((co_await client->produce("__consumer_offsets", 0, -1, {.values = {"mischief"}})).code, kInvalidTopic);
}

TEST_F(WholeBrokerTest, clients_do_not_write_to_internal_topics) {
  run([](io::Shard& shard) { return write_to_internal_topic(shard); });
}

Task<void> fetch_from_older_segment(io::Shard& shard, base::Duration& took) {
  const auto client = co_await connect_patiently(shard);
  wire::CreateTopicsRequest create;
  create.timeout_ms = 10'000;
  auto& topic = create.topics.emplace_back();
  topic.name = kTopic;
  topic.num_partitions = 1;
  topic.replication_factor = 1;
  topic.configs.push_back({.name = "segment.bytes", .value = "1048576"});
  const auto made = co_await client->call<wire::CreateTopicsResponse>(create, 7);
  EXPECT_TRUE(made && made->topics.front().error_code == 0);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE((co_await client->produce(kTopic, 0, -1, {.values = {std::string(600'000, 'x')}})).acknowledged());
  }
  wire::FetchRequest request;
  request.max_wait_ms = 30'000;
  request.min_bytes = 10'000'000;
  request.max_bytes = 50'000'000;
  auto& wanted = request.topics.emplace_back();
  wanted.topic = kTopic;
  auto& partition = wanted.partitions.emplace_back();
  partition.fetch_offset = 0;
  partition.partition_max_bytes = 20'000'000;
  const base::MonoTime begun = shard.clock().now();
  const auto answer = co_await client->call<wire::FetchResponse>(request, 12);
  EXPECT_TRUE(answer && answer->error_code == 0);
  took = shard.clock().now() - begun;
}

TEST_F(WholeBrokerTest, a_fetch_does_not_wait_at_the_end_of_an_older_segment) {
  base::Duration took{};
  run([&took](io::Shard& shard) { return fetch_from_older_segment(shard, took); });
  EXPECT_LT(took, seconds{1});
}

}  // namespace
}  // namespace stele::sim
