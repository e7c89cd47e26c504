#include "broker/coordinator_host.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/hosting.h"
#include "coordinator/group/partition_of_group.h"
#include "io/remote.h"
#include "io/sim/sim_world.h"

namespace stele::broker {
namespace {

using base::ErrorCode;
using coordinator::GroupCommand;

constexpr base::TopicId kOffsetsTopicId{3, 4};
constexpr int32_t kPartitions = 4;
constexpr uint32_t kShards = 2;

struct Silent final : base::LogSink {
  bool enabled(base::LogLevel) const override { return false; }
  void write(base::LogLevel, std::string_view) override {}
};

// A broker of two shards that leads every partition of __consumer_offsets; partition n lives on shard n % 2.
struct TestBroker {
  std::vector<std::unique_ptr<BrokerShard>> shards{kShards};

  static PartitionKey key(int32_t index) { return {kOffsetsTopicId, base::PartitionIndex{index}}; }

  static std::shared_ptr<const ClusterView> view(uint64_t epoch, bool with_topic) {
    auto image = std::make_shared<metadata::Image>();
    ShardMap owners;
    if (with_topic) {
      auto topic = std::make_shared<metadata::Topic>();
      topic->name = kOffsetsTopic;
      topic->id = kOffsetsTopicId;
      for (int32_t i = 0; i < kPartitions; ++i) {
        auto partition = std::make_shared<metadata::Partition>();
        partition->leader = base::BrokerId{1};
        topic->partitions.set(i, std::move(partition), 1);
        owners.set(key(i), base::ShardId{static_cast<uint32_t>(i) % kShards}, 1);
      }
      image->topic_ids.set(topic->name, topic->id, 1);
      image->topics.set(topic->id, std::move(topic), 1);
    }
    auto config = std::make_shared<const config::BrokerConfig>(config::BrokerConfig::without_file());
    return std::make_shared<const ClusterView>(epoch, std::move(image), std::move(owners), std::move(config));
  }

  // On each shard: opens its partitions and publishes the view.
  base::Task<void> start(io::Shard& shard) {
    auto& at = shards[shard.id().value()];
    at = std::make_unique<BrokerShard>(shard);
    auto opened = co_await shard.open_directory("/data", true);
    at->set_directories({std::shared_ptr<io::Directory>{std::move(opened).value()}});
    at->set_view(view(1, false));
    std::vector<HostOrder> orders;
    for (int32_t i = 0; i < kPartitions; ++i) {
      if (static_cast<uint32_t>(i) % kShards != shard.id().value()) continue;
      HostOrder& order = orders.emplace_back();
      order.key = key(i);
      order.name = {std::string(kOffsetsTopic), base::PartitionIndex{i}};
      order.state = {base::LeaderEpoch{0}, 0, true};
      order.rules = rules_of(at->view()->config(), at->view()->image(), std::string(kOffsetsTopic));
    }
    const auto outcomes = co_await host_here(*at, std::move(orders), 1);
    for (const auto& outcome : outcomes) EXPECT_FALSE(outcome.error.has_value());
    at->set_view(view(2, true));
  }
  bool ready() const {
    for (const auto& shard : shards) {
      if (!shard || shard->view()->epoch() < 2) return false;
    }
    return true;
  }
};

class CoordinatorHostTest : public ::testing::Test {
 protected:
  using Script = base::Task<void> (*)(BrokerShard&);

  // One life of the broker: `script` runs on shard 0 once all shards serve; then the process is killed.
  void live(Script script) {
    auto broker = std::make_shared<TestBroker>();
    bool ended = false;
    host_.start(kShards, [&](io::Shard& shard) { return main(shard, broker, script, ended); });
    EXPECT_TRUE(world_.run_until([&] { return ended; }, std::chrono::hours{1})) << "the script waits for ever";
    host_.crash();
  }

  static base::Task<void> main(io::Shard& shard, std::shared_ptr<TestBroker> broker, Script script, bool& ended) {
    co_await broker->start(shard);
    if (shard.id() != base::ShardId{0}) co_return;
    while (!broker->ready()) co_await io::sleep_until(shard, shard.clock().now() + std::chrono::milliseconds{1});
    std::vector<BrokerShard*> peers;
    for (auto& peer : broker->shards) peers.push_back(peer.get());
    for (auto& peer : broker->shards) peer->set_peers(peers);
    co_await io::sleep_until(shard, shard.clock().now() + std::chrono::milliseconds{100});
    co_await script(*broker->shards[0]);
    ended = true;
  }

