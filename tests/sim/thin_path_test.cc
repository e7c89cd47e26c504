// The thin path of a broker, whole, in the simulated world: what was acknowledged is read back with the same bytes at
// the same offsets, whatever ended the broker, and a seed tells the whole story.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "sim/broker_world.h"
#include "sim/client.h"
#include "wire/find_coordinator_request.h"
#include "wire/find_coordinator_response.h"
#include "wire/init_producer_id_request.h"
#include "wire/init_producer_id_response.h"
#include "wire/join_group_request.h"
#include "wire/join_group_response.h"
#include "wire/offset_commit_request.h"
#include "wire/offset_commit_response.h"
#include "wire/offset_fetch_request.h"
#include "wire/offset_fetch_response.h"
#include "wire/sync_group_request.h"
#include "wire/sync_group_response.h"

namespace stele::sim {
namespace {

using base::Task;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int32_t kPartitions = 4;
const std::string kTopic = "stones";

// What clients know: all they sent, and what was acknowledged where.
struct Ledger {
  std::set<std::string> sent;
  std::map<int32_t, std::map<int64_t, std::string>> acknowledged;  // by partition and offset
  // The idempotent producer, whose process outlives the broker's.
  int64_t producer_id = -1;
  std::map<int32_t, int32_t> next_sequence;
  std::optional<std::pair<int32_t, Batch>> unanswered;
  std::map<int32_t, int64_t> read_up_to;  // by the reader that follows
  int rounds = 0;

