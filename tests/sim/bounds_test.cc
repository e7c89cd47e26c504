// The limits of the option table at which a broker behaves otherwise: each is reached, and the log names it.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "sim/broker_world.h"
#include "sim/client.h"
#include "wire/api_versions_request.h"
#include "wire/api_versions_response.h"
#include "wire/create_partitions_request.h"
#include "wire/create_partitions_response.h"
#include "wire/delete_topics_request.h"
#include "wire/delete_topics_response.h"
#include "wire/fetch_request.h"
#include "wire/fetch_response.h"
#include "wire/metadata_request.h"
#include "wire/metadata_response.h"
#include "wire/produce_response.h"

namespace stele::sim {
namespace {

using base::Task;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int16_t kPolicyViolation = 44;
const std::string kTopic = "bounds";

Task<void> make_topic(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  EXPECT_EQ(co_await client->create_topic(kTopic, 6), 0);
}

class BoundsTest : public ::testing::Test {
 protected:
  void start(config::ConfigMap config) {
    world_ = std::make_unique<BrokerWorld>(WorldOptions{.seed = 5, .shards = 3, .config = std::move(config)});
    world_->start();
    run(make_topic);
  }
  void run(BrokerWorld::Client client) { EXPECT_TRUE(world_->run(std::move(client))); }
  void TearDown() override {
    EXPECT_EQ(world_->stop(), 0);
    if (HasFailure()) std::fprintf(stderr, "%s", world_->lines().text().c_str());
  }
  std::unique_ptr<BrokerWorld> world_;
};

// --- connections

// How many of so many connections are answered, and how long that takes.
Task<void> count_served(io::Shard& shard, int wanted, int& served, base::Duration& took) {
  const base::MonoTime begun = shard.clock().now();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < wanted; ++i) {
    clients.push_back(co_await connect_patiently(shard));
    const auto answer = co_await clients.back()->call<wire::ApiVersionsResponse>(wire::ApiVersionsRequest{}, 2);
    served += answer ? 1 : 0;
  }
  took = shard.clock().now() - begun;
}

TEST_F(BoundsTest, max_connections_per_ip_overrides_replaces_the_limit_of_one_address) {
  start({{"max.connections.per.ip", "1"}, {"max.connections.per.ip.overrides", "10.0.0.9:2, 10.0.0.2:4"}});
  int served = 0;
  base::Duration took{};
  run([&](io::Shard& shard) { return count_served(shard, 6, served, took); });
  EXPECT_EQ(served, 4);
}

TEST_F(BoundsTest, max_connections_can_be_set_for_one_listener) {
  start({{"listener.name.plaintext.max.connections", "3"}});
  int served = 0;
  base::Duration took{};
  run([&](io::Shard& shard) { return count_served(shard, 5, served, took); });
  EXPECT_EQ(served, 3);
  EXPECT_TRUE(world_->lines().mention("(max.connections)"));
}

TEST_F(BoundsTest, max_connection_creation_rate_lets_connections_wait) {
  start({{"max.connection.creation.rate", "10"}});
  int served = 0;
  base::Duration took{};
  run([&](io::Shard& shard) { return count_served(shard, 30, served, took); });
  EXPECT_EQ(served, 30);
  EXPECT_GT(took, seconds{1});
  EXPECT_LT(took, seconds{4});
  EXPECT_TRUE(world_->lines().mention("(max.connection.creation.rate)"));
}

// --- lines of the log

Task<void> send_bad_frames(io::Shard& shard, int count) {
  for (int i = 0; i < count; ++i) {
    const auto client = co_await connect_patiently(shard);
    base::ByteVector bytes;
    base::append_be(bytes, int32_t{-1});
    co_await client->send(std::move(bytes));
    co_await client->ended();
  }
}

TEST_F(BoundsTest, stele_log_complaints_per_second_keeps_a_client_from_filling_the_log) {
  start({{"stele.log.complaints.per.second", "2"}});
  const base::MonoTime begun = world_->world().now();
  run([](io::Shard& shard) { return send_bad_frames(shard, 300); });
  world_->pass(seconds{3});
  const auto elapsed = std::chrono::duration_cast<seconds>(world_->world().now() - begun).count();
  const std::string text = world_->lines().text();
  int lines = 0;
  for (size_t at = text.find("a frame of -1 bytes"); at != std::string::npos;
       at = text.find("a frame of -1 bytes", at + 1)) {
    ++lines;
  }
  EXPECT_GT(lines, 0);
  EXPECT_LE(lines, 3 * 2 * (elapsed + 1));  // of three shards
  EXPECT_TRUE(world_->lines().mention("more lines about clients were left out"));
}

// A Metadata request that would make so many topics.
Task<void> name_new_topics(io::Shard& shard, int count) {
  const auto client = co_await connect_patiently(shard);
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.push_back("new-" + std::to_string(i));
  wire::MetadataRequest request;
  request.topics.emplace();
  for (const std::string& name : names) request.topics->emplace_back().name = std::string_view{name};
  const auto answer = co_await client->call<wire::MetadataResponse>(request, 8);
  EXPECT_TRUE(answer && answer->topics.size() == names.size());
}

TEST_F(BoundsTest, one_request_for_many_topics_does_not_fill_the_log) {
  start({{"stele.log.complaints.per.second", "3"}});
  const size_t before = std::ranges::count(world_->lines().text(), '\n');
  const base::MonoTime begun = world_->world().now();
  run([](io::Shard& shard) { return name_new_topics(shard, 20'000); });
  world_->pass(seconds{2});
  const auto elapsed = std::chrono::duration_cast<seconds>(world_->world().now() - begun).count();
  const size_t lines = std::ranges::count(world_->lines().text(), '\n') - before;
  EXPECT_GT(lines, 1U);
  EXPECT_LE(lines, static_cast<size_t>((3 + 1) * (elapsed + 1)));  // of the control shard
  EXPECT_TRUE(world_->lines().mention("(stele.request.partitions.max)"));
  EXPECT_TRUE(world_->lines().mention("more lines about clients were left out"));
}

// --- requests that wait

Task<void> produce_many(io::Shard& shard, int count) {
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < count; ++i) {
    clients.push_back(co_await connect_patiently(shard));
    const Batch batch{.values = {std::to_string(i)}};
    EXPECT_TRUE(co_await clients.back()->send(Client::produce_frame(i, kTopic, i % 6, -1, batch)));
  }
  for (auto& client : clients) {
    const auto answer = co_await client->read_answer<wire::ProduceResponse>(11);
    EXPECT_TRUE(answer && answer->responses.front().partition_responses.front().error_code == 0);
  }
}

TEST_F(BoundsTest, stele_produce_waiters_max_holds_further_produces_back_until_others_are_done) {
  start({{"stele.produce.waiters.max", "1"}, {"stele.durability", "synced"}});
  world_->broker_host().disk().set_faults({.slow = io::kAlways, .slow_longest = milliseconds{200}});
  run([](io::Shard& shard) { return produce_many(shard, 40); });
  EXPECT_TRUE(world_->lines().mention("stele.produce.waiters.max")) << "the limit was never reached";
}

Task<void> produce_zeros(io::Shard& shard, size_t size, int16_t& code) {
  const auto client = co_await connect_patiently(shard);
  const Batch batch{.values = {std::string(size, '\0')}, .codec = record::Codec::kZstd};
  code = (co_await client->produce(kTopic, 0, -1, batch)).code;
}

TEST_F(BoundsTest, stele_batch_rebuilt_bytes_max_bounds_what_is_written_with_another_codec) {
  constexpr int16_t kMessageTooLarge = 10;
  start({{"compression.type", "uncompressed"},
         {"message.max.bytes", "8000000"},
         {"stele.batch.rebuilt.bytes.max", "1048576"}});
  int16_t code = -1;
  run([&](io::Shard& shard) { return produce_zeros(shard, 1'000'000, code); });
  EXPECT_EQ(code, 0);
  run([&](io::Shard& shard) { return produce_zeros(shard, 2'000'000, code); });
  EXPECT_EQ(code, kMessageTooLarge);
}

Task<void> produce_one(io::Shard& shard, int32_t partition, std::map<int16_t, int>& codes) {
  const auto client = co_await connect_patiently(shard);
  const Produced done = co_await client->produce(kTopic, partition, -1, Batch{.values = {"last"}});
  ++codes[done.code];
}

Task<void> produce_at_once(io::Shard& shard, int count, std::map<int16_t, int>& codes) {
  base::TaskScope scope{shard.executor(), [](std::exception_ptr fault) { std::rethrow_exception(fault); }};
  for (int i = 0; i < count; ++i) scope.spawn(produce_one(shard, i % 6, codes));
  co_await scope.join();
}

class StopTest : public BoundsTest {
 protected:
  // Stops the broker while produces wait for a slow disk. Their answers by code, -1 for none.
  std::map<int16_t, int> produce_across_stop(const char* timeout, int count) {
    start({{"stele.shutdown.timeout.ms", timeout}, {"stele.durability", "synced"}});
    io::SimDisk& disk = world_->broker_host().disk();
    disk.set_faults({.slow = io::kAlways, .slow_longest = milliseconds{400}});
    std::map<int16_t, int> codes;
    world_->begin([&](io::Shard& shard) { return produce_at_once(shard, count, codes); });
    EXPECT_TRUE(world_->run_until([this] { return world_->connections() > 0; }, seconds{10}));
    world_->pass(milliseconds{20});
    EXPECT_TRUE(codes.empty()) << "all is answered before the stop";
    disk.set_faults({});
    EXPECT_EQ(world_->stop(), 0);
    EXPECT_TRUE(world_->run_until([&] { return world_->client_ended(); }, seconds{5}));
    world_->start();
    return codes;
  }
};

TEST_F(StopTest, stele_shutdown_timeout_ms_lets_requests_in_progress_end) {
  EXPECT_EQ(produce_across_stop("20000", 1), (std::map<int16_t, int>{{0, 1}}));
}

TEST_F(StopTest, stele_shutdown_timeout_ms_of_nothing_closes_them) { EXPECT_GT(produce_across_stop("0", 24)[-1], 0); }

Task<void> poll_for_long(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  co_await client->fetch(kTopic, {{0, 0}}, 600'000);
}

TEST_F(StopTest, a_stop_does_not_wait_for_a_long_poll) {
  start({});
  world_->begin(poll_for_long);
  world_->pass(milliseconds{500});
  const base::MonoTime begun = world_->world().now();
  EXPECT_EQ(world_->stop(), 0);
  EXPECT_LT(world_->world().now() - begun, seconds{5});
  world_->start();
}

// --- what is remembered

Task<void> outgrow_partitions(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  EXPECT_EQ(co_await client->create_topic("more", 4), 0);
  EXPECT_EQ(co_await client->create_topic("too-many", 1), kPolicyViolation);
  wire::CreatePartitionsRequest grow;
  grow.timeout_ms = 1000;
  auto& topic = grow.topics.emplace_back();
  topic.name = "more";
  topic.count = 5;
  topic.assignments.reset();
  const auto answer = co_await client->call<wire::CreatePartitionsResponse>(grow, 3);
  EXPECT_TRUE(answer && answer->results.front().error_code == kPolicyViolation);
}

TEST_F(BoundsTest, stele_partitions_max_bounds_all_topics_together) {
  start({{"stele.partitions.max", "10"}});
  run(outgrow_partitions);
}

Task<void> make_and_delete(io::Shard& shard, int rounds) {
  const auto client = co_await connect_patiently(shard);
  for (int i = 0; i < rounds; ++i) {
    EXPECT_EQ(co_await client->create_topic("passing", 4), 0);
    wire::DeleteTopicsRequest remove;
    remove.topic_names.emplace_back("passing");
    remove.timeout_ms = 1000;
    const auto answer = co_await client->call<wire::DeleteTopicsResponse>(remove, 5);
    EXPECT_TRUE(answer && answer->responses.front().error_code == 0);
  }
}

TEST_F(BoundsTest, stele_partitions_max_bounds_those_that_wait_for_removal_too) {
  start({{"stele.partitions.max", "20"}});
  run([](io::Shard& shard) { return make_and_delete(shard, 25); });
  std::set<std::string> waiting;
  for (const std::string& file : world_->broker_host().disk().files("/data")) {
    const size_t end = file.find("-delete/");
    if (end != std::string::npos) waiting.insert(file.substr(0, end));
  }
  EXPECT_GT(waiting.size(), 4U) << "the delay is given as long as there is room";
  EXPECT_LE(waiting.size(), 20U - 6U);
  EXPECT_TRUE(world_->lines().mention("removed without delay"));
}

Task<void> fetch_in_sessions(io::Shard& shard, int count, int& kept) {
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < count; ++i) {
    clients.push_back(co_await connect_patiently(shard));
    const Fetched got = co_await clients.back()->fetch(kTopic, {{0, 0}, {1, 0}, {2, 0}}, 0, 0, 0);
    EXPECT_EQ(got.code, 0) << "served in any case";
    kept += got.session_id != 0 ? 1 : 0;
  }
}

TEST_F(BoundsTest, stele_fetch_sessions_partitions_max_bounds_all_sessions_together) {
  start({{"stele.fetch.sessions.partitions.max", "18"}});  // six on each of three shards: two sessions
  int kept = 0;
  run([&](io::Shard& shard) { return fetch_in_sessions(shard, 30, kept); });
  EXPECT_EQ(kept, 6);
}

TEST_F(BoundsTest, a_limit_of_0_turns_fetch_sessions_off) {
  for (const char* option : {"max.incremental.fetch.session.cache.slots", "stele.fetch.sessions.partitions.max"}) {
    SCOPED_TRACE(option);
    start({{option, "0"}});
    int kept = 0;
    run([&](io::Shard& shard) { return fetch_in_sessions(shard, 6, kept); });
    EXPECT_EQ(kept, 0);
    EXPECT_NE(world_->metrics().find("stele_limit_reached_total{option=\"stele.fetch.sessions.partitions.max\"} 0\n"),
              std::string::npos)
        << "nobody met a limit";
  }
}

Task<void> fill_partitions(io::Shard& shard, int rounds) {
  const auto client = co_await connect_patiently(shard);
  for (int i = 0; i < rounds; ++i) {
    const Produced done = co_await client->produce(kTopic, i % 6, -1, Batch{.values = {std::to_string(i)}});
    EXPECT_TRUE(done.acknowledged());
    const auto read = co_await client->read_all(kTopic, i % 6);
    EXPECT_EQ(read.size(), static_cast<size_t>(i / 6 + 1));
  }
}

TEST_F(BoundsTest, stele_open_files_max_closes_the_file_unused_for_longest) {
  start({{"stele.open.files.max", "2"}});
  run([](io::Shard& shard) { return fill_partitions(shard, 60); });
  size_t open = 0;
  uint64_t closed = 0;
  for (uint32_t i = 0; i < 3; ++i) {
    open += world_->process().shard(base::ShardId{i}).open_files().count();
    closed += world_->process().shard(base::ShardId{i}).open_files().closed();
  }
  EXPECT_LE(open, 3U);
  EXPECT_GT(closed, 10U);
}

}  // namespace
}  // namespace stele::sim
