#include "controller/controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "metadata/snapshot.h"

namespace stele::controller {
namespace {

using base::BrokerId;
using base::ErrorCode;
using base::PartitionIndex;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr base::MonoTime kStart{};
constexpr base::DirectoryId kDirA{1, 0xa};
constexpr base::DirectoryId kDirB{1, 0xb};

// A node whose records are committed as soon as they are decided on.
class ANode : public ::testing::Test {
 protected:
  ANode() { start(std::make_shared<const metadata::Image>()); }

  void start(metadata::ImagePtr image) {
    ++epoch;
    core = std::make_unique<Controller>(
        Options{.node = BrokerId{1}},
        std::make_shared<const config::BrokerConfig>(config::BrokerConfig::without_file()), std::move(image), kStart);
    for (const Records& records : core->activation(bootstrap, base::Uuid{5, 5}, {})) commit(records);
  }
  void commit(const Records& records) {
    if (records.empty()) return;
    const auto batch =
        metadata::record_batch(core->image()->next_index, base::LeaderEpoch{epoch}, records, base::Timestamp{1});
    const auto done = core->replay(batch);
    ASSERT_TRUE(done.ok()) << done.error().message;
  }
  template <class R>
  R commit(Decision<R> decision) {
    commit(decision.records);
    return std::move(decision.response);
  }
  base::BrokerEpoch join(base::BrokerEpoch previous = base::BrokerEpoch{-1}, int32_t id = 1,
                         std::vector<base::DirectoryId> dirs = {kDirA}) {
    Registration request;
    request.id = BrokerId{id};
    request.incarnation = base::Uuid::make_random(random);
    for (const auto& feature : metadata::supported_features()) {
      request.features.push_back({std::string{feature.name}, feature.min, feature.max, {}});
    }
    request.log_dirs = std::move(dirs);
    request.previous_epoch = previous;
    auto decision = core->register_broker(request, kStart);
    EXPECT_TRUE(decision.ok()) << decision.error().message;
    const base::BrokerEpoch registered = commit(*std::move(decision));
    beat(registered, {}, id);
    return registered;
  }
  HeartbeatAnswer beat(base::BrokerEpoch registered, Heartbeat wish, int32_t id = 1) {
    wish.id = BrokerId{id};
    wish.epoch = registered;
    wish.metadata_end = core->image()->next_index;
    auto decision = core->heartbeat(wish, kStart);
    EXPECT_TRUE(decision.ok());
    return commit(*std::move(decision));
  }
  const wire::CreateTopicsResponse& create(wire::CreateTopicsRequest request) {
    created = commit(core->create_topics(request, random, &arena));
    return created;
  }
  static wire::CreateTopicsRequest topic(std::string_view name, int32_t partitions = -1, int16_t replication = -1) {
    wire::CreateTopicsRequest request;
    auto& t = request.topics.emplace_back();
    t.name = name;
    t.num_partitions = partitions;
    t.replication_factor = replication;
    return request;
  }
  std::pair<int, std::string> refusal(wire::CreateTopicsRequest request) {
    const auto& response = create(std::move(request));
    EXPECT_EQ(response.topics.size(), 1u);
    return {response.topics[0].error_code, std::string{response.topics[0].error_message.value_or("")}};
  }
  const metadata::Partition& part(std::string_view name, int32_t index) {
    return *core->image()->partition(name, PartitionIndex{index});
  }