  void note(int32_t partition, const Batch& batch, int64_t base_offset) {
    for (size_t i = 0; i < batch.values.size(); ++i) {
      const auto offset = base_offset + static_cast<int64_t>(i);
      const auto [at, added] = acknowledged[partition].emplace(offset, batch.values[i]);
      EXPECT_TRUE(added || at->second == batch.values[i]) << "two records at offset " << offset;
    }
  }
};

Batch draw_batch(base::Random& random, Ledger& ledger, const std::string& name) {
  Batch batch;
  const uint64_t count = 1 + random.below(4);
  for (uint64_t i = 0; i < count; ++i) {
    batch.values.push_back(name + "." + std::to_string(i) + std::string(random.below(300), 'x'));
    ledger.sent.insert(batch.values.back());
  }
  return batch;
}

Task<void> produce_some(io::Shard& shard, Ledger& ledger, std::string name, int count) {
  const auto client = co_await connect_patiently(shard);
  for (int i = 0; i < count; ++i) {
    const auto partition = static_cast<int32_t>(shard.random().below(kPartitions));
    const auto acks = static_cast<int16_t>(static_cast<int>(shard.random().below(3)) - 1);
    const Batch batch = draw_batch(shard.random(), ledger, name + "-" + std::to_string(i));
    const Produced done = co_await client->produce(kTopic, partition, acks, batch);
    if (acks == 0) continue;
    if (!done.acknowledged()) co_return;
    ledger.note(partition, batch, done.base_offset);
  }
}

Task<bool> send_again(Client& client, Ledger& ledger) {
  const auto [partition, batch] = *ledger.unanswered;
  const Produced done = co_await client.produce(kTopic, partition, -1, batch);
  if (done.code == -1) co_return false;
  EXPECT_EQ(done.code, 0);
  ledger.note(partition, batch, done.base_offset);
  ledger.unanswered.reset();
  co_return true;
}

Task<void> produce_idempotently(io::Shard& shard, Ledger& ledger, std::string name, int count) {
  const auto client = co_await connect_patiently(shard);
  if (ledger.producer_id < 0) {
    wire::InitProducerIdRequest request;
    request.transactional_id = std::nullopt;
    request.transaction_timeout_ms = 1000;
    const auto answer = co_await client->call<wire::InitProducerIdResponse>(request, 4);
    if (!answer) co_return;
    EXPECT_EQ(answer->error_code, 0);
    ledger.producer_id = answer->producer_id;
  }
  if (ledger.unanswered && !co_await send_again(*client, ledger)) co_return;
  for (int i = 0; i < count; ++i) {
    const auto partition = static_cast<int32_t>(shard.random().below(kPartitions));
    Batch batch = draw_batch(shard.random(), ledger, name + "-" + std::to_string(i));
    batch.producer_id = ledger.producer_id;
    batch.producer_epoch = 0;
    batch.sequence = ledger.next_sequence[partition];
    ledger.next_sequence[partition] += static_cast<int32_t>(batch.values.size());
    ledger.unanswered = {partition, batch};
    if (!co_await send_again(*client, ledger)) co_return;
  }
}

// Reads along in a session with long polls; every record must be the next one.
Task<void> follow(io::Shard& shard, Ledger& ledger) {
  const auto client = co_await connect_patiently(shard);
  std::map<int32_t, int64_t> next;
  for (int32_t i = 0; i < kPartitions; ++i) next[i] = ledger.read_up_to[i];
  Fetched fetched = co_await client->fetch(kTopic, next, 200, 0, 0);
  const int32_t session = fetched.session_id;
  if (fetched.code == 0) {
    EXPECT_NE(session, 0);
  }
  for (int32_t epoch = 1; fetched.code == 0; ++epoch) {
    std::map<int32_t, int64_t> moved;
    for (const auto& [partition, records] : fetched.records) {
      for (const FetchedRecord& record : records) {
        if (record.offset < next[partition]) continue;
        EXPECT_EQ(record.offset, next[partition]++) << "partition " << partition;
        EXPECT_TRUE(ledger.sent.contains(record.value));
      }
      moved[partition] = ledger.read_up_to[partition] = next[partition];
    }
    fetched = co_await client->fetch(kTopic, moved, 200, session, epoch);
  }
  EXPECT_EQ(fetched.code, -1) << "a fetch in the session failed";
}

Task<void> make_topic(io::Shard& shard) {
  const auto client = co_await connect_patiently(shard);
  EXPECT_EQ(co_await client->create_topic(kTopic, kPartitions), 0);
}

// Clients of every kind at once; ends when the producers have.
Task<void> load(io::Shard& shard, Ledger& ledger, int count) {
  base::TaskScope readers{shard.executor(), [](std::exception_ptr fault) { std::rethrow_exception(fault); }};
  base::TaskScope producers{shard.executor(), [](std::exception_ptr fault) { std::rethrow_exception(fault); }};
  const std::string round = "r" + std::to_string(++ledger.rounds);
  readers.spawn(follow(shard, ledger));
  for (int i = 0; i < 4; ++i) {
    producers.spawn(produce_some(shard, ledger, round + "p" + std::to_string(i), count));
  }
  producers.spawn(produce_idempotently(shard, ledger, round + "i", count));
  co_await producers.join();
}

// Reads all there is: offsets without a hole, what was acknowledged in its place where `whole`, nothing that was not
// sent, no record of the idempotent producer twice.
Task<void> verify(io::Shard& shard, Ledger& ledger, bool whole, std::vector<std::string>& contents) {
  const auto client = co_await connect_patiently(shard);
  std::set<std::string> idempotent;
  contents.clear();
  for (int32_t partition = 0; partition < kPartitions; ++partition) {
    const auto records = co_await client->read_all(kTopic, partition);
    for (size_t i = 0; i < records.size(); ++i) {
      EXPECT_EQ(records[i].offset, static_cast<int64_t>(i)) << "a hole in partition " << partition;
      EXPECT_TRUE(ledger.sent.contains(records[i].value));
      if (records[i].value.starts_with("r") && records[i].value[2] == 'i') {
        EXPECT_TRUE(idempotent.insert(records[i].value).second) << "twice: " << records[i].value;
      }
      contents.push_back(fmt::format("{}:{}:{}", partition, i, records[i].value));
    }
    if (!whole) continue;
    for (const auto& [offset, value] : ledger.acknowledged[partition]) {
      const bool there = offset < static_cast<int64_t>(records.size());
      EXPECT_TRUE(there) << "lost: offset " << offset << " of partition " << partition << ", " << records.size()
                         << " are left";
      if (there) {
        EXPECT_EQ(records[static_cast<size_t>(offset)].value, value);
      }
    }
  }
}

struct Story {
  std::vector<std::string> contents;
  uint64_t trace = 0;
  uint64_t events = 0;
};

enum class Ending { kStop, kKill, kPowerLoss };

class ThinPath {
 public:
  ThinPath(uint64_t seed, uint32_t shards, const std::string& durability = "replicated")
      : world_({.seed = seed, .shards = shards, .config = {{"stele.durability", durability}}}),
        random_(seed),
        synced_(durability == "synced") {}

  void end(Ending how) {
    if (how == Ending::kStop) {
      EXPECT_EQ(world_.stop(), 0) << world_.lines().text();
    } else if (how == Ending::kKill) {
      world_.crash();
    } else {
      world_.lose_power();
    }
  }

  // A load that the ending cuts off somewhere.
  void round(Ending how) {
    world_.begin([this](io::Shard& shard) { return load(shard, ledger_, 60); });
    world_.pass(milliseconds{5 + static_cast<int64_t>(random_.below(60))});
    end(how);
    world_.pass(milliseconds{10});  // the clients hear of it
    world_.end_client();
    world_.start();
    const bool lossy = how == Ending::kPowerLoss && !synced_;
    if (lossy) ledger_.acknowledged.clear();
    if (lossy) ledger_.read_up_to.clear();
    if (lossy) forget_producer();
    check(!lossy);
  }

