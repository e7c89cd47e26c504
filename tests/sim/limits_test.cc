// What the server promises to every connection: its limits, its order, which requests it answers at all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/broker_world.h"
#include "sim/client.h"
#include "wire/api_versions_request.h"
#include "wire/api_versions_response.h"
#include "wire/fetch_request.h"
#include "wire/fetch_response.h"
#include "wire/find_coordinator_request.h"
#include "wire/find_coordinator_response.h"
#include "wire/incremental_alter_configs_request.h"
#include "wire/incremental_alter_configs_response.h"
#include "wire/join_group_request.h"
#include "wire/join_group_response.h"
#include "wire/metadata_request.h"
#include "wire/metadata_response.h"
#include "wire/offset_commit_request.h"
#include "wire/offset_commit_response.h"
#include "wire/produce_response.h"

namespace stele::sim {
namespace {

using base::Task;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int16_t kFencedLeaderEpoch = 74;
constexpr int16_t kUnknownLeaderEpoch = 75;
constexpr int16_t kFetchSessionIdNotFound = 70;
constexpr int16_t kPolicyViolation = 44;
constexpr int16_t kUnsupportedVersion = 35;
const std::string kTopic = "limits";

Task<void> make_topic(io::Shard& shard, int32_t partitions) {
  const auto client = co_await connect_patiently(shard);
  EXPECT_EQ(co_await client->create_topic(kTopic, partitions), 0);
}

class LimitsTest : public ::testing::Test {
 protected:
  void start(config::ConfigMap config = {}, uint64_t seed = 7) {
    world_ = std::make_unique<BrokerWorld>(WorldOptions{.seed = seed, .shards = 3, .config = std::move(config)});
    world_->start();
    ASSERT_TRUE(world_->run([](io::Shard& shard) { return make_topic(shard, 6); }));
  }
  void run(BrokerWorld::Client client) { EXPECT_TRUE(world_->run(std::move(client))); }
  // Nothing is worked on for anybody any more.
  bool at_rest() {
    for (uint32_t i = 0; i < world_->options().shards; ++i) {
      if (!world_->process().shard(base::ShardId{i}).home().scope.empty()) return false;
    }
    return world_->connections() == 0 && world_->bytes_charged() == 0;
  }
  void TearDown() override {
    EXPECT_EQ(world_->stop(), 0);
    if (HasFailure()) std::fprintf(stderr, "%s", world_->lines().text().c_str());
  }
  std::unique_ptr<BrokerWorld> world_;
};

// --- connections

Task<void> count_served(io::Shard& shard, int wanted, int& served) {
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < wanted; ++i) {
    clients.push_back(co_await connect_patiently(shard));
    const auto answer = co_await clients.back()->call<wire::ApiVersionsResponse>(wire::ApiVersionsRequest{}, 2);
    served += answer ? 1 : 0;
  }
}

TEST_F(LimitsTest, connections_over_max_connections_are_closed_and_counted) {
  start({{"max.connections", "10"}});
  int served = 0;
  run([&](io::Shard& shard) { return count_served(shard, 15, served); });
  EXPECT_EQ(served, 10);
  EXPECT_TRUE(world_->lines().mention("(max.connections)"));
  EXPECT_TRUE(world_->run_until([this] { return world_->connections() == 0; }, seconds{5}));
  served = 0;
  run([&](io::Shard& shard) { return count_served(shard, 10, served); });
  EXPECT_EQ(served, 10) << "places of closed connections are free again";
}

TEST_F(LimitsTest, connections_of_one_address_over_its_limit_are_closed) {
  start({{"max.connections.per.ip", "4"}});
  int served = 0;
  run([&](io::Shard& shard) { return count_served(shard, 7, served); });
  EXPECT_EQ(served, 4);
}

// --- requests

Task<void> ask_newer_api_versions(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  base::ByteVector bytes = client->frame<wire::ApiVersionsResponse>(wire::ApiVersionsRequest{}, 4);
  base::store_be(bytes.data() + 6, int16_t{77});
  EXPECT_TRUE(co_await client->send(std::move(bytes)));
  const auto answer = co_await client->read_answer<wire::ApiVersionsResponse>(0);
  EXPECT_TRUE(answer);
  if (!answer) co_return;
  EXPECT_EQ(answer->error_code, kUnsupportedVersion);
  EXPECT_FALSE(answer->api_keys.empty());
  const auto next = co_await client->call<wire::ApiVersionsResponse>(wire::ApiVersionsRequest{}, 2);
  EXPECT_TRUE(next && next->error_code == 0) << "the connection goes on";
}

TEST_F(LimitsTest, a_newer_ApiVersions_is_answered_as_version_0_with_UNSUPPORTED_VERSION) {
  start();
  run(ask_newer_api_versions);
}

Task<void> ask_controller(io::Shard& shard) {
  const auto client = co_await Client::connect(shard, "broker", 9093);
  EXPECT_NE(client, nullptr);
  if (!client) co_return;
  const auto versions = co_await client->call<wire::ApiVersionsResponse>(wire::ApiVersionsRequest{}, 2);
  EXPECT_TRUE(versions && versions->error_code == 0);
  const auto metadata = co_await client->call<wire::MetadataResponse>(wire::MetadataRequest{}, 8);
  EXPECT_FALSE(metadata) << "the connection ends";
}

TEST_F(LimitsTest, a_listener_of_the_controller_answers_ApiVersions_alone) {
  start({{"process.roles", "broker,controller"},
         {"node.id", "1"},
         {"controller.quorum.voters", "1@localhost:9093"},
         {"controller.listener.names", "CONTROLLER"},
         {"listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"}});
  run(ask_controller);
}

Task<void> produce_pipelined(io::Shard& shard, int count) {
  const auto client = co_await connect_patiently(shard);
  for (int i = 0; i < count; ++i) {
    Batch batch;
    batch.values.push_back(std::to_string(i));
    EXPECT_TRUE(co_await client->send(Client::produce_frame(i, kTopic, i * 7 % 6, -1, batch)));
  }
  for (int i = 0; i < count; ++i) {
    const auto answer = co_await client->read_answer<wire::ProduceResponse>(11);
    EXPECT_TRUE(answer);
    if (!answer) co_return;
    EXPECT_EQ(base::load_be<int32_t>(answer.bytes.data()), i) << "answers keep the order of requests";
    const auto& part = answer->responses.front().partition_responses.front();
    EXPECT_EQ(part.error_code, 0);
    EXPECT_EQ(part.index, i * 7 % 6);
    EXPECT_EQ(part.base_offset, i / 6) << "request " << i;
  }
}

TEST_F(LimitsTest, produces_of_one_connection_keep_their_order_in_each_partition_whatever_its_shard) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(seed);
    start({}, seed);
    run([](io::Shard& shard) { return produce_pipelined(shard, 240); });
    if (HasFailure()) return;
  }
}