  Silent silent_;
  io::SimWorld world_{{.seed = 5, .log = &silent_}};
  io::SimHost& host_{world_.add_host("a")};
};

template <class Reply, class Command>
base::Task<Reply> ask(BrokerShard& at, Command command) {
  std::string group = command.group_id;
  GroupCommand carried{0, std::move(command)};
  auto reply = co_await ask_coordinator(at, std::move(group), std::move(carried));
  co_return std::get<Reply>(std::move(reply));
}

coordinator::OffsetCommit commit_of(const std::string& group, int64_t offset) {
  coordinator::OffsetCommit commit;
  commit.group_id = group;
  commit.topics.push_back({"t", {}, {{0, offset, 0, "m"}}});
  return commit;
}

base::Task<int64_t> committed(BrokerShard& at, std::string group) {
  coordinator::OffsetFetch fetch;
  fetch.group_id = group;
  fetch.topics.emplace().push_back({"t", {}, {0}});
  auto reply = co_await ask<coordinator::OffsetFetchReply>(at, std::move(fetch));
  EXPECT_EQ(reply.error, ErrorCode::kNone);
  co_return reply.error == ErrorCode::kNone ? reply.topics.at(0).partitions.at(0).offset : -2;
}

coordinator::JoinGroup join_of(const std::string& member) {
  coordinator::JoinGroup join;
  join.group_id = "g";
  join.member_id = member;
  join.protocol_type = "consumer";
  join.protocols.push_back({"range", {}});
  join.session_timeout_ms = 10'000;
  join.rebalance_timeout_ms = 10'000;
  join.client_id = "c";
  join.client_host = "/h";
  return join;
}

// Groups of every partition, so that both shards are asked.
base::Task<void> commit_everywhere(BrokerShard& at) {
  std::set<int32_t> partitions;
  for (int i = 0; i < 16; ++i) {
    const std::string group = "group-" + std::to_string(i);
    partitions.insert(coordinator::partition_of_group(group, kPartitions));
    auto reply = co_await ask<coordinator::OffsetCommitReply>(at, commit_of(group, i));
    EXPECT_EQ(reply.topics.at(0).partitions.at(0).error, ErrorCode::kNone);
  }
  EXPECT_EQ(partitions.size(), 4u);
}

base::Task<void> expect_everywhere(BrokerShard& at) {
  for (int i = 0; i < 16; ++i) {
    const std::string group = "group-" + std::to_string(i);
    EXPECT_EQ(co_await committed(at, group), i);
  }
  GroupCommand list{0, coordinator::ListGroups{}};
  const auto replies = co_await ask_all_coordinators(at, std::move(list));
  EXPECT_EQ(replies.size(), 4u);
  size_t groups = 0;
  for (const auto& reply : replies) groups += std::get<coordinator::ListGroupsReply>(reply).groups.size();
  EXPECT_EQ(groups, 16u);
}

TEST_F(CoordinatorHostTest, acknowledged_offsets_survive_a_kill) {
  live(commit_everywhere);
  live(expect_everywhere);
}

base::Task<void> join_and_lapse(BrokerShard& at) {
  auto first = co_await ask<coordinator::JoinGroupReply>(at, join_of(""));
  EXPECT_EQ(first.error, ErrorCode::kMemberIdRequired);
  const base::MonoTime began = at.shard().clock().now();
  auto joined = co_await ask<coordinator::JoinGroupReply>(at, join_of(first.member_id));
  EXPECT_EQ(joined.generation, 1);
  EXPECT_GE(at.shard().clock().now() - began, std::chrono::seconds{3});
  EXPECT_LT(at.shard().clock().now() - began, std::chrono::seconds{4});
  coordinator::SyncGroup sync;
  sync.group_id = "g";
  sync.generation = 1;
  sync.member_id = first.member_id;
  auto synced = co_await ask<coordinator::SyncGroupReply>(at, std::move(sync));
  EXPECT_EQ(synced.error, ErrorCode::kNone);
  co_await io::sleep_until(at.shard(), at.shard().clock().now() + std::chrono::seconds{11});
  coordinator::DescribeGroup describe{"g"};
  auto shown = co_await ask<coordinator::DescribeGroupReply>(at, std::move(describe));
  EXPECT_EQ(shown.state, "Empty");
}

TEST_F(CoordinatorHostTest, time_moves_rebalances_and_ends_sessions) { live(join_and_lapse); }

base::Task<void> without_a_topic(BrokerShard& at) {
  at.set_view(TestBroker::view(3, false));
  coordinator::Heartbeat beat{"g", 1, "m", std::nullopt};
  auto reply = co_await ask<coordinator::HeartbeatReply>(at, std::move(beat));
  EXPECT_EQ(reply.error, ErrorCode::kNotCoordinator);
}

TEST_F(CoordinatorHostTest, without_the_topic_nobody_coordinates) { live(without_a_topic); }

base::Task<void> delete_the_topic(BrokerShard& at) {
  co_await commit_everywhere(at);
  for (uint32_t i = 0; i < kShards; ++i) {
    BrokerShard& peer = at.peer(base::ShardId{i});
    co_await run_on(at.shard(), peer.home(),
                    [&peer] { return set_view_here(peer, TestBroker::view(3, true), {"other", "t"}); });
  }
}

base::Task<void> expect_nothing(BrokerShard& at) {
  for (int i = 0; i < 16; ++i) EXPECT_EQ(co_await committed(at, "group-" + std::to_string(i)), -1);
}

TEST_F(CoordinatorHostTest, offsets_of_a_deleted_topic_are_forgotten_on_every_shard) {
  live([](BrokerShard& at) -> base::Task<void> {
    co_await delete_the_topic(at);
    co_await expect_nothing(at);
  });
  live(expect_nothing);
}

base::Task<void> abandon(base::Task<coordinator::GroupReplyBody> task) { co_await std::move(task); }

// A new leadership begins while what the old one appended is on its way, so that it can't have loaded at once.
base::Task<bool> delete_while_loading_here(BrokerShard& at) {
  for (int32_t p = 0; p < kPartitions; ++p) {
    auto mine = at.find(TestBroker::key(p));
    if (!mine) continue;
    at.home().scope.spawn(abandon(at.coordinators().submit(mine->key(), {0, commit_of("late", 99)})));
    mine->set_state({base::LeaderEpoch{1}, 1, true});
  }
  co_await set_view_here(at, TestBroker::view(3, true), {"t"});
  const PartitionKey own = TestBroker::key(static_cast<int32_t>(at.shard().id().value()));
  auto reply = co_await at.coordinators().submit(own, {0, coordinator::ListGroups{}});
  EXPECT_EQ(std::get<coordinator::ListGroupsReply>(reply).error, ErrorCode::kCoordinatorLoadInProgress);
  co_return true;
}

base::Task<void> delete_while_loading(BrokerShard& at) {
  for (uint32_t i = 0; i < kShards; ++i) {
    BrokerShard& peer = at.peer(base::ShardId{i});
    co_await run_on(at.shard(), peer.home(), [&peer] { return delete_while_loading_here(peer); });
  }
  co_await io::sleep_until(at.shard(), at.shard().clock().now() + std::chrono::seconds{1});
  co_await expect_nothing(at);
}

TEST_F(CoordinatorHostTest, what_loads_forgets_a_deleted_topic_afterwards) {
  live(commit_everywhere);
  live(delete_while_loading);
}

base::Task<void> keep_reply(base::Task<coordinator::GroupReplyBody> task, std::optional<ErrorCode>& code) {
  auto reply = co_await std::move(task);
  code = std::get<coordinator::JoinGroupReply>(reply).error;
}

base::Task<void> lose_leadership(BrokerShard& at) {
  auto first = co_await ask<coordinator::JoinGroupReply>(at, join_of(""));
  const auto key = group_partition(*at.view(), "g");
  BrokerShard& owner = at.peer(*at.owner_of(*key));
  std::optional<ErrorCode> code;
  GroupCommand join{0, join_of(first.member_id)};
  owner.home().scope.spawn(keep_reply(owner.coordinators().submit(*key, std::move(join)), code));
  co_await io::sleep_until(at.shard(), at.shard().clock().now() + std::chrono::milliseconds{100});
  EXPECT_EQ(code, std::nullopt);
  owner.find(*key)->set_state({base::LeaderEpoch{1}, 1, false});
  owner.coordinators().refresh();
  co_await io::sleep_until(at.shard(), at.shard().clock().now() + std::chrono::milliseconds{100});
  EXPECT_EQ(code, ErrorCode::kNotCoordinator);
  // Leading again, under another epoch: loaded anew.
  owner.find(*key)->set_state({base::LeaderEpoch{2}, 2, true});
  owner.coordinators().refresh();
  co_await io::sleep_until(at.shard(), at.shard().clock().now() + std::chrono::milliseconds{100});
  coordinator::DescribeGroup describe{"g"};
  auto shown = co_await ask<coordinator::DescribeGroupReply>(at, std::move(describe));
  EXPECT_EQ(shown.state, "Empty");
}

TEST_F(CoordinatorHostTest, lost_leadership_drops_the_state_and_gained_loads_it) { live(lose_leadership); }

}  // namespace
}  // namespace stele::broker
