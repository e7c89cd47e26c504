#include <cerrno>
#include <set>

#include "io/sim/faults_fixture.h"

namespace stele::io {
namespace {

using base::Duration;
using base::Result;
using base::Signal;
using base::Task;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// What one end of a connection saw.
struct Seen {
  std::string text;
  std::vector<size_t> reads;
  int os_error = 0;
  bool ended = false;
  base::MonoTime first_at;
};

Task<void> read_all(Shard& shard, Stream& stream, Seen& seen) {
  Signal readable{shard.executor()};
  while (true) {
    char bytes[1024];
    const iovec part{bytes, sizeof bytes};
    const TransferResult result = stream.try_read({&part, 1});
    if (result.status == Transfer::kDone) {
      if (seen.text.empty()) seen.first_at = shard.clock().now();
      seen.text.append(bytes, result.bytes);
      seen.reads.push_back(result.bytes);
      continue;
    }
    if (result.status != Transfer::kWouldBlock) {
      seen.os_error = result.os_error;
      seen.ended = true;
      co_return;
    }
    stream.notify_readable(&readable);
    co_await readable.wait();
  }
}

// Takes one connection, and reads it to its end.
Task<void> serve_one(Shard& shard, Seen& seen) {
  auto listener = must(shard.listen({"", 9092}));
  Signal acceptable{shard.executor()};
  listener->notify_acceptable(&acceptable);
  co_await acceptable.wait();
  auto stream = shard.adopt(must(listener->try_accept()));
  co_await read_all(shard, *stream, seen);
}

TransferResult put(Stream& stream, std::string text) {
  const iovec part{text.data(), text.size()};
  return stream.try_write({&part, 1});
}

Task<void> pass(Shard& shard, Duration time) { co_await sleep_until(shard, shard.clock().now() + time); }

class NetworkFaultsTest : public FaultsTest {
 protected:
  NetworkFaultsTest() {
    b_.start(1, [this](Shard& shard) { return serve_one(shard, seen_); });
  }
  // Runs the client's half; the server's may still wait.
  void run_client(Task<void> (*main)(Shard&, SimNetwork&)) { run(a_, main, world_.network()); }
  void pass_time(Duration time) {
    world_.run_until([] { return false; }, time);
  }

