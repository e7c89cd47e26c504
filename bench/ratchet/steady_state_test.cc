// What a request costs a broker of one shard in a steady state, counted and held against tools/steady_state.txt: heap
// allocations, system calls and bytes copied in user space. A number that grew fails; one that shrank asks for a lower
// ceiling.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <sstream>

#include "app/broker_process.h"
#include "io/world.h"
#include "load/frames.h"
#include "load/requests.h"
#include "ratchet/counts.h"

namespace stele::bench {
namespace {

constexpr int kWarm = 300;
constexpr int kCounted = 1000;

struct Cost {
  double allocations = 0;
  double calls = 0;
  double copied = 0;
};

// name allocations calls copied
std::map<std::string, Cost> read_ceilings() {
  std::map<std::string, Cost> out;
  std::ifstream file(std::string{STELE_SOURCE_DIR} + "/tools/steady_state.txt");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    Cost cost;
    if (line.starts_with('#') || !(words >> name >> cost.allocations >> cost.calls >> cost.copied)) continue;
    out[name] = cost;
  }
  return out;
}

base::Task<void> run_broker(app::BrokerProcess& process, io::World& world, std::promise<void>& running) {
  co_await process.run([&running, &world](base::Signal& stop) {
    world.notify_termination(stop);
    running.set_value();
  });
}

// Fetch 11 of topic "t", partition 0, from its start, without a session.
base::ByteVector fetch_of(int32_t partition_bytes) {
  FrameWriter frame{1, 11};
  frame.put(int32_t{-1}).put(int32_t{500}).put(int32_t{1}).put(int32_t{50 << 20}).put(int8_t{0});
  frame.put(int32_t{0}).put(int32_t{-1});
  frame.put(int32_t{1}).text("t").put(int32_t{1});
  frame.put(int32_t{0}).put(int32_t{-1}).put(int64_t{0}).put(int64_t{-1}).put(partition_bytes);
  frame.put(int32_t{0}).text("");
  return std::move(frame).done();
}

// Metadata 4 of topic "t".
base::ByteVector metadata_of(bool create) {
  FrameWriter frame{3, 4};
  frame.put(int32_t{1}).text("t").put(static_cast<int8_t>(create));
  return std::move(frame).done();
}

class SteadyState : public ::testing::Test {
 protected:
  void SetUp() override {
    leave_this_thread_out();
    ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
    auto loaded = config::BrokerConfig::without_file(
        {{"log.dirs", directory_}, {"stele.http.port", "-1"}, {"listeners", "PLAINTEXT://127.0.0.1:0"}});
    ASSERT_TRUE(loaded.config);
    std::vector<io::Shard*> shards{&world_->shard(base::ShardId{0})};
    process_ = std::make_unique<app::BrokerProcess>(
        shards, std::make_shared<const config::BrokerConfig>(*std::move(loaded.config)));
    std::promise<void> running;
    world_->start([&](io::Shard&) { return run_broker(*process_, *world_, running); });
    running.get_future().get();
    address_ = "127.0.0.1:" + std::to_string(process_->port("PLAINTEXT"));
  }
  void TearDown() override {
    ::kill(::getpid(), SIGTERM);
    world_->join();
    process_.reset();
    world_.reset();
    std::filesystem::remove_all(directory_);
  }

  // Sends the frames in one write and waits for as many answers.
  void exchange(const base::ByteVector& frames, int answers) {
    size_t sent = 0;
    while (sent < frames.size()) {
      const ssize_t put = ::send(socket_, frames.data() + sent, frames.size() - sent, MSG_NOSIGNAL);
      ASSERT_GT(put, 0);
      sent += static_cast<size_t>(put);
    }
    for (int i = 0; i < answers; ++i) {
      std::array<std::byte, 4> head;
      take(head);
      answer_.resize(static_cast<size_t>(base::load_be<int32_t>(head.data())));
      take(answer_);
    }
  }
  void take(base::MutableBytes into) {
    for (size_t got = 0; got < into.size();) {
      const ssize_t some = ::recv(socket_, into.data() + got, into.size() - got, 0);
      ASSERT_GT(some, 0);
      got += static_cast<size_t>(some);
    }
  }

  void hold(const std::string& name, const base::ByteVector& frames, int answers) {
    socket_ = connect_to(address_);
    for (int i = 0; i < kWarm; ++i) exchange(frames, answers);
    const HeapCounts heap = heap_counts();
    const uint64_t calls = world_->shard(base::ShardId{0}).counts().system_calls();
    for (int i = 0; i < kCounted; ++i) exchange(frames, answers);
    const HeapCounts heap_after = heap_counts();
    const uint64_t calls_after = world_->shard(base::ShardId{0}).counts().system_calls();
    ::close(socket_);
    const double requests = double{kCounted} * answers;
    const Cost cost{static_cast<double>(heap_after.allocations - heap.allocations) / requests,
                    static_cast<double>(calls_after - calls) / requests,
                    static_cast<double>(heap_after.bytes_copied - heap.bytes_copied) / requests};
    std::printf("%-24s %8.2f allocations %8.2f system calls %10.0f bytes copied\n", name.c_str(), cost.allocations,
                cost.calls, cost.copied);
    const auto ceilings = read_ceilings();
    ASSERT_TRUE(ceilings.contains(name)) << name << " has no line in tools/steady_state.txt";
    const Cost& ceiling = ceilings.at(name);
    EXPECT_LE(cost.allocations, ceiling.allocations);
    EXPECT_LE(cost.calls, ceiling.calls);
    EXPECT_LE(cost.copied, ceiling.copied);
    EXPECT_GE(cost.allocations, ceiling.allocations - 1.5) << "lower the ceiling of " << name;
  }

  static base::ByteVector repeated(const base::ByteVector& frame, int times) {
    base::ByteVector out;
    for (int i = 0; i < times; ++i) base::append(out, frame);
    return out;
  }
  base::ByteVector produce_of(int32_t records, size_t record_bytes) {
    return prepare_requests(
               {.topic = "t", .partitions = 1, .records = records, .record_bytes = record_bytes, .acks = -1})
        .front()
        .frame;
  }
  void create_topic() { Caller{address_}.call(metadata_of(true)); }

  std::string directory_ = (std::filesystem::temp_directory_path() / "stele-steady-XXXXXX").string();
  std::unique_ptr<io::World> world_ = std::make_unique<io::World>(
      io::WorldOptions{.shards = 1, .log_level = base::LogLevel::kWarn, .catch_termination = true});
  std::unique_ptr<app::BrokerProcess> process_;
  std::string address_;
  int socket_ = -1;
  base::ByteVector answer_;
};

TEST_F(SteadyState, produce_of_one_record_one_at_a_time) {
  create_topic();
  hold("produce-one", produce_of(1, 100), 1);
}

TEST_F(SteadyState, produce_of_one_record_twenty_at_a_time) {
  create_topic();
  hold("produce-pipelined", repeated(produce_of(1, 100), 20), 20);
}

TEST_F(SteadyState, produce_of_64_kib) {
  create_topic();
  hold("produce-64k", produce_of(63, 1024), 1);
}

TEST_F(SteadyState, fetch_of_64_kib) {
  create_topic();
  socket_ = connect_to(address_);
  for (int i = 0; i < 4; ++i) exchange(produce_of(63, 1024), 1);
  ::close(socket_);
  hold("fetch-64k", fetch_of(70'000), 1);
}

TEST_F(SteadyState, metadata_of_a_topic) {
  create_topic();
  hold("metadata", metadata_of(false), 1);
}

}  // namespace
}  // namespace stele::bench
