// Clients that mean harm, or are broken: whatever one sends, or does not send, another on the same broker goes on as
// before, the log says what was wrong, and no memory stays charged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/broker_world.h"
#include "sim/client.h"
#include "wire/api_versions_request.h"
#include "wire/api_versions_response.h"
#include "wire/fetch_request.h"
#include "wire/metadata_request.h"

namespace stele::sim {
namespace {

using base::Task;
using std::chrono::milliseconds;
using std::chrono::seconds;

const std::string kTopic = "quiet";

base::ByteVector raw(const std::function<void(base::ByteVector&)>& write) {
  base::ByteVector bytes;
  write(bytes);
  return bytes;
}

// A frame of this length field with these bytes behind it.
base::ByteVector framed(int32_t announced, base::Bytes content) {
  return raw([&](base::ByteVector& out) {
    base::append_be(out, announced);
    base::append(out, content);
  });
}

base::ByteVector header(int16_t key, int16_t version) {
  return raw([&](base::ByteVector& out) {
    base::append_be(out, key);
    base::append_be(out, version);
    base::append_be(out, int32_t{7});   // correlation id
    base::append_be(out, int16_t{-1});  // no client id
  });
}

base::ByteVector request(int16_t key, int16_t version, base::Bytes body) {
  base::ByteVector content = header(key, version);
  base::append(content, body);
  return framed(static_cast<int32_t>(content.size()), content);
}

class HostileTest : public ::testing::Test {
 protected:
  // What one well-behaved client on the same broker sees all along.
  struct Bystander {
    int rounds = 0;
    base::Duration slowest{};
    bool broken = false;
  };

  void start(config::ConfigMap config = {}, uint32_t shards = 3) {
    world_ = std::make_unique<BrokerWorld>(WorldOptions{.seed = 42, .shards = shards, .config = std::move(config)});
    world_->start();
    ASSERT_TRUE(world_->run([](io::Shard& shard) { return make_topic(shard); }));
  }

  static Task<void> make_topic(io::Shard& shard) {
    const auto client = co_await connect_patiently(shard);
    EXPECT_EQ(co_await client->create_topic(kTopic, 3), 0);
  }

  static Task<void> stand_by(io::Shard& shard, Bystander& by) {
    const auto client = co_await connect_patiently(shard);
    std::map<int32_t, int64_t> next;
    for (int32_t i = 0;; ++i) {
      const base::MonoTime begun = shard.clock().now();
      const int32_t partition = i % 3;
      const std::string value = "value " + std::to_string(i);
      Batch batch;
      batch.values.push_back(value);
      const Produced done = co_await client->produce(kTopic, partition, -1, std::move(batch));
      const Fetched fetched = co_await client->fetch(kTopic, {{partition, done.base_offset}}, 100);
      const auto found = fetched.records.find(partition);
      if (!done.acknowledged() || found == fetched.records.end() || found->second.front().value != value) {
        by.broken = true;
        ADD_FAILURE() << "the other client is disturbed: produce " << done.code << ", fetch " << fetched.code;
        co_return;
      }
      by.slowest = std::max(by.slowest, shard.clock().now() - begun);
      ++by.rounds;
      co_await io::sleep_until(shard, shard.clock().now() + milliseconds{5});
    }
  }

  static Task<void> side_by_side(io::Shard& shard, Bystander& by, BrokerWorld::Client hostile) {
    base::TaskScope scope{shard.executor(), [](std::exception_ptr fault) { std::rethrow_exception(fault); }};
    scope.spawn(stand_by(shard, by));
    co_await io::sleep_until(shard, shard.clock().now() + milliseconds{50});
    const int before = by.rounds;
    co_await hostile(shard);
    co_await io::sleep_until(shard, shard.clock().now() + milliseconds{100});
    EXPECT_GT(by.rounds, before + 5);
  }