  Seen seen_;
};

Task<void> write_ten(Shard& shard, SimNetwork&) {
  auto stream = must(co_await shard.connect({"b", 9092}));
  for (int i = 0; i < 10; ++i) put(*stream, std::string(100, static_cast<char>('0' + i)));
  co_await pass(shard, seconds{1});
}

TEST_F(NetworkFaultsTest, reads_are_cut_at_any_size_up_to_the_largest) {
  world_.network().set_faults({.read_cut = kAlways, .read_cut_largest = 3});
  run_client(write_ten);
  pass_time(seconds{1});
  EXPECT_EQ(seen_.text.size(), 1000);
  EXPECT_EQ((std::set<size_t>{seen_.reads.begin(), seen_.reads.end()}), (std::set<size_t>{1, 2, 3}));
}

TEST_F(NetworkFaultsTest, a_write_takes_a_part_of_what_is_offered) {
  world_.network().set_faults({.write_cut = kAlways});
  run_client(+[](Shard& shard, SimNetwork&) -> Task<void> {
    auto stream = must(co_await shard.connect({"b", 9092}));
    std::set<size_t> taken;
    for (int i = 0; i < 100; ++i) taken.insert(put(*stream, "xyz").bytes);
    EXPECT_EQ(taken, (std::set<size_t>{1, 2, 3}));
  });
}

TEST_F(NetworkFaultsTest, bytes_take_the_latency_of_their_direction) {
  world_.network().set_faults("a", "b", {.latency_least = milliseconds{300}, .latency_mean = milliseconds{1}});
  run_client(+[](Shard& shard, SimNetwork&) -> Task<void> {
    auto stream = must(co_await shard.connect({"b", 9092}));
    co_await pass(shard, seconds{1});
    put(*stream, "x");
    const base::MonoTime sent = shard.clock().now();
    co_await pass(shard, seconds{1});
    EXPECT_EQ(sent.time_since_epoch() / seconds{1}, 1);
  });
  pass_time(seconds{1});
  EXPECT_GT(seen_.first_at, base::MonoTime{milliseconds{1600}});
  EXPECT_LT(seen_.first_at, base::MonoTime{milliseconds{1700}});
}

TEST_F(NetworkFaultsTest, a_stalled_direction_delivers_late_and_in_order) {
  run_client(+[](Shard& shard, SimNetwork& network) -> Task<void> {
    auto stream = must(co_await shard.connect({"b", 9092}));
    network.set_faults({.stall = kAlways, .stall_longest = minutes{10}});
    put(*stream, "first,");
    network.set_faults({});
    put(*stream, "second");
    co_await pass(shard, seconds{1});
  });
  EXPECT_EQ(seen_.text, "");
  pass_time(minutes{10});
  EXPECT_EQ(seen_.text, "first,second");
  EXPECT_TRUE(seen_.ended);
}

TEST_F(NetworkFaultsTest, both_ends_learn_of_a_reset) {
  run_client(+[](Shard& shard, SimNetwork& network) -> Task<void> {
    auto stream = must(co_await shard.connect({"b", 9092}));
    put(*stream, "before");
    co_await pass(shard, seconds{1});
    network.set_faults({.reset = kAlways});
    EXPECT_EQ(put(*stream, "lost").status, Transfer::kDone);
    Seen own;
    co_await read_all(shard, *stream, own);
    EXPECT_EQ(own.os_error, ECONNRESET);
    EXPECT_EQ(put(*stream, "x").status, Transfer::kError);
  });
  pass_time(seconds{1});
  EXPECT_EQ(seen_.text, "before");
  EXPECT_EQ(seen_.os_error, ECONNRESET);
}

TEST_F(NetworkFaultsTest, nobody_learns_of_a_half_open_connection) {
  run_client(+[](Shard& shard, SimNetwork& network) -> Task<void> {
    auto stream = must(co_await shard.connect({"b", 9092}));
    network.set_faults({.half_open = kAlways});
    put(*stream, "lost");
    network.set_faults({});
    size_t taken = 4;
    while (true) {  // the kernel takes what its buffer holds
      const TransferResult more = put(*stream, std::string(1000, 'x'));
      if (more.status != Transfer::kDone) break;
      taken += more.bytes;
    }
    EXPECT_EQ(taken, 64 * 1024);
  });
  pass_time(minutes{10});
  EXPECT_EQ(seen_.text, "");
  EXPECT_FALSE(seen_.ended);
}

TEST_F(NetworkFaultsTest, connections_are_refused) {
  world_.network().set_faults({.refuse_connect = kAlways});
  run_client(+[](Shard& shard, SimNetwork&) -> Task<void> {
    EXPECT_EQ(errno_of(co_await shard.connect({"b", 9092})), ECONNREFUSED);
  });
}

TEST_F(NetworkFaultsTest, a_connection_may_wait_long_to_be_accepted) {
  world_.network().set_faults({.accept_delay_longest = minutes{5}});
  run_client(write_ten);
  EXPECT_EQ(seen_.text, "");
  pass_time(minutes{5});
  EXPECT_EQ(seen_.text.size(), 1000);
}

TEST_F(NetworkFaultsTest, what_was_sent_through_a_cut_arrives_once_it_is_healed) {
  run_client(+[](Shard& shard, SimNetwork& network) -> Task<void> {
    auto stream = must(co_await shard.connect({"b", 9092}));
    put(*stream, "first,");
    co_await pass(shard, seconds{1});
    network.set_cut_off("a", "b", true);
    put(*stream, "second");
    co_await pass(shard, minutes{5});
  });
  EXPECT_EQ(seen_.text, "first,");
  EXPECT_FALSE(seen_.ended);
  world_.network().set_cut_off("a", "b", false);
  pass_time(seconds{1});
  EXPECT_EQ(seen_.text, "first,second");
  EXPECT_TRUE(seen_.ended);
}

TEST_F(NetworkFaultsTest, one_direction_may_be_cut_alone) {
  run_client(+[](Shard& shard, SimNetwork& network) -> Task<void> {
    auto stream = must(co_await shard.connect({"b", 9092}));
    network.set_cut_off("b", "a", true);
    put(*stream, "arrives");
    co_await pass(shard, seconds{1});
    const base::MonoTime start = shard.clock().now();
    EXPECT_EQ(errno_of(co_await shard.connect({"b", 9092})), ETIMEDOUT);
    EXPECT_EQ(shard.clock().now() - start, seconds{20});
  });
  pass_time(seconds{1});
  EXPECT_EQ(seen_.text, "arrives");
}

TEST_F(NetworkFaultsTest, a_host_without_power_says_nothing_until_it_is_back) {
  Seen own;
  a_.start(1, [&own](Shard& shard) {
    return [](Shard& on, Seen& seen) -> Task<void> {
      auto stream = must(co_await on.connect({"b", 9092}));
      put(*stream, "before");
      co_await pass(on, seconds{10});
      put(*stream, "after");
      co_await read_all(on, *stream, seen);
    }(shard, own);
  });
  pass_time(seconds{1});
  b_.lose_power();
  pass_time(seconds{4});
  EXPECT_FALSE(own.ended);
  b_.start(1, [this](Shard& shard) { return serve_one(shard, seen_); });
  pass_time(seconds{4});
  EXPECT_FALSE(own.ended);
  pass_time(seconds{4});
  EXPECT_EQ(own.os_error, ECONNRESET);
  EXPECT_EQ(seen_.text, "before");
}

TEST_F(NetworkFaultsTest, faults_of_a_pair_leave_the_way_back_and_the_own_host_alone) {
  SimNetwork& network = world_.network();
  network.set_faults("a", "b", {.reset = 7});
  EXPECT_EQ(network.faults("a", "b").reset, 7);
  EXPECT_EQ(network.faults("b", "a").reset, 0);
  network.set_faults({.reset = 9});
  EXPECT_EQ(network.faults("a", "b").reset, 9);
  EXPECT_EQ(network.faults("b", "a").reset, 9);
  EXPECT_EQ(network.faults("a", "a").reset, 0);
}

}  // namespace
}  // namespace stele::io
