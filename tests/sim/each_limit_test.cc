// Each limit that a client can meet, from the option that sets it to what an operator sees: a broker starts with it
// small, a client meets it through the protocol, and there are the answer, the line of the log and the count.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/limit.h"
#include "sim/broker_world.h"
#include "sim/client.h"
#include "wire/api_versions_request.h"
#include "wire/api_versions_response.h"
#include "wire/describe_configs_request.h"
#include "wire/describe_configs_response.h"
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
#include "wire/produce_request.h"
#include "wire/produce_response.h"

namespace stele::sim {
namespace {

using base::Task;
using std::chrono::milliseconds;
using std::chrono::seconds;

const std::string kTopic = "limited";
constexpr int64_t kServed = 0;
constexpr int64_t kEnded = -2;  // the connection ended without an answer

Task<int64_t> ask_versions(Client& client) {
  const auto answer = co_await client.call<wire::ApiVersionsResponse>(wire::ApiVersionsRequest{}, 2);
  co_return answer ? answer->error_code : kEnded;
}

// --- connections

// How many of five connections are served.
Task<int64_t> five_connections(io::Shard& shard) {
  std::vector<std::unique_ptr<Client>> clients;
  int64_t served = 0;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(co_await connect_patiently(shard));
    served += co_await ask_versions(*clients.back()) == kServed ? 1 : 0;
  }
  co_return served;
}

Task<int64_t> until_ended(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  co_return co_await client->ended() ? kEnded : kServed;
}

// The begin of a frame of so many bytes.
base::ByteVector begun(int32_t announced, int16_t api_key, int16_t version, size_t sent) {
  base::ByteVector bytes;
  base::append_be(bytes, announced);
  base::append_be(bytes, api_key);
  base::append_be(bytes, version);
  bytes.resize(sent);
  return bytes;
}

Task<int64_t> too_large_a_frame(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  EXPECT_TRUE(co_await client->send(begun(200'000, 18, 2, 100)));
  co_return co_await client->ended() ? kEnded : kServed;
}

Task<int64_t> half_a_frame(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  EXPECT_TRUE(co_await client->send(begun(1000, 18, 2, 100)));
  co_return co_await client->ended() ? kEnded : kServed;
}

Task<int64_t> never_read(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  while (co_await client->send(client->frame<wire::ApiVersionsResponse>(wire::ApiVersionsRequest{}, 2))) {
  }
  co_return kEnded;
}

Task<void> send_versions(Client& client, int count) {
  for (int i = 0; i < count; ++i) {
    EXPECT_TRUE(co_await client.send(client.frame<wire::ApiVersionsResponse>(wire::ApiVersionsRequest{}, 2)));
  }
}

// Reads what it asked for only after a while; all of it comes.
Task<int64_t> read_late(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  constexpr int kMany = 4000;
  base::TaskScope scope{shard.executor(), [](std::exception_ptr fault) { std::rethrow_exception(fault); }};
  scope.spawn(send_versions(*client, kMany));
  co_await io::sleep_until(shard, shard.clock().now() + seconds{3});
  int64_t code = kServed;
  for (int i = 0; i < kMany && code == kServed; ++i) {
    const auto answer = co_await client->read_answer<wire::ApiVersionsResponse>(2);
    code = answer ? answer->error_code : kEnded;
  }
  co_return code;
}

// --- requests

// Produces that are sent ahead of their answers while the disk is slow.
Task<int64_t> produce_ahead(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  constexpr int kMany = 30;
  for (int i = 0; i < kMany; ++i) {
    EXPECT_TRUE(co_await client->send(Client::produce_frame(i, kTopic, i % 6, -1, {.values = {"x"}})));
  }
  int64_t code = kServed;
  for (int i = 0; i < kMany && code == kServed; ++i) {
    const auto answer = co_await client->read_answer<wire::ProduceResponse>(11);
    code = answer ? answer->responses.front().partition_responses.front().error_code : kEnded;
  }
  co_return code;
}

Task<int64_t> name_twenty_topics(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  wire::MetadataRequest request;
  request.topics.emplace();
  for (int i = 0; i < 20; ++i) request.topics->emplace_back().name = kTopic;
  const auto answer = co_await client->call<wire::MetadataResponse>(request, 8);
  co_return answer ? kServed : kEnded;
}

Task<void> send_begun(Client& client, int16_t api_key, int16_t version) {
  base::ByteVector bytes = begun(900'000, api_key, version, 300'000);
  co_await client.send(std::move(bytes));  // in part, where it is not read
}

Task<int64_t> describe_many_groups(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  std::vector<std::string> names;
  for (int i = 0; i < 20'000; ++i) names.push_back(std::to_string(i));
  wire::DescribeConfigsRequest ask;
  for (const std::string& name : names) {
    auto& resource = ask.resources.emplace_back();
    resource.resource_type = 32;
    resource.resource_name = name;
    resource.configuration_keys.reset();
  }
  const auto answer = co_await client->call<wire::DescribeConfigsResponse>(ask, 4);
  co_return answer ? kServed : kEnded;
}

// Requests of one kind that are never whole; others are served once these are let go.
Task<int64_t> hoard(io::Shard& shard, int16_t api_key, int16_t version) {
  std::vector<std::unique_ptr<Client>> clients;
  base::TaskScope scope{shard.executor(), [](std::exception_ptr fault) { std::rethrow_exception(fault); }};
  for (int i = 0; i < 24; ++i) {
    clients.push_back(co_await connect_patiently(shard));
    scope.spawn(send_begun(*clients.back(), api_key, version));
  }
  for (auto& client : clients) EXPECT_TRUE(co_await client->ended());
  const auto other = co_await connect_patiently(shard);
  co_return co_await ask_versions(*other);
}
Task<int64_t> hoard_data(io::Shard& shard) { return hoard(shard, 0, 9); }
Task<int64_t> hoard_control(io::Shard& shard) { return hoard(shard, 3, 8); }
Task<int64_t> hoard_groups(io::Shard& shard) { return hoard(shard, 11, 5); }

// --- fetches

wire::FetchRequest fetch_of(int32_t partitions, int32_t wait_ms) {
  wire::FetchRequest request;
  request.max_wait_ms = wait_ms;
  request.min_bytes = 1;
  auto& topic = request.topics.emplace_back();
  topic.topic = kTopic;
  for (int32_t i = 0; i < partitions; ++i) {
    auto& part = topic.partitions.emplace_back();
    part.partition = i;
    part.partition_max_bytes = 1000;
  }
  return request;
}

// Several fetches wait; the first of the answers comes long before the time is over.
Task<int64_t> fetch_beside_others(io::Shard& shard) {
  std::vector<std::unique_ptr<Client>> clients;
  const wire::FetchRequest request = fetch_of(1, 60'000);
  const base::MonoTime first = shard.clock().now();
  for (int i = 0; i < 12; ++i) {
    clients.push_back(co_await connect_patiently(shard));
    EXPECT_TRUE(co_await clients.back()->send(clients.back()->frame<wire::FetchResponse>(request, 12)));
  }
  const auto answer = co_await clients.back()->read_answer<wire::FetchResponse>(12);
  EXPECT_LT(shard.clock().now() - first, seconds{5});
  co_return answer ? answer->error_code : kEnded;
}

// How many of so many readers have a session.
Task<int64_t> readers_with_sessions(io::Shard& shard) {
  std::vector<std::unique_ptr<Client>> clients;
  int64_t kept = 0;
  for (int i = 0; i < 12; ++i) {
    clients.push_back(co_await connect_patiently(shard));
    wire::FetchRequest request = fetch_of(3, 0);
    request.session_epoch = 0;
    const auto answer = co_await clients.back()->call<wire::FetchResponse>(request, 12);
    EXPECT_TRUE(answer && answer->error_code == 0) << "served in any case";
    kept += answer && answer->session_id != 0 ? 1 : 0;
  }
  co_return kept;
}

// --- records

Task<int64_t> produce_bytes(io::Shard& shard, base::ByteVector records) {
  const auto client = co_await connect_patiently(shard);
  wire::ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 10'000;
  auto& data = request.topic_data.emplace_back();
  data.name = kTopic;
  data.partition_data.emplace_back().records = base::Bytes{records};
  const auto answer = co_await client->call<wire::ProduceResponse>(request, 11);
  co_return answer ? answer->responses.front().partition_responses.front().error_code : kEnded;
}

Task<int64_t> produce_a_bomb(io::Shard& shard) {
  record::BatchBuilder builder({.codec = record::Codec::kGzip});
  const std::string zeros(2 << 20, '\0');
  builder.add({.timestamp = base::Timestamp{1'700'000'000'000}, .value = base::as_bytes(zeros)});
  return produce_bytes(shard, std::move(builder).build());
}

// Whether what a forgotten producer sends again is appended again.
Task<int64_t> produce_as_many(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  std::vector<int64_t> offsets;
  for (const int64_t id : {1, 2, 3, 4, 1}) {
    const Batch batch{.values = {"x"}, .producer_id = id, .producer_epoch = 0, .sequence = 0};
    const Produced done = co_await client->produce(kTopic, 0, -1, batch);
    EXPECT_TRUE(done.acknowledged());
    offsets.push_back(done.base_offset);
  }
  co_return offsets.back();
}

Task<int64_t> write_to_all(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  int64_t code = kServed;
  for (int i = 0; i < 12 && code == kServed; ++i) {
    const Produced done = co_await client->produce(kTopic, i % 6, -1, Batch{.values = {"x"}});
    code = done.code;
  }
  co_return code;
}

Task<int64_t> one_topic_more(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  co_return co_await client->create_topic("more", 5);
}

Task<int64_t> configure_two_groups(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  int64_t code = -1;
  for (const char* const group : {"one", "one", "other"}) {
    wire::IncrementalAlterConfigsRequest alter;
    auto& resource = alter.resources.emplace_back();
    resource.resource_type = 32;
    resource.resource_name = group;
    resource.configs.push_back({.name = "consumer.session.timeout.ms", .config_operation = 0, .value = "50000"});
    const auto answer = co_await client->call<wire::IncrementalAlterConfigsResponse>(alter, 1);
    code = answer ? answer->responses.front().error_code : kEnded;
    if (code != 0) {
      EXPECT_STREQ(group, "other");
      break;
    }
  }
  co_return code;
}

// --- groups

wire::JoinGroupRequest join_of(std::string_view group, base::Bytes metadata = {}) {
  wire::JoinGroupRequest request;
  request.group_id = group;
  request.session_timeout_ms = 10'000;
  request.rebalance_timeout_ms = 10'000;
  request.protocol_type = "consumer";
  request.protocols.push_back({.name = "range", .metadata = metadata});
  return request;
}

bool not_yet(int64_t code) { return code >= 14 && code <= 16; }  // the coordinator is not there or loads

// Of version 3, which asks for no id first. Groups g0, g1 and so on, by turns.
Task<int64_t> join_as(io::Shard& shard, int joins, bool one_group, size_t metadata_bytes) {
  const base::ByteVector metadata(metadata_bytes);
  int64_t code = -1;
  for (int i = 0; i < joins; ++i) {
    const auto client = co_await connect_patiently(shard);
    const std::string group = one_group ? "g" : "g" + std::to_string(i);
    wire::FindCoordinatorRequest find;
    find.coordinator_keys.emplace_back(group);
    do {
      co_await client->call<wire::FindCoordinatorResponse>(find, 4);
      const auto answer = co_await client->call<wire::JoinGroupResponse>(join_of(group, metadata), 3);
      code = answer ? answer->error_code : kEnded;
      if (not_yet(code)) co_await io::sleep_until(shard, shard.clock().now() + milliseconds{50});
    } while (not_yet(code));
    if (code != 0) break;
  }
  co_return code;
}
Task<int64_t> join_two_groups(io::Shard& shard) { return join_as(shard, 2, false, 10); }
Task<int64_t> join_one_group_twice(io::Shard& shard) { return join_as(shard, 2, true, 10); }
Task<int64_t> join_with_much(io::Shard& shard) { return join_as(shard, 1, true, 1'100'000); }

Task<int64_t> commit_three(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  wire::FindCoordinatorRequest find;
  find.coordinator_keys.emplace_back("g");
  wire::OffsetCommitRequest request;
  request.group_id = "g";
  auto& topic = request.topics.emplace_back();
  topic.name = kTopic;
  for (int i = 0; i < 3; ++i) {
    auto& part = topic.partitions.emplace_back();
    part.partition_index = i;
    part.committed_metadata = i == 2 ? "12345" : "1";
  }
  int64_t code = -1;
  // The offsets of the first commit are known once it is answered.
  for (int commits = 0; commits < 2;) {
    co_await client->call<wire::FindCoordinatorResponse>(find, 4);
    topic.partitions.back().partition_index = 2 + commits;
    const auto answer = co_await client->call<wire::OffsetCommitResponse>(request, 7);
    code = answer ? answer->topics.front().partitions.back().error_code : kEnded;
    if (not_yet(code)) {
      co_await io::sleep_until(shard, shard.clock().now() + milliseconds{50});
    } else {
      ++commits;
    }
  }
  co_return code;
}

// --- the HTTP listener

Task<int64_t> sit_on_http(io::Shard& shard) {
  const auto client = co_await Client::connect(shard, "broker", 9644);
  co_return co_await client->ended() ? kEnded : kServed;
}

Task<int64_t> crowd_http(io::Shard& shard) {
  const auto first = co_await Client::connect(shard, "broker", 9644);
  co_return co_await sit_on_http(shard);
}

// --- the table

struct Case {
  base::Limit limit;
  config::ConfigMap config;
  Task<int64_t> (*meet)(io::Shard& shard);
  int64_t answer;
  bool told = true;  // by a line of the log
};

std::vector<Case> all_cases() {
  using base::Limit;
  const std::string least_memory = "1048576";
  const config::ConfigMap hurry{{"socket.request.max.bytes", "1000000"}, {"stele.connection.frame.timeout.ms", "2000"}};
  const config::ConfigMap http{{"stele.http.port", "9644"}, {"stele.http.host", ""}};
  const auto with = [](config::ConfigMap map, const std::string& name, const std::string& value) {
    map.insert_or_assign(name, value);
    return map;
  };
  return {
      {Limit::kConnections, {{"max.connections", "2"}}, five_connections, 2},
      {Limit::kConnectionsPerAddress, {{"max.connections.per.ip", "2"}}, five_connections, 2},
      {Limit::kConnectionRate, {{"max.connection.creation.rate", "1"}}, five_connections, 5},
      {Limit::kIdle, {{"connections.max.idle.ms", "2000"}}, until_ended, kEnded, false},
      {Limit::kFrameBytes, {{"socket.request.max.bytes", "100000"}}, too_large_a_frame, kEnded},
      {Limit::kFrameTimeout, {{"stele.connection.frame.timeout.ms", "2000"}}, half_a_frame, kEnded},
      {Limit::kWriteTimeout, {{"stele.connection.write.timeout.ms", "2000"}}, never_read, kEnded},
      {Limit::kRequestsInFlight, {{"stele.connection.requests.max", "2"}}, produce_ahead, kServed, false},
      {Limit::kAnswerBytes, {{"stele.connection.answers.bytes", "65536"}}, read_late, kServed, false},
      {Limit::kRequestElements, {{"stele.request.elements.max", "10"}}, name_twenty_topics, kEnded},
      {Limit::kRequestMemory, {{"stele.request.memory.max", "1048576"}}, describe_many_groups, kEnded},
      {Limit::kMemoryData, with(hurry, "stele.memory.data.bytes", least_memory), hoard_data, kServed},
      {Limit::kMemoryControl, with(hurry, "stele.memory.control.bytes", least_memory), hoard_control, kServed},
      {Limit::kMemoryGroups, with(hurry, "stele.memory.groups.bytes", least_memory), hoard_groups, kServed},
      {Limit::kFetchWaiters, {{"stele.fetch.waiters.max", "1"}}, fetch_beside_others, kServed},
      {Limit::kProduceWaiters, {{"stele.produce.waiters.max", "1"}}, produce_ahead, kServed},
      {Limit::kFetchSessionSlots,
       {{"max.incremental.fetch.session.cache.slots", "3"}},  // one for each of three shards
       readers_with_sessions,
       3,
       false},
      {Limit::kFetchSessionPartitions, {{"stele.fetch.session.partitions.max", "2"}}, readers_with_sessions, 0},
      {Limit::kFetchSessionsPartitions, {{"stele.fetch.sessions.partitions.max", "9"}}, readers_with_sessions, 3},
      {Limit::kDecompressedBytes, {{"stele.batch.decompressed.bytes.max", "1048576"}}, produce_a_bomb, 10},
      {Limit::kProducerIds, {{"stele.producer.ids.max", "2"}}, produce_as_many, 4},
      {Limit::kOpenFiles, {{"stele.open.files.max", "1"}}, write_to_all, kServed, false},
      {Limit::kPartitions, {{"stele.partitions.max", "10"}}, one_topic_more, 44},
      {Limit::kRequestPartitions, {{"stele.request.partitions.max", "4"}}, one_topic_more, 44},
      {Limit::kConfigResources, {{"stele.config.resources.max", "1"}}, configure_two_groups, 44},
      {Limit::kGroups, {{"stele.groups.max", "1"}}, join_two_groups, 44},
      {Limit::kGroupSize, {{"group.max.size", "1"}}, join_one_group_twice, 81},
      {Limit::kGroupMembersBytes, {{"stele.group.members.bytes.max", "1048576"}}, join_with_much, 81},
      {Limit::kGroupOffsets, {{"stele.group.offsets.max", "3"}}, commit_three, 28},
      {Limit::kOffsetMetadata, {{"offset.metadata.max.bytes", "4"}}, commit_three, 12},
      {Limit::kRebuiltBytes,
       {{"stele.batch.rebuilt.bytes.max", "1048576"}, {"compression.type", "uncompressed"}},
       produce_a_bomb,
       10},
      {Limit::kHttpConnections, with(http, "stele.http.connections.max", "1"), crowd_http, kEnded},
      {Limit::kHttpIdle, with(http, "stele.http.idle.ms", "5000"), sit_on_http, kEnded, false},
  };
}

void PrintTo(const Case& of, std::ostream* out) { *out << base::option_of(of.limit); }

class EachLimit : public ::testing::TestWithParam<Case> {
 protected:
  void start(config::ConfigMap config) {
    // One partition has all of what is split evenly over those of the offsets topic.
    config.emplace("offsets.topic.num.partitions", "1");
    config.emplace("stele.durability", "synced");
    world_ = std::make_unique<BrokerWorld>(WorldOptions{.seed = 9, .shards = 3, .config = std::move(config)});
    world_->start();
  }
  static Task<void> make_topic(io::Shard& shard, int32_t at_a_time) {
    const auto client = co_await connect_patiently(shard);
    EXPECT_EQ(co_await client->create_topic(kTopic, at_a_time), 0);
  }
  static Task<void> keep_answer(io::Shard& shard, Task<int64_t> (*meet)(io::Shard&), int64_t& answer) {
    answer = co_await meet(shard);
  }
  uint64_t met(base::Limit limit) {
    const std::string text = world_->metrics();
    const std::string name = fmt::format("stele_limit_reached_total{{option=\"{}\"}} ", base::option_of(limit));
    const size_t at = text.find(name);
    return at == std::string::npos ? 0 : std::stoull(text.substr(at + name.size()));
  }
  void TearDown() override {
    EXPECT_EQ(world_->stop(), 0);
    if (HasFailure()) std::fprintf(stderr, "%s", world_->lines().text().c_str());
  }
  std::unique_ptr<BrokerWorld> world_;
};

TEST_P(EachLimit, is_set_by_its_option_answered_told_and_counted) {
  const Case& the = GetParam();
  start(the.config);
  const int32_t partitions = the.limit == base::Limit::kRequestPartitions ? 4 : 6;
  ASSERT_TRUE(world_->run([&](io::Shard& shard) { return make_topic(shard, partitions); }));
  ASSERT_TRUE(world_->run_until([this] { return world_->connections() == 0; }, seconds{30}));
  const std::string line = fmt::format("({})", base::option_of(the.limit));
  EXPECT_EQ(met(the.limit), 0U);
  EXPECT_FALSE(world_->lines().mention(line));
  world_->broker_host().disk().set_faults({.slow = io::kAlways, .slow_longest = milliseconds{50}});
  int64_t answer = -1;
  EXPECT_TRUE(world_->run([&](io::Shard& shard) { return keep_answer(shard, the.meet, answer); }));
  world_->broker_host().disk().set_faults({});
  EXPECT_EQ(answer, the.answer);
  EXPECT_GT(met(the.limit), 0U);
  EXPECT_EQ(world_->lines().mention(line), the.told);
}

std::string name_of(const ::testing::TestParamInfo<Case>& info) {
  std::string name{base::option_of(info.param.limit)};
  std::ranges::replace(name, '.', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(, EachLimit, ::testing::ValuesIn(all_cases()), name_of);

TEST(EveryLimit, has_its_case) {
  std::vector<int> cases(base::kLimitOptions.size());
  for (const Case& one : all_cases()) ++cases[static_cast<size_t>(one.limit)];
  for (size_t i = 0; i < cases.size(); ++i) EXPECT_EQ(cases[i], 1) << base::kLimitOptions[i];
}

}  // namespace
}  // namespace stele::sim