  void check(bool whole) {
    EXPECT_TRUE(world_.run([&](io::Shard& shard) { return verify(shard, ledger_, whole, story_.contents); }));
  }

  Story run(const std::vector<Ending>& endings) {
    world_.start();
    if (::testing::Test::HasFatalFailure()) return story_;
    EXPECT_TRUE(world_.run([](io::Shard& shard) { return make_topic(shard); }));
    for (const Ending how : endings) {
      round(how);
      if (::testing::Test::HasFailure()) break;
    }
    EXPECT_TRUE(world_.run([this](io::Shard& shard) { return load(shard, ledger_, 20); })) << "the load does not end";
    check(true);
    EXPECT_GT(ledger_.acknowledged.size(), 0U);
    EXPECT_TRUE(world_.run_until([this] { return world_.connections() == 0; }, seconds{5}));
    EXPECT_EQ(world_.bytes_charged(), 0U);
    end(Ending::kStop);
    EXPECT_THAT(world_.lines().errors(), ::testing::IsEmpty());
    story_.trace = world_.world().trace_hash();
    story_.events = world_.world().events();
    if (::testing::Test::HasFailure()) std::fprintf(stderr, "%s", world_.lines().text().c_str());
    return story_;
  }

 private:
  // Its sequences may be gone with the power: it begins anew, as a client whose broker says so does.
  void forget_producer() {
    ledger_.producer_id = -1;
    ledger_.next_sequence.clear();
    ledger_.unanswered.reset();
  }

  BrokerWorld world_;
  base::SeededRandom random_;
  bool synced_;
  Ledger ledger_;
  Story story_;
};

class ThinPathTest : public ::testing::TestWithParam<uint32_t> {};

TEST_P(ThinPathTest, what_was_acknowledged_is_there_after_stops_and_kills) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(seed);
    ThinPath{seed, GetParam()}.run({Ending::kKill, Ending::kStop, Ending::kKill, Ending::kKill});
    if (HasFailure()) return;
  }
}

TEST_P(ThinPathTest, a_power_loss_leaves_logs_without_holes_that_go_on) {
  for (uint64_t seed = 101; seed <= 108; ++seed) {
    SCOPED_TRACE(seed);
    ThinPath{seed, GetParam()}.run({Ending::kPowerLoss, Ending::kStop, Ending::kPowerLoss});
    if (HasFailure()) return;
  }
}

TEST_P(ThinPathTest, with_synced_durability_a_power_loss_costs_nothing_acknowledged_or_read) {
  for (uint64_t seed = 151; seed <= 158; ++seed) {
    SCOPED_TRACE(seed);
    ThinPath{seed, GetParam(), "synced"}.run(
        {Ending::kPowerLoss, Ending::kKill, Ending::kPowerLoss, Ending::kStop, Ending::kPowerLoss});
    if (HasFailure()) return;
  }
}

