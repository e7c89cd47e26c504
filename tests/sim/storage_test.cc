// Starts that take long, disks that fill up and bytes that change at rest, as clients and operators see them.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/broker_world.h"
#include "sim/client.h"
#include "wire/delete_records_request.h"
#include "wire/delete_records_response.h"
#include "wire/delete_topics_request.h"
#include "wire/delete_topics_response.h"
#include "wire/fetch_request.h"
#include "wire/fetch_response.h"

namespace stele::sim {
namespace {

using base::Task;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr int16_t kCorruptMessage = 2;
constexpr int16_t kNotLeader = 6;
constexpr int16_t kStorageError = 56;
const std::string kTopic = "stones";
constexpr int32_t kPartitions = 4;

// One request after the other against a broker that runs; each call is a client's whole life.
class StorageTest : public ::testing::Test {
 protected:
  void begin(config::ConfigMap config) {
    world_.emplace(WorldOptions{.seed = 21, .shards = 3, .config = std::move(config)});
    world_->start();
    make_topic(kTopic, kPartitions);
  }
  void TearDown() override {
    if (HasFailure() && world_) std::fprintf(stderr, "%s", world_->lines().text().c_str());
  }
  io::SimDisk& disk() { return world_->broker_host().disk(); }
  Lines& lines() { return world_->lines(); }

  template <class T>
  T ask(std::function<Task<T>(Client&)> what) {
    std::optional<T> answer;
    const bool ended = world_->run([&](io::Shard& shard) { return ask_once<T>(shard, what, answer); });
    EXPECT_TRUE(ended);
    return answer.value_or(T{});
  }
  template <class T>
  static Task<void> ask_once(io::Shard& shard, std::function<Task<T>(Client&)> what, std::optional<T>& answer) {
    const auto client = co_await connect_patiently(shard);
    answer = co_await what(*client);
  }
  void make_topic(const std::string& name, int32_t partitions) {
    EXPECT_EQ(ask<int16_t>([&](Client& client) { return client.create_topic(name, partitions); }), 0);
  }
  static Task<void> create(io::Shard& shard, std::string name, int16_t& code) {
    const auto client = co_await connect_patiently(shard);
    code = co_await client->create_topic(name, 1);
  }
  // The code of the answer.
  int16_t produce(int32_t partition, const std::string& value, const std::string& topic = kTopic) {
    return produce(partition, Batch{.values = {value}}, topic);
  }
  int16_t produce(int32_t partition, const Batch& batch, const std::string& topic = kTopic) {
    return ask<Produced>([&](Client& client) { return client.produce(topic, partition, -1, batch); }).code;
  }
  std::vector<std::string> read(int32_t partition, const std::string& topic = kTopic) {
    std::vector<std::string> values;
    const auto records =
        ask<std::vector<FetchedRecord>>([&](Client& client) { return client.read_all(topic, partition); });
    for (const FetchedRecord& record : records) values.push_back(record.value);
    return values;
  }
  int16_t fetch_code(int32_t partition, int64_t offset) {
    const auto fetched = ask<Fetched>([&](Client& client) { return client.fetch(kTopic, {{partition, offset}}, 0); });
    const auto at = fetched.codes.find(partition);
    return at == fetched.codes.end() ? int16_t{0} : at->second;
  }
  // Produces until the first refusal; what was acknowledged.
  std::vector<std::string> fill(int32_t partition, int16_t& refusal) {
    std::vector<std::string> acknowledged;
    for (refusal = 0; refusal == 0 && acknowledged.size() < 1000;) {
      const std::string value = std::to_string(acknowledged.size()) + std::string(1000, 'x');
      world_->pass(milliseconds{5});
      refusal = produce(partition, value);
      if (refusal == 0) acknowledged.push_back(value);
    }
    return acknowledged;
  }
  int16_t delete_records(int32_t partition, int64_t before) {
    wire::DeleteRecordsRequest request;
    request.timeout_ms = 1000;
    auto& topic = request.topics.emplace_back();
    topic.name = kTopic;
    auto& part = topic.partitions.emplace_back();
    part.partition_index = partition;
    part.offset = before;
    return ask<int16_t>([&](Client& client) { return delete_from(client, request); });
  }
  static Task<int16_t> delete_from(Client& client, const wire::DeleteRecordsRequest& request) {
    const auto answer = co_await client.call<wire::DeleteRecordsResponse>(request, 2);
    co_return answer ? answer->topics.front().partitions.front().error_code : int16_t{-1};
  }
  int16_t delete_topic(const std::string& name) {
    return ask<int16_t>([&](Client& client) { return delete_named(client, name); });
  }
  static Task<int16_t> delete_named(Client& client, const std::string& name) {
    wire::DeleteTopicsRequest request;
    request.timeout_ms = 1000;
    request.topics.emplace_back().name = name;
    const auto answer = co_await client.call<wire::DeleteTopicsResponse>(request, 6);
    co_return answer ? answer->responses.front().error_code : int16_t{-1};
  }
  // Of partition 0, in the checkpoints.
  void set_log_start(int64_t offset) {
    for (int64_t i = 0; i <= offset; ++i) EXPECT_EQ(produce(0, "old"), 0);
    EXPECT_EQ(delete_records(0, offset), 0);
    world_->pass(seconds{70});
    ASSERT_TRUE(checkpoint_says(fmt::format(" 0 {}", offset)));
  }
  bool checkpoint_says(const std::string& of_topic) {
    const auto bytes = disk().contents("/data/log-start-offset-checkpoint");
    return bytes && base::as_text(*bytes).find(kTopic + of_topic + "\n") != std::string_view::npos;
  }
  // Begins to delete the topic: its directories have been renamed, its checkpoints not been written.
  void delete_until_renamed() {
    world_->begin([](io::Shard& shard) -> Task<void> {
      const auto client = co_await connect_patiently(shard);
      co_await delete_named(*client, kTopic);
    });
    const auto renamed = [this] {
      return std::ranges::none_of(disk().files("/data"), [](const std::string& file) {
        return file.starts_with("/data/" + kTopic + "-") && file.find("-delete/") == std::string::npos;
      });
    };
    ASSERT_TRUE(world_->run_until(renamed, seconds{10}));
  }
  void expect_new_records_to_stay() {
    make_topic(kTopic, kPartitions);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(produce(0, "new"), 0);
    world_->crash();
    world_->start();
    EXPECT_EQ(read(0).size(), 3U) << "acknowledged records";
  }
  std::string metrics() { return world_->metrics(); }

