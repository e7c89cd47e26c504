// The same broker on the machine's own threads, sockets and files: small, so that it may run under the thread
// sanitizer.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "app/broker_process.h"
#include "io/world.h"
#include "sim/client.h"

namespace stele::sim {
namespace {

using base::Task;

constexpr uint32_t kShards = 3;
constexpr int kClientsPerShard = 3;

struct Poke final : io::Mail {
  explicit Poke(std::function<void()> what) : run(std::move(what)) {}
  std::function<void()> run;
  void deliver() override {
    const std::unique_ptr<Poke> self{this};
    run();
  }
};

Task<void> produce_and_read(io::Shard& shard, uint16_t port, std::string topic, int count) {
  const auto client = co_await Client::connect(shard, "127.0.0.1", port);
  EXPECT_NE(client, nullptr);
  if (!client) co_return;
  EXPECT_EQ(co_await client->create_topic(topic, 4), 0);
  std::vector<std::vector<std::string>> sent(4);
  for (int i = 0; i < count; ++i) {
    Batch batch;
    batch.values.push_back(topic + std::to_string(i));
    sent[static_cast<size_t>(i % 4)].push_back(batch.values.back());
    const Produced done = co_await client->produce(topic, i % 4, -1, std::move(batch));
    EXPECT_EQ(done.code, 0);
    if (i % 10 != 0) continue;
    const Fetched fetched = co_await client->fetch(topic, {{0, 0}, {1, 0}, {2, 0}, {3, i}}, 5);
    EXPECT_EQ(fetched.code, 0);
  }
  for (int32_t partition = 0; partition < 4; ++partition) {
    std::vector<std::string> read;
    for (auto& record : co_await client->read_all(topic, partition)) read.push_back(std::move(record.value));
    EXPECT_EQ(read, sent[static_cast<size_t>(partition)]);
  }
}

// The broker on shard 0 and its clients on the others.
struct Scene {
  io::World world{io::WorldOptions{.shards = kShards}};
  std::unique_ptr<app::BrokerProcess> process;
  std::vector<base::Signal*> go = std::vector<base::Signal*>(kShards);
  base::Signal* terminate = nullptr;
  uint32_t shards_done = 0;
  int exit_code = -1;

  Task<void> run_control(io::Shard& shard) {
    exit_code = co_await process->run([this, &shard](base::Signal& signal) {
      terminate = &signal;
      for (uint32_t i = 1; i < kShards; ++i) {
        shard.send(base::ShardId{i}, std::make_unique<Poke>([this, i] { go[i]->set(); }));
      }
    });
    world.stop();
  }

  Task<void> run_clients(io::Shard& shard, base::Signal& begin) {
    co_await begin.wait();
    base::TaskScope clients{shard.executor(), [](std::exception_ptr fault) { std::rethrow_exception(fault); }};
    const uint16_t port = process->port("PLAINTEXT");
    for (int i = 0; i < kClientsPerShard; ++i) {
      clients.spawn(produce_and_read(shard, port, fmt::format("topic-{}-{}-", shard.id().value(), i), 100));
    }
    co_await clients.join();
    shard.send(base::ShardId{0}, std::make_unique<Poke>([this] {
                 if (++shards_done == kShards - 1) terminate->set();
               }));
    base::Signal never{shard.executor()};
    co_await never.wait();
  }
};

TEST(RealWorldBroker, clients_on_several_threads_produce_and_read_side_by_side) {
  std::string directory = (std::filesystem::temp_directory_path() / "stele-XXXXXX").string();
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  auto loaded = config::BrokerConfig::without_file(
      {{"log.dirs", directory}, {"stele.http.port", "-1"}, {"listeners", "PLAINTEXT://127.0.0.1:0"}});
  ASSERT_TRUE(loaded.config);
  {
    Scene scene;
    std::vector<io::Shard*> shards;
    for (uint32_t i = 0; i < kShards; ++i) shards.push_back(&scene.world.shard(base::ShardId{i}));
    scene.process = std::make_unique<app::BrokerProcess>(
        shards, std::make_shared<const config::BrokerConfig>(*std::move(loaded.config)));
    std::vector<std::unique_ptr<base::Signal>> begin;
    for (uint32_t i = 0; i < kShards; ++i) {
      begin.push_back(std::make_unique<base::Signal>(scene.world.shard(base::ShardId{i}).executor()));
      scene.go[i] = begin.back().get();
    }
    scene.world.start([&](io::Shard& shard) {
      const uint32_t id = shard.id().value();
      return id == 0 ? scene.run_control(shard) : scene.run_clients(shard, *begin[id]);
    });
    scene.world.join();
    EXPECT_EQ(scene.exit_code, 0);
    scene.process.reset();
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace stele::sim