TEST_P(ThinPathTest, the_same_seed_tells_the_same_story) {
  for (uint64_t seed = 201; seed <= 203; ++seed) {
    SCOPED_TRACE(seed);
    const std::vector<Ending> endings{Ending::kKill, Ending::kStop, Ending::kPowerLoss};
    const Story first = ThinPath{seed, GetParam()}.run(endings);
    const Story second = ThinPath{seed, GetParam()}.run(endings);
    EXPECT_EQ(first.contents, second.contents);
    EXPECT_EQ(first.events, second.events);
    EXPECT_EQ(first.trace, second.trace);
    EXPECT_FALSE(first.contents.empty());
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Shards, ThinPathTest, ::testing::Values(1U, 3U));

// --- groups

constexpr std::string_view kGroup = "readers";

Task<void> find_coordinator(Client& client) {
  wire::FindCoordinatorRequest request;
  request.coordinator_keys.emplace_back(kGroup);
  for (int tries = 0; tries < 100; ++tries) {
    const auto answer = co_await client.call<wire::FindCoordinatorResponse>(request, 4);
    EXPECT_TRUE(answer);
    if (!answer || answer->coordinators.front().error_code == 0) co_return;
    co_await io::sleep_until(client.shard(), client.shard().clock().now() + milliseconds{100});
  }
  ADD_FAILURE() << "no coordinator";
}

// Joins as the only member, syncs and commits.
Task<void> join_and_commit(io::Shard& shard, int64_t offset) {
  const auto client = co_await connect_patiently(shard);
  co_await find_coordinator(*client);
  std::string member;
  int32_t generation = -1;
  for (int tries = 0; tries < 50 && generation < 0; ++tries) {
    wire::JoinGroupRequest join;
    join.group_id = kGroup;
    join.session_timeout_ms = 10'000;
    join.rebalance_timeout_ms = 10'000;
    join.member_id = member;
    join.protocol_type = "consumer";
    join.protocols.push_back({.name = "range", .metadata = base::as_bytes("m")});
    const auto joined = co_await client->call<wire::JoinGroupResponse>(join, 9);
    if (!joined) break;
    if (!joined->member_id.empty()) member = joined->member_id;
    if (joined->error_code == 0) generation = joined->generation_id;
    if (joined->error_code != 0 && joined->error_code != 79) {
      co_await io::sleep_until(shard, shard.clock().now() + milliseconds{100});
    }
  }
  EXPECT_GT(generation, 0);
  wire::SyncGroupRequest sync;
  sync.group_id = kGroup;
  sync.generation_id = generation;
  sync.member_id = member;
  sync.protocol_type = "consumer";
  sync.protocol_name = "range";
  sync.assignments.push_back({.member_id = member, .assignment = base::as_bytes("all")});
  const auto synced = co_await client->call<wire::SyncGroupResponse>(sync, 5);
  EXPECT_TRUE(synced && synced->error_code == 0);
  if (synced) {
    EXPECT_EQ(base::as_text(synced->assignment), "all");
  }
  wire::OffsetCommitRequest commit;
  commit.group_id = kGroup;
  commit.generation_id_or_member_epoch = generation;
  commit.member_id = member;
  auto& topic = commit.topics.emplace_back();
  topic.name = kTopic;
  topic.partitions.push_back({.partition_index = 1, .committed_offset = offset});
  const auto committed = co_await client->call<wire::OffsetCommitResponse>(commit, 8);
  EXPECT_TRUE(committed && committed->topics.front().partitions.front().error_code == 0);
}

Task<void> read_commit(io::Shard& shard, int64_t& offset) {
  const auto client = co_await connect_patiently(shard);
  co_await find_coordinator(*client);
  wire::OffsetFetchRequest request;
  auto& group = request.groups.emplace_back();
  group.group_id = kGroup;
  auto& topic = group.topics->emplace_back();
  topic.name = kTopic;
  topic.partition_indexes.push_back(1);
  for (int tries = 0; tries < 50; ++tries) {
    const auto answer = co_await client->call<wire::OffsetFetchResponse>(request, 8);
    if (!answer) co_return;
    if (answer->groups.front().error_code == 0) {
      offset = answer->groups.front().topics.front().partitions.front().committed_offset;
      co_return;
    }
    co_await io::sleep_until(shard, shard.clock().now() + milliseconds{100});
  }
}

TEST_P(ThinPathTest, with_synced_durability_a_committed_offset_survives_a_power_loss) {
  for (uint64_t seed = 351; seed <= 354; ++seed) {
    SCOPED_TRACE(seed);
    BrokerWorld world({.seed = seed, .shards = GetParam(), .config = {{"stele.durability", "synced"}}});
    world.start();
    EXPECT_TRUE(world.run([](io::Shard& shard) { return make_topic(shard); }));
    for (int64_t offset = 10; offset < 13; ++offset) {
      EXPECT_TRUE(world.run([offset](io::Shard& shard) { return join_and_commit(shard, offset); }));
      world.lose_power();
      world.start();
      int64_t found = -1;
      EXPECT_TRUE(world.run([&found](io::Shard& shard) { return read_commit(shard, found); }));
      EXPECT_EQ(found, offset);
    }
    EXPECT_EQ(world.stop(), 0);
    if (HasFailure()) {
      std::fprintf(stderr, "%s", world.lines().text().c_str());
      return;
    }
  }
}

TEST_P(ThinPathTest, a_committed_offset_is_there_after_a_stop_and_after_a_kill) {
  for (uint64_t seed = 301; seed <= 304; ++seed) {
    SCOPED_TRACE(seed);
    BrokerWorld world({.seed = seed, .shards = GetParam(), .config = {}});
    world.start();
    EXPECT_TRUE(world.run([](io::Shard& shard) { return make_topic(shard); }));
    for (int64_t offset = 10; offset < 13; ++offset) {
      EXPECT_TRUE(world.run([offset](io::Shard& shard) { return join_and_commit(shard, offset); }));
      if (offset == 11) {
        EXPECT_EQ(world.stop(), 0);
      } else {
        world.crash();
      }
      world.start();
      int64_t found = -1;
      EXPECT_TRUE(world.run([&found](io::Shard& shard) { return read_commit(shard, found); }));
      EXPECT_EQ(found, offset);
    }
    EXPECT_EQ(world.stop(), 0);
    if (HasFailure()) {
      std::fprintf(stderr, "%s", world.lines().text().c_str());
      return;
    }
  }
}

}  // namespace
}  // namespace stele::sim
