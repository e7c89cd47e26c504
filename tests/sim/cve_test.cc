// What Apache Kafka had to learn, as far as it concerns one broker; each test has the number of the CVE in its name.
// Those of decoders and codecs alone stand beside them (src/wire/limits_test.cc, src/record/codec_limits_test.cc).
#include <gtest/gtest.h>

#include <array>

#include "base/varint.h"
#include "sim/broker_world.h"
#include "sim/client.h"
#include "wire/api_versions_request.h"
#include "wire/api_versions_response.h"
#include "wire/create_topics_request.h"
#include "wire/delete_records_request.h"
#include "wire/delete_topics_request.h"
#include "wire/describe_configs_request.h"
#include "wire/fetch_request.h"
#include "wire/fetch_response.h"
#include "wire/fetch_snapshot_request.h"
#include "wire/get_telemetry_subscriptions_request.h"
#include "wire/list_offsets_request.h"
#include "wire/list_offsets_response.h"
#include "wire/metadata_request.h"
#include "wire/metadata_response.h"
#include "wire/offset_commit_request.h"
#include "wire/offset_fetch_request.h"
#include "wire/offset_for_leader_epoch_request.h"
#include "wire/produce_request.h"
#include "wire/produce_response.h"
#include "wire/push_telemetry_request.h"