  std::optional<BrokerWorld> world_;
};

// A crash while a topic is deleted: its directories are renamed, the checkpoints still name its partitions.
TEST_F(StorageTest, what_a_checkpoint_says_of_a_deleted_topic_is_not_believed_of_one_of_its_name) {
  begin({});
  set_log_start(9);
  delete_until_renamed();
  ASSERT_TRUE(checkpoint_says(" 0 9"));
  world_->end_client();
  world_->crash();
  world_->start();
  EXPECT_FALSE(checkpoint_says(" 0 9"));
  expect_new_records_to_stay();
}

TEST_F(StorageTest, a_topic_deleted_on_a_full_disk_does_not_harm_one_of_its_name) {
  begin({{"stele.log.dir.min.free.bytes", "0"}});
  set_log_start(9);
  delete_until_renamed();
  io::DiskFaults full;
  full.capacity_bytes = disk().used_bytes("/data");
  disk().set_faults("/data", full);
  world_->pass(seconds{1});
  EXPECT_TRUE(world_->client_ended()) << "the deletion was answered";
  ASSERT_TRUE(checkpoint_says(" 0 9"));
  disk().set_faults("/data", {});
  world_->pass(seconds{2});
  expect_new_records_to_stay();
}

TEST_F(StorageTest, a_topic_waits_for_a_checkpoint_that_speaks_of_an_earlier_one_of_its_name) {
  for (const bool crashed : {false, true}) {
    begin({{"stele.log.dir.min.free.bytes", "0"},
           {"stele.log.dir.check.interval.ms", "100"},
           {"metadata.log.dir", "/meta"}});
    make_topic("many", 200);
    set_log_start(9);
    disk().set_faults("/data", {});  // a device of its own
    io::DiskFaults full;
    full.capacity_bytes = disk().used_bytes("/data");
    disk().set_faults("/data", full);
    EXPECT_EQ(delete_topic(kTopic), 0);
    if (crashed) {
      world_->crash();
      world_->start();
    }
    full.capacity_bytes = disk().used_bytes("/data") + 1000;  // for a partition, not for checkpoints of so many
    disk().set_faults("/data", full);
    make_topic(kTopic, 1);
    world_->pass(seconds{2});
    ASSERT_TRUE(checkpoint_says(" 0 9"));
    EXPECT_EQ(produce(0, "too early"), kStorageError);
    disk().set_faults("/data", {});
    world_->pass(seconds{2});
    EXPECT_FALSE(checkpoint_says(" 0 9"));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(produce(0, "new"), 0);
    world_->crash();
    world_->start();
    EXPECT_EQ(read(0).size(), 3U) << "acknowledged records";
  }
}

// Standings are asked of one shard after the other: a partition that is opened between is in no list.
TEST_F(StorageTest, a_checkpoint_misses_no_partition_that_is_opened_meanwhile) {
  begin({{"log.flush.start.offset.checkpoint.interval.ms", "1"},
         {"log.flush.offset.checkpoint.interval.ms", "1"},
         {"replica.high.watermark.checkpoint.interval.ms", "1"}});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(produce(0, "r" + std::to_string(i)), 0);
  EXPECT_EQ(delete_records(0, 2), 0);
  const auto named = [this] { return checkpoint_says(" 0 2"); };
  world_->pass(seconds{2});
  ASSERT_TRUE(named());
  for (int round = 0; round < 60; ++round) {
    world_->crash();
    io::DiskFaults slow;
    slow.slow = io::kAlways;
    slow.slow_longest = seconds{1};
    disk().set_faults("/data/stones-0", slow);
    io::LoopFaults loops;
    loops.link_delay_longest = milliseconds{20};
    world_->world().set_loop_faults(loops);
    world_->start();
    ASSERT_TRUE(named());
    const bool missed = world_->run_until([&] { return !named(); }, seconds{8});
    world_->world().set_loop_faults({});
    disk().set_faults("/data/stones-0", {});
    if (!missed) continue;
    world_->crash();
    world_->start();
    world_->pass(seconds{1});
    EXPECT_EQ(fetch_code(0, 0), 1) << "what was deleted stays deleted; round " << round;
    return;
  }
}

TEST_F(StorageTest, partitions_are_served_as_they_are_opened) {
  begin({});
  for (int32_t i = 0; i < kPartitions; ++i) EXPECT_EQ(produce(i, "before"), 0);
  world_->crash();
  io::DiskFaults slow;
  slow.slow = io::kAlways;
  slow.slow_longest = seconds{3};
  disk().set_faults("/data/stones-2", slow);
  world_->start();
  EXPECT_FALSE(world_->process().broker().progress().complete());
  EXPECT_NE(metrics().find("kafka_log_logmanager_remaininglogstorecover{dir=\"/data\"} 1\n"), std::string::npos);
  for (int32_t i = 0; i < kPartitions; ++i) EXPECT_EQ(produce(i, "meanwhile"), i == 2 ? kNotLeader : 0) << i;
  EXPECT_FALSE(world_->process().broker().progress().complete()) << "too fast to have tested anything";
  // What changes meanwhile is not lost on the one that is not open yet.
  make_topic("later", 1);
  EXPECT_TRUE(world_->run_until([&] { return world_->process().broker().progress().complete(); }, minutes{5}));
  EXPECT_EQ(produce(2, "after"), 0);
  EXPECT_EQ(read(2), (std::vector<std::string>{"before", "after"}));
  EXPECT_EQ(read(1), (std::vector<std::string>{"before", "meanwhile"}));
  EXPECT_TRUE(lines().mention("4 of 5 partitions are open") || lines().mention("3 of 4 partitions are open"));
  EXPECT_EQ(world_->stop(), 0);
}

TEST_F(StorageTest, no_more_partitions_of_a_dir_are_opened_side_by_side_than_it_has_threads) {
  begin({{"num.recovery.threads.per.data.dir", "1"}});
  for (int32_t i = 0; i < kPartitions; ++i) EXPECT_EQ(produce(i, "before"), 0);
  world_->crash();
  io::DiskFaults slow;
  slow.slow = io::kAlways;
  slow.slow_longest = seconds{3};
  disk().set_faults("/data/stones-0", slow);
  world_->start();
  EXPECT_EQ(world_->process().broker().progress().partitions_ready, 0U) << "they wait for the first one";
  EXPECT_TRUE(world_->run_until([&] { return world_->process().broker().progress().complete(); }, minutes{5}));
}

TEST_F(StorageTest, a_topic_is_deleted_while_it_is_being_opened) {
  begin({});
  for (int32_t i = 0; i < kPartitions; ++i) EXPECT_EQ(produce(i, "before"), 0);
  world_->crash();
  io::DiskFaults slow;
  slow.slow = io::kAlways;
  slow.slow_longest = milliseconds{1500};
  disk().set_faults(slow);
  world_->start();
  EXPECT_FALSE(world_->process().broker().progress().complete()) << "too fast to have tested anything";
  EXPECT_EQ(delete_topic(kTopic), 0);
  make_topic(kTopic, kPartitions);
  for (int32_t i = 0; i < kPartitions; ++i) EXPECT_EQ(produce(i, "anew"), 0);
  EXPECT_EQ(read(2), (std::vector<std::string>{"anew"}));
  EXPECT_EQ(world_->stop(), 0);
}

TEST_F(StorageTest, a_broker_stopped_while_it_opens_loses_no_checkpoint) {
  begin({{"log.flush.start.offset.checkpoint.interval.ms", "1000"}});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(produce(2, "r" + std::to_string(i)), 0);
  EXPECT_EQ(delete_records(2, 2), 0);
  world_->pass(minutes{2});  // the checkpoints are written
  world_->crash();
  io::DiskFaults slow;
  slow.slow = io::kAlways;
  slow.slow_longest = seconds{20};
  disk().set_faults("/data/stones-2", slow);
  world_->start();
  world_->pass(seconds{7});  // checkpoints again, without a standing of that partition
  EXPECT_FALSE(world_->process().broker().progress().complete()) << "too fast to have tested anything";
  world_->crash();
  disk().set_faults("/data/stones-2", {});
  world_->start();
  EXPECT_EQ(fetch_code(2, 0), 1) << "what was deleted stays deleted";
  EXPECT_EQ(fetch_code(2, 2), 0);
}

TEST_F(StorageTest, a_disk_near_full_refuses_records_and_takes_them_again_by_itself) {
  begin({{"stele.log.dir.min.free.bytes", "100000"}, {"stele.log.dir.check.interval.ms", "1"}});
  make_topic("old", 1);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(produce(0, std::string(1000, 'o'), "old"), 0);
  io::DiskFaults full;
  full.capacity_bytes = disk().used_bytes("/data") + 150'000;
  disk().set_faults("/data", full);
  int16_t refusal = 0;
  const auto acknowledged = fill(1, refusal);
  EXPECT_EQ(refusal, kStorageError);
  EXPECT_GT(acknowledged.size(), 20U);
  EXPECT_TRUE(lines().mention("log dir /data is near full"));
  EXPECT_EQ(read(1), acknowledged) << "reading goes on";
  EXPECT_EQ(delete_records(1, 3), 0) << "and deleting";
  make_topic("small", 1);
  const std::string text = metrics();
  EXPECT_NE(text.find("stele_log_dir_space_level{dir=\"/data\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("stele_log_dir_space_refusals_total{dir=\"/data\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("kafka_log_logmanager_offlinelogdirectorycount 0\n"), std::string::npos);
  EXPECT_EQ(delete_topic("old"), 0);
  world_->pass(minutes{2});  // file.delete.delay.ms
  EXPECT_EQ(produce(1, "again"), 0);
  EXPECT_TRUE(lines().mention("records are taken"));
  EXPECT_EQ(world_->stop(), 0);
}

TEST_F(StorageTest, a_write_that_finds_the_disk_full_is_undone_and_the_log_goes_on) {
  begin({{"stele.log.dir.min.free.bytes", "0"}, {"stele.log.dir.check.interval.ms", "3600000"}});
  io::DiskFaults full;
  full.capacity_bytes = disk().used_bytes("/data") + 40'000;
  disk().set_faults("/data", full);
  int16_t refusal = 0;
  const auto acknowledged = fill(1, refusal);
  EXPECT_EQ(refusal, kStorageError);
  world_->pass(seconds{1});
  EXPECT_TRUE(lines().mention("log dir /data is full"));
  EXPECT_FALSE(world_->process().broker().log_dirs().offline(0));
  EXPECT_EQ(read(1), acknowledged) << "reading goes on";
  EXPECT_EQ(produce(3, "refused"), kStorageError);
  EXPECT_EQ(delete_records(1, 3), 0) << "and deleting";
  world_->crash();
  full.capacity_bytes = *full.capacity_bytes + 1'000'000;
  disk().set_faults("/data", full);
  world_->start();
  EXPECT_EQ(produce(1, "again"), 0);
  EXPECT_EQ(world_->stop(), 0);
}

TEST_F(StorageTest, a_log_that_is_opened_again_keeps_its_start) {
  begin({{"stele.log.dir.min.free.bytes", "0"}});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(produce(1, "old"), 0);
  EXPECT_EQ(delete_records(1, 2), 0);
  io::DiskFaults full;
  full.capacity_bytes = disk().used_bytes("/data") + 20'000;
  disk().set_faults("/data", full);
  int16_t refusal = 0;
  fill(1, refusal);
  EXPECT_EQ(refusal, kStorageError);
  world_->pass(seconds{1});
  EXPECT_EQ(fetch_code(1, 1), 1) << "what was deleted stays deleted";
  EXPECT_EQ(fetch_code(1, 2), 0);
}

TEST_F(StorageTest, an_idempotent_producer_goes_on_after_a_full_disk_without_loss_or_duplicate) {
  begin({{"stele.log.dir.min.free.bytes", "0"}});
  io::DiskFaults full;
  full.capacity_bytes = disk().used_bytes("/data") + 20'000;
  disk().set_faults("/data", full);
  std::vector<std::string> sent;
  int refused = 0;
  for (int32_t i = 0; i < 60; ++i) {
    sent.push_back(std::to_string(i) + std::string(1000, 'x'));
    const Batch batch{.values = {sent.back()}, .producer_id = 7, .producer_epoch = 0, .sequence = i};
    int16_t code = produce(1, batch);
    for (int tries = 0; code != 0 && tries < 20; ++tries) {
      EXPECT_TRUE(code == kStorageError || code == kNotLeader) << code;
      if (++refused == 3) {
        full.capacity_bytes = *full.capacity_bytes + 1'000'000;
        disk().set_faults("/data", full);
      }
      world_->pass(seconds{1});
      code = produce(1, batch);
    }
    ASSERT_EQ(code, 0) << i;
  }
  EXPECT_GE(refused, 3);
  EXPECT_EQ(read(1), sent);
  EXPECT_EQ(world_->stop(), 0);
}

TEST_F(StorageTest, a_broker_starts_on_a_full_disk_and_can_be_read) {
  begin({{"stele.log.dir.min.free.bytes", "100000"}});
  for (int32_t i = 0; i < kPartitions; ++i) EXPECT_EQ(produce(i, "before"), 0);
  world_->crash();
  io::DiskFaults full;
  full.capacity_bytes = disk().used_bytes("/data") + 20'000;  // what the metadata log needs to start
  disk().set_faults("/data", full);
  world_->start();
  for (int32_t i = 0; i < kPartitions; ++i) {
    EXPECT_EQ(read(i), (std::vector<std::string>{"before"}));
    EXPECT_EQ(produce(i, "refused"), kStorageError);
  }
  EXPECT_TRUE(lines().mention("log dir /data is near full"));
}

TEST_F(StorageTest, a_topic_created_on_a_full_disk_is_there_once_there_is_room) {
  begin({{"stele.log.dir.min.free.bytes", "0"}, {"stele.log.dir.check.interval.ms", "100"}});
  io::DiskFaults full;
  for (uint64_t room = 0; room < 1200; room += 100) {  // for nothing, the entries, the directory, a draft in it
    SCOPED_TRACE(room);
    const std::string name = "late-" + std::to_string(room);
    full.capacity_bytes = disk().used_bytes("/data") + room;
    disk().set_faults("/data", full);
    int16_t code = -1;
    world_->begin([&](io::Shard& shard) { return create(shard, name, code); });
    world_->pass(seconds{5});
    EXPECT_TRUE(world_->serving());
    disk().set_faults("/data", {});
    EXPECT_TRUE(world_->run_until([&] { return world_->client_ended(); }, seconds{5}));
    EXPECT_EQ(code, 0);
    world_->pass(seconds{5});
    EXPECT_EQ(produce(0, "value", name), 0);
  }
  EXPECT_FALSE(world_->process().broker().log_dirs().offline(0));
  EXPECT_EQ(world_->stop(), 0);
}

TEST_F(StorageTest, a_broker_that_waits_for_room_stops_when_it_is_told_to) {
  begin({{"stele.log.dir.min.free.bytes", "0"}});
  io::DiskFaults full;
  full.capacity_bytes = disk().used_bytes("/data");
  disk().set_faults("/data", full);
  int16_t code = -1;
  world_->begin([&](io::Shard& shard) { return create(shard, "never", code); });
  world_->pass(seconds{5});
  EXPECT_TRUE(lines().mention("wait until there is room"));
  EXPECT_TRUE(world_->stop());
}

TEST_F(StorageTest, a_dir_that_turns_read_only_goes_offline_alone) {
  begin({{"log.dirs", "/data/one,/data/two"}});
  for (int32_t i = 0; i < kPartitions; ++i) EXPECT_EQ(produce(i, "before"), 0);
  io::DiskFaults read_only;
  read_only.read_only = true;
  disk().set_faults("/data/two", read_only);
  int offline = 0;
  for (int32_t i = 0; i < kPartitions; ++i) offline += produce(i, "now") == kStorageError ? 1 : 0;
  EXPECT_EQ(offline, 2);
  const std::string text = metrics();
  EXPECT_NE(text.find("kafka_log_logmanager_offlinelogdirectorycount 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("stele_log_dir_online{dir=\"/data/two\"} 0\n"), std::string::npos) << text;
  EXPECT_NE(text.find("stele_log_dir_failure_info{dir=\"/data/two\",reason="), std::string::npos) << text;
  EXPECT_EQ(world_->stop(), 0);
}

TEST_F(StorageTest, a_journal_that_finds_no_room_leaves_syncing_to_the_partitions) {
  begin({{"stele.durability", "synced"}, {"stele.log.dir.min.free.bytes", "0"}});
  io::DiskFaults full;
  full.capacity_bytes = 0;
  disk().set_faults("/data/stele-journal", full);
  for (int32_t i = 0; i < kPartitions; ++i) EXPECT_EQ(produce(i, "first"), 0);
  EXPECT_TRUE(lines().mention("the disk is full, partitions are synced one by one"));
  EXPECT_NE(metrics().find("kafka_log_logmanager_offlinelogdirectorycount 0\n"), std::string::npos);
  EXPECT_TRUE(disk().files("/data/stele-journal").empty());
  disk().set_faults("/data/stele-journal", {});
  world_->pass(minutes{2});
  for (int32_t i = 0; i < kPartitions; ++i) EXPECT_EQ(produce(i, "second"), 0);
  EXPECT_FALSE(disk().files("/data/stele-journal").empty()) << "it is used once there is room";
  world_->crash();  // the simulated disk renames nothing from one device to another
}

TEST_F(StorageTest, a_journal_without_its_directory_leaves_syncing_to_the_partitions) {
  begin({{"stele.durability", "synced"}, {"stele.log.dir.min.free.bytes", "0"}});
  io::DiskFaults full;
  full.capacity_bytes = disk().used_bytes("/data") + 30'000;
  disk().set_faults("/data", full);
  for (int32_t i = 0; i < kPartitions; ++i) EXPECT_EQ(produce(i, "first"), 0);
  EXPECT_FALSE(world_->process().broker().log_dirs().offline(0));
  world_->lose_power(io::kLoseAll);
  disk().set_faults("/data", {});
  world_->start();
  for (int32_t i = 0; i < kPartitions; ++i) EXPECT_EQ(read(i), std::vector<std::string>{"first"});
  EXPECT_EQ(world_->stop(), 0);
}

TEST_F(StorageTest, a_journal_whose_disk_fails_takes_its_dir_offline_alone) {
  io::DiskFaults no_directory;
  no_directory.directory_error = io::kAlways;
  io::DiskFaults no_write;
  no_write.write_error = io::kAlways;
  io::DiskFaults no_sync;
  no_sync.sync_error = io::kAlways;
  for (const bool from_the_first : {true, false}) {
    for (const io::DiskFaults& faults : {no_directory, no_write, no_sync}) {
      if (!from_the_first && faults.directory_error > 0) continue;  // it has its files and needs no directory
      begin({{"stele.durability", "synced"}, {"log.dirs", "/data/one,/data/two"}});
      const auto produce_to_all = [&] {
        std::map<int16_t, int> codes;
        for (int32_t i = 0; i < kPartitions; ++i) ++codes[produce(i, "now")];
        return codes;
      };
      if (!from_the_first) EXPECT_EQ(produce_to_all(), (std::map<int16_t, int>{{0, 4}}));
      disk().set_faults("/data/two/stele-journal", faults);
      EXPECT_EQ(produce_to_all(), (std::map<int16_t, int>{{0, 2}, {kStorageError, 2}}));
      EXPECT_TRUE(lines().mention("log dir /data/two is offline"));
      EXPECT_EQ(produce_to_all(), (std::map<int16_t, int>{{0, 2}, {kStorageError, 2}}));
      EXPECT_NE(metrics().find("stele_log_dir_online{dir=\"/data/two\"} 0\n"), std::string::npos);
      world_->crash();
    }
  }
}

TEST_F(StorageTest, a_broker_starts_without_a_dir_that_fails) {
  begin({{"log.dirs", "/data/one,/data/two"}});
  for (int32_t i = 0; i < kPartitions; ++i) EXPECT_EQ(produce(i, "before"), 0);
  io::DiskFaults read_only;
  read_only.read_only = true;
  io::DiskFaults broken;
  broken.directory_error = broken.read_error = io::kAlways;
  for (const io::DiskFaults& faults : {read_only, broken}) {
    world_->crash();
    disk().set_faults("/data/two", faults);
    world_->start();
    EXPECT_TRUE(lines().mention("log dir /data/two is offline"));
    std::map<int16_t, int> codes;
    for (int32_t i = 0; i < kPartitions; ++i) ++codes[produce(i, "meanwhile")];
    EXPECT_EQ(codes, (std::map<int16_t, int>{{0, 2}, {kStorageError, 2}}));
    EXPECT_NE(metrics().find("stele_log_dir_partitions_offline{dir=\"/data/two\"} 2\n"), std::string::npos);
    make_topic(faults.read_only ? "new" : "newer", 2);
    EXPECT_EQ(produce(0, "elsewhere", faults.read_only ? "new" : "newer"), 0);
    EXPECT_EQ(produce(1, "elsewhere", faults.read_only ? "new" : "newer"), 0);
  }
  EXPECT_EQ(world_->stop(), 0);
  disk().set_faults("/data/two", {});
  world_->start();
  for (int32_t i = 0; i < kPartitions; ++i) {
    EXPECT_EQ(produce(i, "after"), 0);
    EXPECT_EQ(read(i).front(), "before") << "nothing was made anew elsewhere";
  }
  EXPECT_EQ(world_->stop(), 0);
}

TEST_F(StorageTest, a_broker_ends_where_the_dir_of_the_metadata_fails_at_a_start) {
  begin({{"log.dirs", "/data/one,/data/two"}});
  EXPECT_EQ(world_->stop(), 0);
  io::DiskFaults read_only;
  read_only.read_only = true;
  disk().set_faults("/data/one", read_only);
  EXPECT_EQ(world_->start_in_vain(), 6);
}

TEST_F(StorageTest, a_partition_that_does_not_tell_its_topic_is_refused_and_kept) {
  begin({});
  for (int32_t i = 0; i < kPartitions; ++i) EXPECT_EQ(produce(i, "before"), 0);
  EXPECT_EQ(world_->stop(), 0);
  const std::string damaged = "/data/stones-1/partition.metadata";
  EXPECT_TRUE(disk().flip_bit(damaged, 3, 1));
  EXPECT_TRUE(disk().rename("/data/stones-2/partition.metadata", "/data/kept").ok());
  for (int starts = 0; starts < 2; ++starts) {
    world_->start();
    for (int32_t i = 0; i < kPartitions; ++i) EXPECT_EQ(produce(i, "x"), i == 1 || i == 2 ? kStorageError : 0) << i;
    EXPECT_TRUE(lines().mention("stones-1/partition.metadata does not tell whose records these are"));
    EXPECT_TRUE(lines().mention("stones-2/partition.metadata does not tell whose records these are"));
    EXPECT_NE(metrics().find("stele_log_dir_partitions_offline{dir=\"/data\"} 2\n"), std::string::npos);
    EXPECT_NE(metrics().find("stele_log_dir_strays{dir=\"/data\"} 0\n"), std::string::npos);
    EXPECT_EQ(world_->stop(), 0);
  }
  EXPECT_TRUE(disk().flip_bit(damaged, 3, 1));
  EXPECT_TRUE(disk().rename("/data/kept", "/data/stones-2/partition.metadata").ok());
  world_->start();
  for (const int32_t i : {1, 2}) EXPECT_EQ(read(i), (std::vector<std::string>{"before"}));
  EXPECT_EQ(world_->stop(), 0);
}

TEST_F(StorageTest, a_bit_that_flipped_at_rest_is_refused_and_the_rest_is_served) {
  begin({});
  for (int i = 0; i < 9; ++i) EXPECT_EQ(produce(1, "record " + std::to_string(i)), 0);
  EXPECT_EQ(produce(2, "another"), 0);
  EXPECT_EQ(world_->stop(), 0);
  const std::string file = "/data/stones-1/00000000000000000000.log";
  const uint64_t batch = disk().contents(file)->size() / 9;
  EXPECT_TRUE(disk().flip_bit(file, 4 * batch + 65, 3));
  world_->start();
  EXPECT_EQ(read(1).size(), 4U) << "up to the damage";
  EXPECT_EQ(fetch_code(1, 4), kCorruptMessage);
  EXPECT_EQ(fetch_code(1, 5), 0) << "behind it";
  EXPECT_EQ(read(2), (std::vector<std::string>{"another"}));
  EXPECT_EQ(produce(1, "more"), 0);
  EXPECT_TRUE(lines().mention(file));
  const std::string text = metrics();
  EXPECT_NE(text.find("stele_log_dir_damaged_batches{dir=\"/data\"} 1\n"), std::string::npos) << text;
}

// Records that are large enough to go from their file to the client without a look at them.
class SentUnreadTest : public StorageTest {
 protected:
  static constexpr int kRecords = 12;
  static constexpr int32_t kPartition = 1;
  const std::string kFile = "/data/stones-1/00000000000000000000.log";

  void begin_filled(config::ConfigMap config = {}) {
    begin(std::move(config));
    set_misses(0);
    for (int i = 0; i < kRecords; ++i) {
      values_.push_back(std::string(10'000, static_cast<char>('a' + i)));
      EXPECT_EQ(produce(kPartition, values_.back()), 0);
    }
  }
  void set_misses(uint32_t per_million) { disk().set_faults({.cache_miss = per_million}); }
  uint64_t times(const std::string& mark) { return world_->world().marks().at(mark).taken; }

  std::vector<std::string> values_;
};

TEST_F(SentUnreadTest, records_just_written_are_sent_from_the_page_cache) {
  begin_filled();
  EXPECT_EQ(read(kPartition), values_);
  EXPECT_GT(times("log.sent_unread"), 0U);
  EXPECT_EQ(times("server.loaded_to_send"), 0U);
}

TEST_F(SentUnreadTest, a_bit_that_flips_while_the_broker_runs_is_not_served) {
  begin_filled();
  EXPECT_EQ(read(kPartition), values_);
  EXPECT_TRUE(disk().flip_bit(kFile, disk().contents(kFile)->size() / kRecords * 4 + 65, 3));
  // The first range that is sent meets it; that connection ends, and the next one is told.
  const auto torn = ask<Fetched>([](Client& client) { return client.fetch(kTopic, {{kPartition, 0}}, 0); });
  EXPECT_EQ(torn.code, -1) << "ended without an answer";
  EXPECT_EQ(times("server.loaded_to_send"), 1U);
  EXPECT_TRUE(lines().mention("records that were to be sent were cut or damaged meanwhile"));
  EXPECT_EQ(read(kPartition), std::vector<std::string>(values_.begin(), values_.begin() + 4));
  EXPECT_EQ(fetch_code(kPartition, 4), kCorruptMessage);
  EXPECT_EQ(fetch_code(kPartition, 5), 0);
}

TEST_F(SentUnreadTest, records_that_left_the_page_cache_come_from_the_disk) {
  begin_filled();
  set_misses(io::kAlways);
  EXPECT_EQ(read(kPartition), values_);
  EXPECT_GT(times("server.loaded_to_send"), 0U);
  EXPECT_EQ(world_->bytes_charged(), 0U);
}

// Asks for more than the connection takes, and reads nothing.
Task<void> ask_and_not_read(io::Shard& shard, int requests) {
  const auto client = co_await connect_patiently(shard);
  wire::FetchRequest request;
  request.max_bytes = 1 << 20;
  auto& topic = request.topics.emplace_back();
  topic.topic = kTopic;
  auto& part = topic.partitions.emplace_back();
  part.partition = 1;
  part.partition_max_bytes = 1 << 20;
  base::ByteVector bytes;
  for (int i = 0; i < requests; ++i) base::append(bytes, client->frame<wire::FetchResponse>(request, 11));
  co_await client->send(std::move(bytes));
  base::Signal never{shard.executor()};
  co_await never.wait();
}

TEST_F(SentUnreadTest, what_waits_for_a_client_that_does_not_read_is_charged) {
  begin_filled();
  world_->begin([](io::Shard& shard) { return ask_and_not_read(shard, 4); });
  world_->pass(seconds{1});
  EXPECT_GT(times("log.sent_unread"), 0U);
  EXPECT_GT(world_->bytes_charged(), 32U << 10) << "a range keeps its file open";
  world_->end_client();
  world_->pass(seconds{1});
  EXPECT_EQ(world_->bytes_charged(), 0U);
}

TEST_F(SentUnreadTest, a_broker_that_is_told_to_check_each_time_sends_nothing_unread) {
  begin_filled({{"stele.fetch.recheck.ms", "0"}});
  EXPECT_EQ(read(kPartition), values_);
  EXPECT_EQ(times("log.sent_unread"), 0U);
}

}  // namespace
}  // namespace stele::sim