Task<void> produce_unfolding(io::Shard& shard, int count) {
  const auto client = co_await connect_patiently(shard);
  const Batch batch{.values = {std::string(900'000, '\0')}, .codec = record::Codec::kZstd};
  for (int i = 0; i < count; ++i) {
    EXPECT_TRUE(co_await client->send(Client::produce_frame(i, kTopic, i % 6, -1, batch)));
  }
  for (int i = 0; i < count; ++i) {
    const auto answer = co_await client->read_answer<wire::ProduceResponse>(11);
    EXPECT_TRUE(answer && answer->responses.front().partition_responses.front().error_code == 0);
  }
}

TEST_F(LimitsTest, batches_that_are_written_with_another_codec_are_charged_until_they_count) {
  start({{"compression.type", "uncompressed"}, {"stele.durability", "synced"}});
  io::SimDisk& disk = world_->broker_host().disk();
  disk.set_faults({.stuck = io::kAlways, .stuck_for = seconds{20}});
  world_->begin([](io::Shard& shard) { return produce_unfolding(shard, 12); });
  const auto charged = [this] { return world_->bytes_charged() > size_t{12} * 900'000; };
  EXPECT_TRUE(world_->run_until(charged, std::chrono::minutes{5}));
  disk.set_faults({});
  EXPECT_TRUE(world_->run_until([this] { return world_->client_ended(); }, std::chrono::minutes{20}));
  EXPECT_TRUE(world_->run_until([this] { return at_rest(); }, seconds{10}));
}

// --- clients that ask and leave while the disk is full

wire::IncrementalAlterConfigsRequest alteration(const std::string& value) {
  wire::IncrementalAlterConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = 2;  // a topic
  resource.resource_name = kTopic;
  auto& config = resource.configs.emplace_back();
  config.name = "max.message.bytes";
  config.value = value;
  return request;
}

// A frame at a time, each on a connection of its own that is left at once: with an answer unread, which resets it.
Task<void> send_and_leave(io::Shard& shard, int count, std::function<base::ByteVector(int)> frame_of) {
  for (int i = 0; i < count; ++i) {
    const auto client = co_await connect_patiently(shard);
    EXPECT_TRUE(co_await client->send(client->frame<wire::ApiVersionsResponse>(wire::ApiVersionsRequest{}, 2)));
    EXPECT_TRUE(co_await client->send(frame_of(i)));
    co_await io::sleep_until(shard, shard.clock().now() + milliseconds{5});
  }
}

class LeavingTest : public LimitsTest {
 protected:
  static constexpr size_t kMemory = 3 << 20;

  void start_full(config::ConfigMap config = {}) {
    config.emplace("socket.request.max.bytes", "1000000");
    config.emplace("stele.memory.control.bytes", std::to_string(kMemory));
    config.emplace("stele.memory.groups.bytes", std::to_string(kMemory));
    start(std::move(config));
  }
  void fill_disk() { set_room(0); }
  void set_room(uint64_t bytes) {
    io::SimDisk& disk = world_->broker_host().disk();
    io::DiskFaults faults;
    faults.capacity_bytes = disk.used_bytes("/data") + bytes;
    disk.set_faults("/data", faults);
  }
  // Changes of the metadata that wait for the disk.
  int64_t uncommitted() {
    broker::ControllerHost& controller = world_->process().broker().controller();
    return controller.core().image()->next_index.value() - controller.image()->next_index.value();
  }
  uint64_t refusals(server::RequestClass request_class) {
    uint64_t count = 0;
    for (uint32_t i = 0; i < world_->options().shards; ++i) {
      count += world_->process().server(base::ShardId{i}).budget(request_class).refusals();
    }
    return count;
  }
  void all_ends_with_room() {
    set_room(100 << 20);
    EXPECT_TRUE(world_->run_until([this] { return at_rest(); }, seconds{60})) << world_->bytes_charged();
  }
};

TEST_F(LeavingTest, changes_that_wait_for_the_disk_stay_charged_when_their_clients_leave) {
  start_full();
  fill_disk();
  run([](io::Shard& shard) {
    return send_and_leave(shard, 30, [](int i) {
      const std::string value = std::to_string(1000 + i);
      return wire::request_frame(i, std::string(2000, 'c'), alteration(value), 1).value();
    });
  });
  world_->pass(seconds{2});
  EXPECT_EQ(world_->connections(), 0U);
  EXPECT_EQ(uncommitted(), 30) << "each waits, whichever shard it came in on";
  EXPECT_GT(world_->bytes_charged(), size_t{30} * (2000 + 1024));
  all_ends_with_room();
}

TEST_F(LeavingTest, no_number_of_clients_that_leave_has_more_changes_wait_than_the_budget_holds) {
  start_full();
  fill_disk();
  run([](io::Shard& shard) {
    return send_and_leave(shard, 1000, [](int i) {
      return wire::request_frame(i, "leaving", alteration(std::to_string(1000 + i)), 1).value();
    });
  });
  world_->pass(seconds{2});
  EXPECT_LT(uncommitted(), 500);
  EXPECT_GT(uncommitted(), 100);
  EXPECT_LT(world_->bytes_charged(), kMemory + (1 << 20));
  EXPECT_GT(refusals(server::RequestClass::kControl), 0U);
  all_ends_with_room();
}

Task<int16_t> join(Client& client, std::string group) {
  wire::FindCoordinatorRequest find;
  find.coordinator_keys.emplace_back(group);
  wire::JoinGroupRequest request;
  request.group_id = group;
  request.session_timeout_ms = 10'000;
  request.rebalance_timeout_ms = 10'000;
  request.protocol_type = "consumer";
  request.protocols.push_back({.name = "range", .metadata = {}});
  for (int tries = 0; tries < 100; ++tries) {
    co_await client.call<wire::FindCoordinatorResponse>(find, 4);
    const auto answer = co_await client.call<wire::JoinGroupResponse>(request, 9);
    if (!answer) co_return -1;
    // Not yet there: COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR.
    if (answer->error_code < 14 || answer->error_code > 16) co_return answer->error_code;
    co_await io::sleep_until(client.shard(), client.shard().clock().now() + milliseconds{50});
  }
  co_return -2;
}

// Commits of a consumer that is no member of its group.
base::ByteVector commit_frame(int correlation) {
  const std::string metadata(4000, 'm');
  wire::OffsetCommitRequest request;
  request.group_id = "leaving";
  auto& topic = request.topics.emplace_back();
  topic.name = kTopic;
  for (int32_t i = 0; i < 6; ++i) {
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = i;
    partition.committed_offset = correlation;
    partition.committed_metadata = metadata;
  }
  return wire::request_frame(correlation, "leaving", request, 8).value();
}

Task<void> commit_once(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  EXPECT_EQ(co_await join(*client, "leaving"), 79);  // MEMBER_ID_REQUIRED: its coordinator is there
}

TEST_F(LeavingTest, commits_that_wait_for_the_disk_stay_charged_when_their_clients_leave) {
  start_full({{"stele.durability", "synced"}, {"offsets.topic.num.partitions", "1"}});
  run(commit_once);
  world_->broker_host().disk().set_faults({.stuck = io::kAlways, .stuck_for = seconds{20}});
  run([](io::Shard& shard) { return send_and_leave(shard, 12, commit_frame); });
  const auto held = [this] { return world_->connections() == 0 && world_->bytes_charged() > size_t{10} * 24'000; };
  EXPECT_TRUE(world_->run_until(held, std::chrono::minutes{5})) << world_->bytes_charged();
  world_->broker_host().disk().set_faults({});
  EXPECT_TRUE(world_->run_until([this] { return world_->bytes_charged() == 0; }, std::chrono::minutes{10}));
}

// --- fetches

wire::FetchRequest fetch_of(std::vector<int32_t> partitions, int64_t offset, int32_t leader_epoch = -1) {
  wire::FetchRequest request;
  request.min_bytes = 1;
  auto& topic = request.topics.emplace_back();
  topic.topic = kTopic;
  for (const int32_t partition : partitions) {
    auto& part = topic.partitions.emplace_back();
    part.partition = partition;
    part.fetch_offset = offset;
    part.current_leader_epoch = leader_epoch;
    part.partition_max_bytes = 1000;
  }
  return request;
}

Task<void> fetch_at_epoch(io::Shard& shard, int32_t leader_epoch, int16_t& code) {
  const auto client = co_await connect_patiently(shard);
  const auto answer = co_await client->call<wire::FetchResponse>(fetch_of({2}, 0, leader_epoch), 12);
  EXPECT_TRUE(answer);
  if (answer) code = answer->responses.front().partitions.front().error_code;
}

TEST_F(LimitsTest, a_reader_with_another_leader_epoch_is_told_which_of_the_two_is_older) {
  start();
  int16_t code = -1;
  run([&](io::Shard& shard) { return fetch_at_epoch(shard, 1'000, code); });
  EXPECT_EQ(code, kUnknownLeaderEpoch);
  run([&](io::Shard& shard) { return fetch_at_epoch(shard, 0, code); });
  EXPECT_EQ(code, 0);
  EXPECT_EQ(world_->stop(), 0);
  world_->start();
  run([&](io::Shard& shard) { return fetch_at_epoch(shard, 0, code); });
  EXPECT_EQ(code, kFencedLeaderEpoch);
}

Task<void> leave_waiting(io::Shard& shard, int rounds, int at_once) {
  wire::FetchRequest request = fetch_of({0, 1, 2, 3, 4, 5}, 0);
  request.max_wait_ms = std::numeric_limits<int32_t>::max();
  for (int i = 0; i < rounds; ++i) {
    std::vector<std::unique_ptr<Client>> clients;
    for (int k = 0; k < at_once; ++k) {
      clients.push_back(co_await connect_patiently(shard));
      EXPECT_TRUE(co_await clients.back()->send(clients.back()->frame<wire::FetchResponse>(request, 12)));
    }
    co_await io::sleep_until(shard, shard.clock().now() + milliseconds{10});
  }
}

TEST_F(LimitsTest, readers_that_leave_while_they_wait_leave_nothing_on_any_shard) {
  start();
  run([](io::Shard& shard) { return leave_waiting(shard, 10, 20); });
  EXPECT_TRUE(world_->run_until([this] { return at_rest(); }, seconds{2}));
}

Task<void> fetch_over_all_shards(io::Shard& shard) {
  const auto reader = co_await connect_patiently(shard), writer = co_await connect_patiently(shard);
  wire::FetchRequest request = fetch_of({0, 1, 2, 3, 4, 5}, 0);
  request.max_wait_ms = 60'000;
  EXPECT_TRUE(co_await reader->send(reader->frame<wire::FetchResponse>(request, 12)));
  co_await io::sleep_until(shard, shard.clock().now() + milliseconds{50});
  EXPECT_TRUE((co_await writer->produce(kTopic, 0, -1, {.values = {"news"}})).acknowledged());
  const auto answer = co_await reader->read_answer<wire::FetchResponse>(12);
  EXPECT_TRUE(answer && answer->error_code == 0);
}

TEST_F(LimitsTest, a_fetch_that_was_answered_waits_on_no_shard_any_more) {
  start();
  run([](io::Shard& shard) { return fetch_over_all_shards(shard); });
  EXPECT_TRUE(world_->run_until([this] { return at_rest(); }, milliseconds{100}));
}

Task<void> fetch_now(io::Shard& shard, base::Duration& took) {
  const auto client = co_await connect_patiently(shard);
  const base::MonoTime begun = shard.clock().now();
  wire::FetchRequest request = fetch_of({0}, 0);
  request.max_wait_ms = 10'000;
  const auto answer = co_await client->call<wire::FetchResponse>(request, 12);
  EXPECT_TRUE(answer && answer->error_code == 0);
  took = shard.clock().now() - begun;
}

Task<void> fetch_beside_waiting(io::Shard& shard, base::Duration& took) {
  wire::FetchRequest request = fetch_of({0}, 0);
  request.max_wait_ms = 60'000;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 12; ++i) {
    clients.push_back(co_await connect_patiently(shard));
    EXPECT_TRUE(co_await clients.back()->send(clients.back()->frame<wire::FetchResponse>(request, 12)));
  }
  co_await io::sleep_until(shard, shard.clock().now() + milliseconds{50});
  co_await fetch_now(shard, took);
}

TEST_F(LimitsTest, fetches_over_the_waiters_limit_are_answered_at_once) {
  start({{"stele.fetch.waiters.max", "3"}});
  base::Duration took{};
  run([&](io::Shard& shard) { return fetch_now(shard, took); });
  EXPECT_GE(took, seconds{10});
  run([&](io::Shard& shard) { return fetch_beside_waiting(shard, took); });
  EXPECT_LT(took, seconds{1});
}

Task<void> outgrow_session(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  wire::FetchRequest request = fetch_of({0, 1, 2, 3}, 0);
  request.session_epoch = 0;
  const auto too_many = co_await client->call<wire::FetchResponse>(request, 12);
  EXPECT_TRUE(too_many && too_many->session_id == 0) << "served, without a session";
  request = fetch_of({0, 1, 2}, 0);
  request.session_epoch = 0;
  const auto opened = co_await client->call<wire::FetchResponse>(request, 12);
  EXPECT_TRUE(opened && opened->session_id != 0);
  if (!opened) co_return;
  request = fetch_of({3}, 0);
  request.session_id = opened->session_id;
  request.session_epoch = 1;
  const auto outgrown = co_await client->call<wire::FetchResponse>(request, 12);
  EXPECT_TRUE(outgrown && outgrown->error_code == kFetchSessionIdNotFound);
}

TEST_F(LimitsTest, a_session_of_too_many_partitions_is_not_kept) {
  start({{"stele.fetch.session.partitions.max", "3"}});
  run(outgrow_session);
}

// --- groups

Task<void> make_groups(io::Shard& shard, std::map<int16_t, int>& answers) {
  const auto client = co_await connect_patiently(shard);
  for (int i = 0; i < 20; ++i) ++answers[co_await join(*client, "group-" + std::to_string(i))];
}

TEST_F(LimitsTest, groups_over_the_limit_are_refused_and_the_log_says_so) {
  start({{"stele.groups.max", "4"}, {"offsets.topic.num.partitions", "1"}});
  std::map<int16_t, int> answers;
  run([&](io::Shard& shard) { return make_groups(shard, answers); });
  EXPECT_EQ(answers[kPolicyViolation], 16);
  EXPECT_TRUE(world_->lines().mention("stele.groups.max"));
}

}  // namespace
}  // namespace stele::sim