namespace stele::sim {
namespace {

using base::Task;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int16_t kNotLeaderOrFollower = 6;
constexpr int16_t kTransactionalIdAuthorizationFailed = 53;
const std::string kTopic = "lessons";

Task<void> make_topic(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  EXPECT_EQ(co_await client->create_topic(kTopic, 2), 0);
  for (const char* value : {"one", "two"}) {
    Batch batch;
    batch.values.emplace_back(value);
    const Produced done = co_await client->produce(kTopic, 0, -1, std::move(batch));
    EXPECT_TRUE(done.acknowledged());
  }
}

class CveTest : public ::testing::Test {
 protected:
  void SetUp() override {
    world_ = std::make_unique<BrokerWorld>(WorldOptions{.seed = 11, .shards = 2, .config = {}});
    world_->start();
    run(make_topic);
  }
  void run(BrokerWorld::Client client) { ASSERT_TRUE(world_->run(std::move(client))); }
  void TearDown() override {
    EXPECT_EQ(world_->stop(), 0);
    if (HasFailure()) std::fprintf(stderr, "%s", world_->lines().text().c_str());
  }
  std::unique_ptr<BrokerWorld> world_;
};

// The broker ends the connection at this request; another one is served.
template <class Request>
Task<void> is_refused(io::Shard& shard, Request request, int16_t version) {
  const auto client = co_await connect_patiently(shard);
  EXPECT_TRUE(co_await client->send(wire::request_frame(1, "c", request, version).value()));
  EXPECT_TRUE(co_await client->ended()) << Request::kName << " v" << version;
  const auto other = co_await connect_patiently(shard);
  const auto answer = co_await other->template call<wire::MetadataResponse>(wire::MetadataRequest{}, 1);
  EXPECT_TRUE(answer);
}

// --- who says that it is a replica

Task<void> fetch_as_replica(io::Shard& shard, int32_t replica) {
  const auto client = co_await connect_patiently(shard);
  wire::FetchRequest request;
  request.replica_id = replica;
  request.max_bytes = 1 << 20;
  auto& topic = request.topics.emplace_back();
  topic.topic = kTopic;
  auto& part = topic.partitions.emplace_back();
  part.fetch_offset = 1'000'000;  // as a follower far ahead
  part.partition_max_bytes = 1 << 20;
  const auto answer = co_await client->call<wire::FetchResponse>(request, 12);
  EXPECT_TRUE(answer);
  if (!answer) co_return;
  const auto& found = answer->responses.front().partitions.front();
  EXPECT_EQ(found.error_code, kNotLeaderOrFollower);
  EXPECT_TRUE(!found.records || found.records->empty());
}

Task<void> high_watermark_is(io::Shard& shard, int64_t wanted) {
  const auto client = co_await connect_patiently(shard);
  wire::ListOffsetsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = kTopic;
  topic.partitions.emplace_back().timestamp = -1;
  const auto answer = co_await client->call<wire::ListOffsetsResponse>(request, 7);
  EXPECT_TRUE(answer && answer->topics.front().partitions.front().offset == wanted);
}

TEST_F(CveTest, CVE_2018_1288_a_client_that_calls_itself_a_replica_reads_nothing_and_moves_nothing) {
  for (const int32_t replica : {0, 1, 2, 1000}) {
    run([replica](io::Shard& shard) { return fetch_as_replica(shard, replica); });
  }
  run([](io::Shard& shard) { return high_watermark_is(shard, 2); });
}

// --- what a batch is, not what its request says

Task<void> produce_in_transaction(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  const base::ByteVector plain = encode({.values = {"plain"}});
  base::ByteVector transactional = encode({.values = {"x"}, .producer_id = 5, .producer_epoch = 0, .sequence = 0});
  base::store_be(transactional.data() + 21, uint16_t{record::kTransactionalBit});
  record::update_crc(transactional);
  wire::ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 1000;
  auto& topic = request.topic_data.emplace_back();
  topic.name = kTopic;
  topic.partition_data.push_back({.index = 0, .records = plain});
  topic.partition_data.push_back({.index = 1, .records = transactional});
  const auto answer = co_await client->call<wire::ProduceResponse>(request, 11);
  EXPECT_TRUE(answer);
  if (!answer) co_return;
  for (const auto& part : answer->responses.front().partition_responses) {
    EXPECT_EQ(part.error_code, kTransactionalIdAuthorizationFailed) << part.index;
  }
}

TEST_F(CveTest, CVE_2018_17196_a_transactional_batch_is_known_by_itself) {
  run(produce_in_transaction);
  run([](io::Shard& shard) { return high_watermark_is(shard, 2); });
}

// --- counts that nobody has authenticated for

void append_uvarint(base::ByteVector& out, uint32_t value) {
  std::array<std::byte, 10> bytes{};
  base::append(out, base::Bytes{bytes}.first(base::write_uvarint(bytes.data(), value)));
}

// An ApiVersions v3 with a header of so many tagged fields of nothing.
base::ByteVector many_tags(uint32_t count) {
  base::ByteVector content;
  base::append_be(content, int16_t{18});
  base::append_be(content, int16_t{3});
  base::append_be(content, int32_t{1});
  base::append_be(content, int16_t{-1});
  append_uvarint(content, count);
  content.resize(content.size() + size_t{2} * std::min<uint32_t>(count, 2'000'000));  // tag 0 of size 0
  base::ByteVector frame;
  base::append_be(frame, static_cast<int32_t>(content.size()));
  base::append(frame, content);
  return frame;
}

Task<void> send_tags(io::Shard& shard, uint32_t count) {
  const auto client = co_await connect_patiently(shard);
  EXPECT_TRUE(co_await client->send(many_tags(count)));
  EXPECT_TRUE(co_await client->ended());
}

TEST_F(CveTest, CVE_2026_111115_a_header_of_millions_of_tagged_fields_is_refused) {
  for (const uint32_t count : {10'001U, 2'000'000U, 0x7fffffffU}) {
    run([count](io::Shard& shard) { return send_tags(shard, count); });
  }
  EXPECT_TRUE(world_->lines().mention("too many tagged fields"));
}

// OffsetFetch v8: two groups, each with so many topics of no partitions, three bytes each.
base::ByteVector groups_of_topics(uint32_t topics) {
  base::ByteVector content;
  base::append_be(content, int16_t{9});
  base::append_be(content, int16_t{8});
  base::append_be(content, int32_t{1});
  base::append_be(content, int16_t{-1});
  base::append(content, base::from_hex("00 03"));
  for (int group = 0; group < 2; ++group) {
    base::append(content, base::from_hex("02 67"));
    append_uvarint(content, topics + 1);
    for (uint32_t i = 0; i < topics; ++i) base::append(content, base::from_hex("010100"));
    base::append(content, base::from_hex("00"));
  }
  base::append(content, base::from_hex("00 00"));
  base::ByteVector frame;
  base::append_be(frame, static_cast<int32_t>(content.size()));
  base::append(frame, content);
  return frame;
}

Task<void> send_groups(io::Shard& shard, uint32_t topics, bool taken) {
  const auto client = co_await connect_patiently(shard);
  EXPECT_TRUE(co_await client->send(groups_of_topics(topics)));
  if (taken) {
    EXPECT_TRUE(co_await client->receive());
  } else {
    EXPECT_TRUE(co_await client->ended());
  }
}

TEST_F(CveTest, CVE_2026_111108_arrays_inside_arrays_are_counted_together) {
  run([](io::Shard& shard) { return send_groups(shard, 100'000, true); });
  const std::string count = "stele_limit_reached_total{option=\"stele.request.elements.max\"} ";
  EXPECT_NE(world_->metrics().find(count + "0\n"), std::string::npos);
  run([](io::Shard& shard) { return send_groups(shard, 600'000, false); });
  EXPECT_TRUE(world_->lines().mention("(stele.request.elements.max)"));
  EXPECT_NE(world_->metrics().find(count + "1\n"), std::string::npos);
}

Task<void> announce_array(io::Shard& shard, int32_t count) {
  const auto client = co_await connect_patiently(shard);
  base::ByteVector content;
  base::append_be(content, int16_t{3});  // Metadata v4
  base::append_be(content, int16_t{4});
  base::append_be(content, int32_t{1});
  base::append_be(content, int16_t{-1});
  base::append_be(content, count);
  base::ByteVector frame;
  base::append_be(frame, static_cast<int32_t>(content.size()));
  base::append(frame, content);
  EXPECT_TRUE(co_await client->send(std::move(frame)));
  EXPECT_TRUE(co_await client->ended());
}

TEST_F(CveTest, CVE_2022_34917_an_array_longer_than_its_request_is_refused) {
  for (const int32_t count : {100, 1'000'000, 0x7fffffff}) {
    run([count](io::Shard& shard) { return announce_array(shard, count); });
  }
  EXPECT_TRUE(world_->lines().mention("has an array longer than its bytes"));
  EXPECT_TRUE(world_->lines().mention("has an array of too many elements"));
}

// --- APIs that are not there cannot be used

TEST_F(CveTest, CVE_2026_111073_telemetry_is_not_taken) {
  run([](io::Shard& shard) { return is_refused(shard, wire::PushTelemetryRequest{}, 0); });
  run([](io::Shard& shard) { return is_refused(shard, wire::GetTelemetrySubscriptionsRequest{}, 0); });
}

TEST_F(CveTest, CVE_2026_83525_a_snapshot_of_no_topics_harms_nobody) {
  run([](io::Shard& shard) { return is_refused(shard, wire::FetchSnapshotRequest{}, 1); });
}

// The same mistake elsewhere: requests whose arrays are all empty.
template <class Request>
Task<void> ask_for_nothing(io::Shard& shard) {
  for (int16_t version = Request::kMinVersion; version <= Request::kMaxVersion; ++version) {
    const auto client = co_await connect_patiently(shard);
    const auto frame = wire::request_frame(1, "c", Request{}, version);
    if (!frame.ok()) continue;
    EXPECT_TRUE(co_await client->send(*frame));
    co_await io::sleep_until(shard, shard.clock().now() + milliseconds{20});
  }
  const auto other = co_await connect_patiently(shard);
  const auto answer = co_await other->template call<wire::MetadataResponse>(wire::MetadataRequest{}, 1);
  EXPECT_TRUE(answer) << Request::kName;
}

TEST_F(CveTest, CVE_2026_83525_requests_with_empty_arrays_harm_nobody) {
  run(ask_for_nothing<wire::ProduceRequest>);
  run(ask_for_nothing<wire::FetchRequest>);
  run(ask_for_nothing<wire::ListOffsetsRequest>);
  run(ask_for_nothing<wire::OffsetCommitRequest>);
  run(ask_for_nothing<wire::OffsetFetchRequest>);
  run(ask_for_nothing<wire::CreateTopicsRequest>);
  run(ask_for_nothing<wire::DeleteTopicsRequest>);
  run(ask_for_nothing<wire::DeleteRecordsRequest>);
  run(ask_for_nothing<wire::OffsetForLeaderEpochRequest>);
  run(ask_for_nothing<wire::DescribeConfigsRequest>);
}

}  // namespace
}  // namespace stele::sim