  int32_t epoch = 0;
  Records bootstrap;
  base::SeededRandom random{7};
  std::pmr::monotonic_buffer_resource arena;
  wire::CreateTopicsResponse created;
  std::unique_ptr<Controller> core;
};

TEST_F(ANode, writes_what_kafka_writes_on_a_new_log) {
  const auto& image = *core->image();
  EXPECT_EQ(image.metadata_version(), metadata::kMetadataVersionLatest);
  EXPECT_EQ(image.feature("transaction.version"), 2);
  EXPECT_EQ(image.features.size(), 6u);
  EXPECT_EQ(image.config(metadata::ResourceType::kBroker, "", "min.insync.replicas"), "1");
  EXPECT_EQ(image.next_index, base::Offset{10});
  EXPECT_EQ(image.controllers.size(), 1u);
  EXPECT_EQ(join(), base::BrokerEpoch{10});
  EXPECT_TRUE(core->image()->is_active(BrokerId{1}));
}

TEST_F(ANode, creates_a_topic_that_leads_itself) {
  join();
  const auto& response = create(topic("orders", 3, 1));
  ASSERT_EQ(response.topics[0].error_code, 0);
  EXPECT_EQ(response.topics[0].num_partitions, 3);
  EXPECT_EQ(response.topics[0].topic_id, core->image()->topic("orders")->id);
  EXPECT_EQ(part("orders", 2).leader, BrokerId{1});
  EXPECT_THAT(part("orders", 2).directories, ElementsAre(kDirA));
  EXPECT_EQ(part("orders", 2).leader_epoch, base::LeaderEpoch{0});
}

TEST_F(ANode, refuses_topics_with_kafkas_codes_and_sentences) {
  join();
  create(topic("a.b", 1, 1));
  EXPECT_EQ(refusal(topic("a.b")), std::pair(36, std::string{"Topic 'a.b' already exists."}));
  EXPECT_EQ(refusal(topic("a_b")), std::pair(17, std::string{"Topic 'a_b' collides with existing topic: a.b"}));
  EXPECT_EQ(refusal(topic("")), std::pair(17, std::string{"Topic name is invalid: the empty string is not allowed"}));
  EXPECT_EQ(refusal(topic("x", 0, 1)),
            std::pair(37, std::string{"Number of partitions was set to an invalid non-positive value."}));
  EXPECT_EQ(refusal(topic("x", 1, 0)),
            std::pair(38, std::string{"Replication factor must be larger than 0, or -1 to use the default value."}));
  EXPECT_EQ(refusal(topic("x", 1, 2)).first, 38);
  EXPECT_EQ(refusal(topic("x", 10'001, 1)).first, 44);
  auto configured = topic("x", 1, 1);
  configured.topics[0].configs.push_back({"no.such.config", "1"});
  EXPECT_EQ(refusal(configured).first, 40);
  configured.topics[0].configs[0] = {"retention.ms", std::nullopt};
  EXPECT_EQ(refusal(configured),
            std::pair(40, std::string{"Null value not supported for topic configs: retention.ms"}));
  auto late = topic("x", 1, 1);
  late.timeout_ms = 0;
  EXPECT_EQ(refusal(late).first, 7);
  auto assigned = topic("x", 1, -1);
  assigned.topics[0].assignments.emplace_back();
  EXPECT_EQ(refusal(assigned).first, 42);
  assigned.topics[0].num_partitions = -1;
  EXPECT_EQ(refusal(assigned).first, 39);
  EXPECT_EQ(core->image()->topic_count(), 1u);
}

TEST_F(ANode, a_duplicate_entry_harms_only_itself) {
  join();
  auto request = topic("twice", 1, 1);
  request.topics.push_back(request.topics[0]);
  request.topics.push_back(topic("once", 1, 1).topics[0]);
  const auto& response = create(request);
  ASSERT_EQ(response.topics.size(), 2u);
  EXPECT_EQ(response.topics[0].name, "once");
  EXPECT_EQ(response.topics[0].error_code, 0);
  EXPECT_EQ(response.topics[1].error_code, 42);
  EXPECT_EQ(core->image()->topic("twice"), nullptr);
}

TEST_F(ANode, validating_only_writes_nothing_but_names_an_id) {
  join();
  auto request = topic("maybe", 1, 1);
  request.validate_only = true;
  EXPECT_FALSE(create(request).topics[0].topic_id.is_zero());
  EXPECT_EQ(core->image()->topic("maybe"), nullptr);
}

TEST_F(ANode, a_topic_of_a_fenced_broker_is_refused) { EXPECT_EQ(refusal(topic("x", 1, 1)).first, 38); }

TEST_F(ANode, spreads_replicas_over_its_log_dirs) {
  join(base::BrokerEpoch{-1}, 1, {kDirA, kDirB});
  create(topic("orders", 5, 1));
  int in_a = 0;
  for (int i = 0; i < 5; ++i) in_a += part("orders", i).directories[0] == kDirA;
  EXPECT_TRUE(in_a == 2 || in_a == 3);
  create(topic("more", 1, 1));
  EXPECT_EQ(part("more", 0).directories[0], in_a == 2 ? kDirA : kDirB);
}

TEST_F(ANode, a_clean_stop_and_start_brings_every_leader_back) {
  const base::BrokerEpoch first = join();
  create(topic("orders", 2, 1));
  EXPECT_FALSE(beat(first, {.want_shut_down = true}).should_shut_down);
  EXPECT_EQ(part("orders", 1).leader, base::kNoBroker);
  EXPECT_THAT(part("orders", 1).isr, IsEmpty());
  EXPECT_THAT(part("orders", 1).elr, ElementsAre(BrokerId{1}));
  EXPECT_THAT(part("orders", 1).last_known_elr, ElementsAre(BrokerId{1}));
  EXPECT_TRUE(beat(first, {.want_shut_down = true}).should_shut_down);
  EXPECT_TRUE(core->image()->broker(BrokerId{1})->fenced);

  start(core->image());
  join(first);
  EXPECT_EQ(part("orders", 1).leader, BrokerId{1});
  EXPECT_THAT(part("orders", 1).isr, ElementsAre(BrokerId{1}));
  EXPECT_THAT(part("orders", 1).elr, IsEmpty());
  EXPECT_THAT(part("orders", 1).last_known_elr, IsEmpty());
  EXPECT_EQ(part("orders", 1).recovery, metadata::LeaderRecovery::kRecovered);
  EXPECT_EQ(part("orders", 1).leader_epoch, base::LeaderEpoch{2});
}

TEST_F(ANode, after_a_crash_the_last_known_leader_leads_in_recovery) {
  join();
  create(topic("orders", 1, 1));
  start(core->image());
  join();
  EXPECT_EQ(part("orders", 0).leader, BrokerId{1});
  EXPECT_THAT(part("orders", 0).isr, ElementsAre(BrokerId{1}));
  EXPECT_THAT(part("orders", 0).elr, IsEmpty());
  EXPECT_THAT(part("orders", 0).last_known_elr, IsEmpty());
  EXPECT_EQ(part("orders", 0).recovery, metadata::LeaderRecovery::kRecovering);
}

TEST_F(ANode, a_changed_directory_id_leaves_its_partitions_without_leader) {
  const base::BrokerEpoch first = join();
  create(topic("orders", 1, 1));
  beat(first, {.want_shut_down = true});
  start(core->image());
  join(first, 1, {kDirB});
  EXPECT_EQ(part("orders", 0).leader, base::kNoBroker);
}

TEST_F(ANode, writes_only_records_of_a_lower_metadata_version) {
  core.reset();
  for (const auto& [name, level] : {std::pair{"metadata.version", 22}, {"group.version", 1}}) {
    base::ByteVector value;
    metadata::append_record_head(value, 12, 0);
    value.push_back(static_cast<std::byte>(std::string_view{name}.size() + 1));
    base::append(value, base::as_bytes(name));
    base::append_be<int16_t>(value, static_cast<int16_t>(level));
    value.push_back(std::byte{0});
    bootstrap.push_back(value);
  }
  start(std::make_shared<const metadata::Image>());
  EXPECT_EQ(core->image()->config(metadata::ResourceType::kBroker, "", "min.insync.replicas"), std::nullopt);
  const base::BrokerEpoch first = join();
  EXPECT_FALSE(core->image()->broker(BrokerId{1})->cordoned_log_dirs.has_value());
  const auto decision = core->create_topics(topic("orders", 1, 1), random, &arena);
  EXPECT_EQ(decision.records.back()[2], std::byte{1});  // version of the partition record
  commit(decision.records);
  beat(first, {.want_shut_down = true});
  // Without ELR the last member stays in the ISR.
  EXPECT_THAT(part("orders", 0).isr, ElementsAre(BrokerId{1}));
  EXPECT_EQ(part("orders", 0).leader, base::kNoBroker);
  start(core->image());
  join(first);
  EXPECT_EQ(part("orders", 0).leader, BrokerId{1});
  EXPECT_EQ(part("orders", 0).recovery, metadata::LeaderRecovery::kRecovered);
}

TEST_F(ANode, deletes_by_name_and_by_id) {
  join();
  create(topic("a", 1, 1));
  create(topic("b", 1, 1));
  const base::TopicId b = core->image()->topic("b")->id;
  wire::DeleteTopicsRequest request;
  request.timeout_ms = 1000;
  request.topics.push_back({.name = "a"});
  request.topics.push_back({.name = std::nullopt, .topic_id = b});
  request.topics.push_back({.name = "nobody"});
  request.topics.push_back({.name = "both", .topic_id = b});
  request.topics.push_back({.name = "twice"});
  request.topics.push_back({.name = "twice"});
  std::map<std::string, int> codes;
  for (const auto& r : commit(core->delete_topics(request, &arena)).responses) {
    codes[std::string{r.name.value_or("")}] = r.error_code;
  }
  EXPECT_EQ(codes, (std::map<std::string, int>{{"a", 0}, {"b", 0}, {"nobody", 3}, {"both", 42}, {"twice", 42}}));
  EXPECT_EQ(core->image()->topic_count(), 0u);
  EXPECT_EQ(refusal(topic("a", 1, 1)).first, 0);
}

TEST_F(ANode, grows_a_topic) {
  join();
  create(topic("orders", 2, 1));
  const auto grow = [&](std::string_view name, int32_t count) {
    wire::CreatePartitionsRequest request;
    request.timeout_ms = 1000;
    auto& t = request.topics.emplace_back();
    t.name = name;
    t.count = count;
    t.assignments.reset();
    return commit(core->create_partitions(request, random, &arena)).results.at(0).error_code;
  };
  EXPECT_EQ(grow("orders", 4), 0);
  EXPECT_EQ(core->image()->topic("orders")->partitions.size(), 4u);
  EXPECT_EQ(grow("orders", 4), 37);
  EXPECT_EQ(grow("orders", 3), 37);
  EXPECT_EQ(grow("nobody", 3), 3);
  EXPECT_EQ(grow("orders", 100'000), 44);
}

TEST_F(ANode, makes_no_more_partitions_at_a_time_than_one_request_may) {
  join();
  EXPECT_EQ(refusal(topic("large", 10'001)),
            std::pair(44, std::string{"Excessively large number of partitions per request."}));
  EXPECT_EQ(refusal(topic("as-large-as-may-be", 10'000)).first, 0);
}

TEST_F(ANode, changes_configs_and_keeps_what_is_not_named) {
  join();
  create(topic("orders", 1, 1));
  const auto alter = [&](int8_t type, std::string_view name, std::string_view key, int8_t op,
                         std::optional<std::string_view> value) {
    wire::IncrementalAlterConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = type;
    resource.resource_name = name;
    resource.configs.push_back({key, op, value});
    return commit(core->incremental_alter_configs(request, &arena)).responses.at(0).error_code;
  };
  const auto value = [&](std::string_view key) {
    return core->image()->config(metadata::ResourceType::kTopic, "orders", key).value_or("(none)");
  };
  EXPECT_EQ(alter(2, "orders", "retention.ms", 0, "5000"), 0);
  EXPECT_EQ(alter(2, "orders", "cleanup.policy", 2, "compact"), 0);
  EXPECT_EQ(value("retention.ms"), "5000");
  EXPECT_EQ(value("cleanup.policy"), "delete,compact");
  EXPECT_EQ(alter(2, "orders", "retention.ms", 1, std::nullopt), 0);
  EXPECT_EQ(value("retention.ms"), "(none)");
  EXPECT_EQ(alter(2, "orders", "no.such", 1, std::nullopt), 0);
  EXPECT_EQ(alter(2, "orders", "retention.ms", 2, "1"), 40);
  EXPECT_EQ(alter(2, "orders", "retention.ms", 0, std::nullopt), 42);
  EXPECT_EQ(alter(2, "orders", "retention.ms", 4, "1"), 42);
  EXPECT_EQ(alter(2, "orders", "retention.ms", 0, "x"), 40);
  EXPECT_EQ(alter(2, "nobody", "retention.ms", 0, "1"), 3);
  EXPECT_EQ(alter(3, "orders", "retention.ms", 0, "1"), 42);
  EXPECT_EQ(alter(4, "", "log.retention.ms", 0, "7000"), 0);
  EXPECT_EQ(core->config().number("log.retention.ms"), 7000);
  EXPECT_EQ(alter(4, "1", "min.insync.replicas", 0, "1"), 40);
  EXPECT_EQ(alter(4, "", "min.insync.replicas", 1, std::nullopt), 40);
}

TEST_F(ANode, the_old_request_replaces_all_configs) {
  join();
  auto request = topic("orders", 1, 1);
  request.topics[0].configs.push_back({"retention.ms", "1"});
  create(request);
  wire::AlterConfigsRequest alter;
  auto& resource = alter.resources.emplace_back();
  resource.resource_type = 2;
  resource.resource_name = "orders";
  resource.configs.push_back({"segment.ms", "70000"});
  EXPECT_EQ(commit(core->alter_configs(alter, &arena)).responses.at(0).error_code, 0);
  EXPECT_EQ(core->image()->config(metadata::ResourceType::kTopic, "orders", "retention.ms"), std::nullopt);
  EXPECT_EQ(core->image()->config(metadata::ResourceType::kTopic, "orders", "segment.ms"), "70000");
  alter.resources.push_back(alter.resources[0]);
  for (const auto& r : commit(core->alter_configs(alter, &arena)).responses) EXPECT_EQ(r.error_code, 42);
}

TEST_F(ANode, hands_out_producer_ids_in_blocks) {
  const base::BrokerEpoch registered = join();
  EXPECT_EQ(commit(*core->allocate_producer_ids(BrokerId{1}, registered)).first, 0);
  EXPECT_EQ(commit(*core->allocate_producer_ids(BrokerId{1}, registered)).first, 1000);
  start(core->image());
  const base::BrokerEpoch again = join();
  EXPECT_EQ(commit(*core->allocate_producer_ids(BrokerId{1}, again)).first, 2000);
  EXPECT_EQ(core->allocate_producer_ids(BrokerId{1}, registered).code(), ErrorCode::kStaleBrokerEpoch);
}

TEST_F(ANode, fences_a_broker_that_is_not_heard_of) {
  join();
  join(base::BrokerEpoch{-1}, 2, {kDirB});
  create(topic("orders", 2, 2));
  Heartbeat alive{.id = BrokerId{1}, .epoch = core->image()->broker(BrokerId{1})->epoch};
  const base::MonoTime later = kStart + std::chrono::seconds{8};
  alive.metadata_end = core->image()->next_index;
  commit(core->heartbeat(alive, later)->records);
  EXPECT_EQ(core->next_expiry(), kStart + std::chrono::seconds{9});
  commit(core->expire_sessions(kStart + std::chrono::seconds{9}));
  EXPECT_TRUE(core->image()->broker(BrokerId{2})->fenced);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(part("orders", i).leader, BrokerId{1});
    EXPECT_THAT(part("orders", i).isr, ElementsAre(BrokerId{1}));
  }
  join(base::BrokerEpoch{-1}, 2, {kDirB});
  EXPECT_EQ(part("orders", 0).leader, BrokerId{1});
}

TEST_F(ANode, an_interrupted_bootstrap_begins_anew) {
  const auto plan = Controller{Options{.node = BrokerId{1}},
                               std::make_shared<const config::BrokerConfig>(config::BrokerConfig::without_file()),
                               std::make_shared<const metadata::Image>(), kStart}
                        .activation({}, {}, {});
  metadata::Delta torn{std::make_shared<const metadata::Image>()};
  ASSERT_TRUE(torn.apply(plan[0][0]).ok());
  ASSERT_TRUE(torn.apply(plan[0][1]).ok());
  start(std::move(torn).finish());
  EXPECT_EQ(core->image()->features.size(), 6u);
  EXPECT_EQ(core->image()->before_transaction, nullptr);
}

}  // namespace
}  // namespace stele::controller