  // The hostile client beside a well-behaved one; then everything is as it was.
  void attack(BrokerWorld::Client hostile, base::Duration longest = std::chrono::minutes{30}) {
    Bystander by;
    EXPECT_TRUE(world_->run([&](io::Shard& shard) { return side_by_side(shard, by, hostile); }, longest))
        << "the hostile client never ends";
    EXPECT_FALSE(by.broken);
    EXPECT_LT(by.slowest, milliseconds{50});
    EXPECT_TRUE(world_->run_until([this] { return world_->connections() == 0; }, seconds{5}));
    world_->pass(seconds{1});
    EXPECT_EQ(world_->bytes_charged(), 0U);
  }

  // The broker closes the connection after these bytes, and the log tells why.
  void refuses(base::ByteVector bytes, std::string_view why) {
    attack([bytes = std::move(bytes)](io::Shard& shard) { return send_and_see_end(shard, bytes); });
    EXPECT_TRUE(world_->lines().mention(why)) << world_->lines().text();
  }

  static Task<void> send_and_see_end(io::Shard& shard, base::ByteVector bytes) {
    const auto client = co_await connect_patiently(shard);
    co_await client->send(std::move(bytes));
    EXPECT_TRUE(co_await client->ended());
  }

  void TearDown() override {
    EXPECT_EQ(world_->stop(), 0);
    EXPECT_THAT(world_->lines().errors(), ::testing::IsEmpty());
    if (HasFailure()) std::fprintf(stderr, "%s", world_->lines().text().c_str());
  }

