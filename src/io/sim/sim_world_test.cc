#include "io/sim/sim_world.h"

#include <gtest/gtest.h>

#include <utility>

namespace stele::io {
namespace {

using base::Signal;
using base::Task;
using std::chrono::hours;
using std::chrono::seconds;

Task<void> read_all(Shard& shard, std::unique_ptr<Stream> stream, std::string& out) {
  Signal readable{shard.executor()};
  while (true) {
    char bytes[64];
    const iovec part{bytes, sizeof bytes};
    const TransferResult result = stream->try_read({&part, 1});
    if (result.status == Transfer::kDone) {
      out.append(bytes, result.bytes);
      continue;
    }
    if (result.status != Transfer::kWouldBlock) co_return;
    stream->notify_readable(&readable);
    co_await readable.wait();
  }
}

Task<void> serve_one(Shard& shard, std::string& out) {
  auto listener = shard.listen({"", 9092});
  Signal acceptable{shard.executor()};
  listener.value()->notify_acceptable(&acceptable);
  co_await acceptable.wait();
  co_await read_all(shard, shard.adopt(listener.value()->try_accept().value()), out);
  shard.log().info("got {} bytes", out.size());
}

Task<void> write_to(Shard& shard, std::string host) {
  auto stream = co_await shard.connect({host, 9092});
  for (int i = 0; i < 20; ++i) {
    std::string text = fmt::format("{},", shard.random().below(1000));
    const iovec part{text.data(), text.size()};
    stream.value()->try_write({&part, 1});
    co_await sleep_until(shard, shard.clock().now() + std::chrono::microseconds{shard.random().below(300)});
  }
}

struct Outcome {
  std::string bytes;
  uint64_t hash;
  bool operator==(const Outcome&) const = default;
};

Outcome run_pair(uint64_t seed) {
  SimWorld world{{.seed = seed}};
  SimHost& server = world.add_host("server");
  SimHost& client = world.add_host("client");
  std::string got;
  server.start(1, [&](Shard& shard) { return serve_one(shard, got); });
  client.start(1, [](Shard& shard) { return write_to(shard, "server"); });
  EXPECT_TRUE(world.run_until([&] { return server.ended() && client.ended(); }, seconds{10}));
  return {got, world.trace_hash()};
}

TEST(SimWorldTest, the_same_seed_gives_the_same_trace_and_another_seed_another) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const Outcome first = run_pair(seed);
    EXPECT_EQ(first, run_pair(seed)) << "seed " << seed;
    EXPECT_NE(first.hash, run_pair(seed + 1000).hash) << "seed " << seed;
    EXPECT_FALSE(first.bytes.empty());
  }
}

Task<void> sleep_long(Shard& shard, bool& woke) {
  co_await sleep_until(shard, shard.clock().now() + hours{100});
  woke = true;
}

TEST(SimWorldTest, hours_pass_in_an_instant_and_stop_at_the_deadline) {
  SimWorld world{{}};
  SimHost& host = world.add_host("a");
  bool woke = false;
  host.start(1, [&](Shard& shard) { return sleep_long(shard, woke); });
  EXPECT_FALSE(world.run_until([&] { return woke; }, hours{99}));
  EXPECT_EQ(world.now(), base::MonoTime{hours{99}});
  EXPECT_TRUE(world.run_until([&] { return woke; }, hours{2}));
}

Task<void> write_files(Shard& shard, std::unique_ptr<FileLock>& lock) {
  auto directory = co_await shard.open_directory("/data", true);
  lock = directory.value()->lock(".lock").value();
  for (const char* name : {"synced", "unsynced"}) {
    auto file = co_await directory.value()->open(name, OpenMode::kCreate);
    std::string text = "first";
    const iovec part{text.data(), text.size()};
    (co_await file.value()->write(0, {&part, 1})).value();
    (co_await file.value()->sync()).value();
    (co_await file.value()->write(5, {&part, 1})).value();
    if (std::string_view{name} == "synced") (co_await file.value()->sync()).value();
  }
  (co_await directory.value()->sync()).value();
  (co_await directory.value()->open("nameless", OpenMode::kCreate)).value();
}

class SimDiskTest : public ::testing::Test {
 protected:
  SimDiskTest() {
    host_.start(1, [this](Shard& shard) { return write_files(shard, lock_); });
    EXPECT_TRUE(world_.run_until([&] { return host_.ended(); }, seconds{10}));
    lock_.reset();
    host_.crash();
    // The directory itself was never synced into its parent.
    EXPECT_TRUE(host_.disk().sync_directory("/").ok());
  }
  std::string text_of(const std::string& path) {
    auto file = host_.disk().open(path, OpenMode::kRead);
    return file.ok() ? std::string{base::as_text((*file)->view())} : "none";
  }

  SimWorld world_{{}};
  SimHost& host_ = world_.add_host("a");
  std::unique_ptr<FileLock> lock_;
};

TEST_F(SimDiskTest, a_crash_of_the_process_keeps_what_the_kernel_has) {
  EXPECT_EQ(text_of("/data/synced"), "firstfirst");
  EXPECT_EQ(text_of("/data/unsynced"), "firstfirst");
  EXPECT_EQ(text_of("/data/nameless"), "");
}

TEST_F(SimDiskTest, a_power_loss_keeps_what_was_synced) {
  host_.disk().lose_power(kLoseAll);
  EXPECT_EQ(text_of("/data/synced"), "firstfirst");
  EXPECT_EQ(text_of("/data/unsynced"), "first");
  EXPECT_EQ(text_of("/data/nameless"), "none");
}

struct Alive {
  explicit Alive(int& count) : counter(count) { ++counter; }
  Alive(const Alive&) = delete;
  Alive& operator=(const Alive&) = delete;
  ~Alive() { --counter; }
  int& counter;
};
Task<void> hold(Shard& shard, int& alive) {
  const Alive held{alive};
  Signal never{shard.executor()};
  co_await sleep_until(shard, shard.clock().now() + hours{1});
}

TEST(SimWorldTest, a_crash_destroys_every_coroutine_and_the_host_can_start_again) {
  SimWorld world{{}};
  SimHost& host = world.add_host("a");
  int alive = 0;
  for (int i = 0; i < 2; ++i) {
    host.start(3, [&](Shard& shard) { return hold(shard, alive); });
    EXPECT_TRUE(world.run_until([&] { return alive == 3; }, seconds{1}));
    host.crash();
    EXPECT_EQ(alive, 0);
  }
  EXPECT_FALSE(world.run_until([] { return false; }, hours{2}));
}

}  // namespace
}  // namespace stele::io