  std::unique_ptr<BrokerWorld> world_;
};

Task<void> idle(io::Shard& shard, int count) {
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < count; ++i) clients.push_back(co_await connect_patiently(shard));
  co_await io::sleep_until(shard, shard.clock().now() + seconds{5});
}

Task<void> send_and_leave(io::Shard& shard, base::ByteVector bytes) {
  const auto client = co_await connect_patiently(shard);
  co_await client->send(std::move(bytes));
  co_await io::sleep_until(shard, shard.clock().now() + milliseconds{200});
}

// --- frames

TEST_F(HostileTest, a_frame_of_negative_length_ends_its_connection) {
  start();
  refuses(framed(-5, base::as_bytes("whatever")), "a frame of -5 bytes");
}

TEST_F(HostileTest, a_frame_of_no_length_ends_its_connection) {
  start();
  refuses(framed(0, {}), "a frame of 0 bytes");
}

TEST_F(HostileTest, a_frame_over_the_limit_ends_its_connection_before_it_is_read) {
  start({{"socket.request.max.bytes", "1000000"}});
  refuses(framed(1'000'001, base::as_bytes("begin")), "a frame of 1000001 bytes");
}

TEST_F(HostileTest, an_http_request_ends_its_connection) {
  start();
  const auto bytes = base::as_bytes("GET / HTTP/1.1\r\nHost: broker\r\n\r\n");
  refuses({bytes.begin(), bytes.end()}, "a frame of 1195725856 bytes");
}

TEST_F(HostileTest, a_frame_shorter_than_a_header_ends_its_connection) {
  start();
  refuses(framed(1, base::as_bytes("x")), "closed:");
}

TEST_F(HostileTest, an_unknown_key_and_an_unknown_version_end_their_connections) {
  start();
  const base::ByteVector no_tags(1);
  refuses(request(999, 0, {}), "there is no API with key 999");
  refuses(request(-7, 0, {}), "there is no API with key -7");
  refuses(request(3, 99, no_tags), "API key 3 v99 is not served");
}

TEST_F(HostileTest, random_bytes_in_a_frame_end_their_connection) {
  start();
  base::SeededRandom random{7};
  for (const int key :
       {0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22, 23, 32, 33, 35, 37, 44, 60, 75}) {
    base::ByteVector body;
    for (int i = 0; i < 200; ++i) body.push_back(static_cast<std::byte>(random.below(256)));
    const auto one = request(static_cast<int16_t>(key), 3, body);
    EXPECT_TRUE(world_->run([&one](io::Shard& shard) { return send_and_leave(shard, one); }, seconds{30}))
        << "key " << key;
  }
  attack([](io::Shard& shard) { return idle(shard, 1); });
}

TEST_F(HostileTest, absurd_array_counts_end_their_connections_without_memory) {
  start();
  const base::ByteVector counts = raw([](base::ByteVector& out) {
    for (int i = 0; i < 4; ++i) base::append_be(out, int32_t{0x7fffffff});
  });
  refuses(request(3, 4, counts), "MetadataRequest");
  refuses(request(2, 1, raw([](base::ByteVector& out) {
                    base::append_be(out, int32_t{-1});
                    base::append_be(out, int32_t{0x7ffffff0});
                  })),
          "ListOffsets");
  // Compact: a varint of 2^31.
  refuses(request(3, 9, raw([](base::ByteVector& out) {
                    out.push_back(std::byte{0});
                    for (int i = 0; i < 4; ++i) out.push_back(std::byte{0xff});
                    out.push_back(std::byte{0x07});
                  })),
          "MetadataRequest");
}

// --- clients that are slow, or gone

Task<void> send_cut(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  Batch batch;
  batch.values.emplace_back(100'000, 'c');
  base::ByteVector bytes = Client::produce_frame(1, kTopic, 0, -1, batch);
  bytes.resize(bytes.size() / 2);
  EXPECT_TRUE(co_await client->send(std::move(bytes)));
  co_await io::sleep_until(shard, shard.clock().now() + milliseconds{20});
}

TEST_F(HostileTest, a_frame_that_is_cut_by_the_client_leaves_nothing_behind) {
  start();
  attack(send_cut);
  EXPECT_TRUE(world_->lines().mention("in the middle of a request")) << world_->lines().text();
}

Task<void> send_slowly(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  const base::ByteVector bytes = framed(10'000, header(0, 9));
  for (size_t i = 0;; ++i) {
    base::ByteVector one;
    one.push_back(i < bytes.size() ? bytes[i] : std::byte{0});
    if (!co_await client->send(std::move(one))) co_return;
    co_await io::sleep_until(shard, shard.clock().now() + seconds{1});
  }
}

TEST_F(HostileTest, a_client_that_sends_a_byte_a_second_is_let_go) {
  start({{"stele.connection.frame.timeout.ms", "30000"}});
  attack(send_slowly);
  EXPECT_TRUE(world_->lines().mention("did not arrive whole in time")) << world_->lines().text();
}

// Asks for much, reads nothing.
Task<void> never_read(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  wire::ApiVersionsRequest versions;
  while (co_await client->send(client->frame<wire::ApiVersionsResponse>(versions, 2))) {
  }
}

TEST_F(HostileTest, a_client_that_never_reads_is_let_go) {
  start({{"stele.connection.write.timeout.ms", "20000"}});
  attack(never_read);
  EXPECT_TRUE(world_->lines().mention("does not read its answers")) << world_->lines().text();
}

Task<void> fetch_and_never_read(io::Shard& shard) {
  const auto writer = co_await connect_patiently(shard);
  for (int i = 0; i < 20; ++i) {
    Batch batch;
    batch.values.emplace_back(100'000, 'f');
    EXPECT_TRUE((co_await writer->produce(kTopic, 0, -1, std::move(batch))).acknowledged());
  }
  const auto client = co_await connect_patiently(shard);
  wire::FetchRequest fetch;
  fetch.max_bytes = 50 << 20;
  auto& topic = fetch.topics.emplace_back();
  topic.topic = kTopic;
  auto& part = topic.partitions.emplace_back();
  part.partition_max_bytes = 50 << 20;
  while (co_await client->send(wire::request_frame(1, "hostile", fetch, 12).value())) {
  }
}

TEST_F(HostileTest, a_reader_that_never_reads_is_let_go) {
  start({{"stele.connection.write.timeout.ms", "20000"}});
  attack(fetch_and_never_read);
  EXPECT_TRUE(world_->lines().mention("does not read its answers")) << world_->lines().text();
}

// --- fetches that name much

constexpr int kNamed = 100'000;

// Long polls of one partition that nobody writes to, which each of them names so often.
Task<void> poll_of_many(io::Shard& shard, BrokerWorld& world) {
  std::vector<std::unique_ptr<Client>> clients;
  clients.push_back(co_await connect_patiently(shard));
  EXPECT_EQ(co_await clients.front()->create_topic("still", 1), 0);
  wire::FetchRequest fetch;
  fetch.max_wait_ms = 3'000;
  fetch.min_bytes = 1;
  auto& topic = fetch.topics.emplace_back();
  topic.topic = "still";
  for (int i = 0; i < kNamed; ++i) topic.partitions.emplace_back().partition_max_bytes = 1000;
  for (int i = 0; i < 2; ++i) {
    if (i > 0) clients.push_back(co_await connect_patiently(shard));
    EXPECT_TRUE(co_await clients.back()->send(wire::request_frame(1, "hostile", fetch, 12).value()));
  }
  co_await io::sleep_until(shard, shard.clock().now() + seconds{2});
  EXPECT_GT(world.bytes_charged(), size_t{2} * kNamed * 600) << "what the broker keeps for each of them is charged";
  for (const auto& client : clients) EXPECT_TRUE(co_await client->receive());
}

TEST_F(HostileTest, long_polls_that_name_a_partition_very_often_are_charged_for_it) {
  start();
  attack([this](io::Shard& shard) { return poll_of_many(shard, *world_); });
}

// --- many

TEST_F(HostileTest, two_hundred_idle_connections_disturb_nobody) {
  start();
  attack([](io::Shard& shard) { return idle(shard, 200); });
}

Task<void> idle_until_closed(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  EXPECT_TRUE(co_await client->ended());
}

TEST_F(HostileTest, an_idle_connection_is_let_go_in_time) {
  start({{"connections.max.idle.ms", "5000"}});
  attack(idle_until_closed);
}

// Idle for an hour; then it is answered.
Task<void> idle_for_an_hour(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  co_await io::sleep_until(shard, shard.clock().now() + std::chrono::hours{1});
  const auto answer = co_await client->call<wire::ApiVersionsResponse>(wire::ApiVersionsRequest{}, 2);
  EXPECT_TRUE(answer) << "it was closed";
}

TEST_F(HostileTest, an_idle_connection_is_kept_where_connections_max_idle_ms_is_minus_1_or_the_longest) {
  for (const char* longest : {"-1", "9223372036854775807"}) {
    SCOPED_TRACE(longest);
    start({{"connections.max.idle.ms", longest}});
    EXPECT_TRUE(world_->run(idle_for_an_hour, std::chrono::hours{2}));
  }
}

// Fills every byte of the budget with requests that are never whole.
Task<void> hoard(io::Shard& shard) {
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 24; ++i) {
    clients.push_back(co_await connect_patiently(shard));
    base::ByteVector bytes = framed(900'000, header(0, 9));
    bytes.resize(60'000);
    EXPECT_TRUE(co_await clients.back()->send(std::move(bytes)));
  }
  for (auto& client : clients) EXPECT_TRUE(co_await client->ended());
}

TEST_F(HostileTest, unfinished_requests_that_fill_the_budget_are_let_go_and_others_then_go_on) {
  start({{"stele.memory.data.bytes", "3000000"},
         {"socket.request.max.bytes", "1000000"},
         {"stele.connection.frame.timeout.ms", "2000"}});
  EXPECT_TRUE(world_->run(hoard));
  EXPECT_TRUE(world_->lines().mention("did not arrive whole in time")) << world_->lines().text();
  attack([](io::Shard& shard) { return idle(shard, 1); });
}

}  // namespace
}  // namespace stele::sim
