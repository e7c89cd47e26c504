#include "server/acceptor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/complaints.h"
#include "io/sim/sim_world.h"

namespace stele::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Lines final : base::LogSink {
  std::vector<std::string> all;
  bool enabled(base::LogLevel level) const override { return level >= base::LogLevel::kWarn; }
  void write(base::LogLevel, std::string_view line) override { all.emplace_back(line); }
};

// The shard of a process that has no descriptors left while the test says so.
class StarvedShard final : public io::Shard {
 public:
  explicit StarvedShard(io::Shard& real) : real_(real) {}
  bool starved = false;

  base::Result<std::unique_ptr<io::Listener>> listen(const io::Endpoint& endpoint) override {
    STELE_TRY_ASSIGN(std::unique_ptr<io::Listener> port, real_.listen(endpoint));
    return std::unique_ptr<io::Listener>{std::make_unique<Port>(*this, std::move(port))};
  }
  base::ShardId id() const override { return real_.id(); }
  uint32_t shard_count() const override { return real_.shard_count(); }
  base::Executor& executor() override { return real_.executor(); }
  base::Clock& clock() override { return real_.clock(); }
  base::Random& random() override { return real_.random(); }
  base::LogSink& log() override { return real_.log(); }
  base::Complaints& complaints() override { return real_.complaints(); }
  std::unique_ptr<io::Timer> make_timer() override { return real_.make_timer(); }
  base::Task<base::Result<std::unique_ptr<io::Stream>>> connect(io::Endpoint to) override { return real_.connect(to); }
  std::unique_ptr<io::Stream> adopt(std::unique_ptr<io::DetachedStream> stream) override {
    return real_.adopt(std::move(stream));
  }
  std::unique_ptr<io::DetachedStream> detach(std::unique_ptr<io::Stream> stream) override {
    return real_.detach(std::move(stream));
  }
  base::Task<base::Result<std::unique_ptr<io::Directory>>> open_directory(std::string path, bool create) override {
    return real_.open_directory(std::move(path), create);
  }
  void send(base::ShardId to, std::unique_ptr<io::Mail> mail) override { real_.send(to, std::move(mail)); }
  base::Task<void> offload(std::move_only_function<void()> work) override { return real_.offload(std::move(work)); }
  io::LoopCounts& counts() override { return real_.counts(); }
  bool maybe(const char* fault_point) override { return real_.maybe(fault_point); }
  void mark(const char* branch) override { real_.mark(branch); }

 private:
  struct Port final : io::Listener {
    Port(StarvedShard& shard, std::unique_ptr<io::Listener> port_of) : at(shard), real(std::move(port_of)) {}
    base::Result<std::unique_ptr<io::DetachedStream>> try_accept() override {
      if (at.starved) return base::Error{base::ErrorCode::kUnknownServerError, "too many open files"};
      return real->try_accept();
    }
    void notify_acceptable(base::Signal* signal) override { real->notify_acceptable(signal); }
    uint16_t port() const override { return real->port(); }
    StarvedShard& at;
    std::unique_ptr<io::Listener> real;
  };
  io::Shard& real_;
};

class AcceptorTest : public ::testing::Test {
 protected:
  static base::Task<void> forever(io::Shard& shard) {
    base::Signal never{shard.executor()};
    co_await never.wait();
  }
  void start(AcceptLimits limits, std::map<std::string, uint16_t> listeners = {{"A", 1000}}) {
    bind(std::move(limits), std::move(listeners));
    acceptor_->start();
  }
  void bind(AcceptLimits limits, std::map<std::string, uint16_t> listeners = {{"A", 1000}}) {
    broker_.start(3, &forever);
    control_ = std::make_unique<StarvedShard>(broker_.shard(base::ShardId{0}));
    acceptor_ = std::make_unique<Acceptor>(
        *control_, std::move(limits),
        [this](base::ShardId shard, std::unique_ptr<io::DetachedStream> stream, ConnectionInfo info) {
          ++on_shard_[shard.value()];
          held_.push_back(std::move(stream));
          taken_.push_back(std::move(info));
        });
    for (const auto& [name, port] : listeners) ASSERT_TRUE(acceptor_->bind(name, false, {"", port}).ok());
  }
  static base::Task<void> open(io::Shard& shard, uint16_t port, std::vector<std::unique_ptr<io::Stream>>& opened) {
    auto stream = co_await shard.connect({"broker", port});
    if (stream.ok()) opened.push_back(*std::move(stream));
  }
  void connect(int count, uint16_t port = 1000) {
    for (int i = 0; i < count; ++i) clients_.spawn(open(client_.shard(base::ShardId{0}), port, opened_));
    pass(milliseconds{100});
  }
  // How many were taken between two turns of another on the same shard, at most.
  base::Task<void> watch(base::Executor& executor, size_t& most) {
    size_t before = 0;
    for (int turn = 0; turn < 400; ++turn) {
      co_await base::yield(executor);
      most = std::max(most, taken_.size() - before);
      before = taken_.size();
    }
  }
  void pass(base::Duration time) {
    world_.run_until([] { return false; }, time);
  }
  void TearDown() override {
    acceptor_.reset();
    clients_.cancel();
  }

  Lines lines_;
  io::SimWorld world_{io::SimOptions{.seed = 3, .log = &lines_}};
  io::SimHost& broker_ = world_.add_host("broker");
  io::SimHost& client_ = started(world_.add_host("client"));
  base::TaskScope clients_{client_.shard(base::ShardId{0}).executor(), [](std::exception_ptr) {}};
  std::vector<std::unique_ptr<io::Stream>> opened_;
  std::vector<std::unique_ptr<io::DetachedStream>> held_;
  std::vector<ConnectionInfo> taken_;
  std::map<uint32_t, int> on_shard_;
  std::unique_ptr<StarvedShard> control_;
  std::unique_ptr<Acceptor> acceptor_;

 private:
  static io::SimHost& started(io::SimHost& host) {
    host.start(1, &forever);
    return host;
  }
};

const AcceptLimits kWide{.connections_max = 1000, .connections_per_address_max = 1000};

TEST_F(AcceptorTest, spreads_connections_over_the_shards) {
  start(kWide);
  connect(9);
  EXPECT_EQ(on_shard_, (std::map<uint32_t, int>{{0, 3}, {1, 3}, {2, 3}}));
  EXPECT_EQ(acceptor_->open(), 9U);
}

TEST_F(AcceptorTest, a_crowd_of_connections_leaves_others_their_turn) {
  bind(kWide);
  connect(100);
  size_t most = 0;
  base::Executor& executor = broker_.shard(base::ShardId{0}).executor();
  base::TaskScope others{executor, [](std::exception_ptr) { FAIL(); }};
  acceptor_->start();
  others.spawn(watch(executor, most));
  pass(milliseconds{100});
  EXPECT_EQ(taken_.size(), 100U);
  EXPECT_LT(most, 60U);
}

TEST_F(AcceptorTest, closes_what_is_over_the_limit_and_takes_more_once_one_has_ended) {
  AcceptLimits limits = kWide;
  limits.connections_max = 3;
  start(limits);
  connect(5);
  EXPECT_EQ(taken_.size(), 3U);
  EXPECT_EQ(acceptor_->refused(), 2U);
  EXPECT_EQ(lines_.all.size(), 1U) << "one a second";
  EXPECT_EQ(broker_.shard(base::ShardId{0}).complaints().limits().of(base::Limit::kConnections), 2U);
  acceptor_->closed(taken_.front());
  connect(2);
  EXPECT_EQ(taken_.size(), 4U);
}

TEST_F(AcceptorTest, an_address_may_have_a_limit_of_its_own) {
  AcceptLimits limits = kWide;
  limits.connections_per_address_max = 2;
  start(limits);
  connect(4);
  EXPECT_EQ(taken_.size(), 2U);
  limits.of_address[taken_.front().client_address] = 3;
  acceptor_->set_limits(limits);
  connect(4);
  EXPECT_EQ(taken_.size(), 3U);
}

TEST_F(AcceptorTest, a_listener_may_have_a_limit_of_its_own) {
  AcceptLimits limits = kWide;
  limits.listeners["A"].connections_max = 1;
  start(limits, {{"A", 1000}, {"B", 2000}});
  connect(3);
  connect(3, 2000);
  EXPECT_EQ(taken_.size(), 4U);
  for (const ConnectionInfo& info : std::vector{taken_}) {
    if (info.listener == "A") acceptor_->closed(info);
  }
  connect(1);
  EXPECT_EQ(taken_.size(), 5U);
}

TEST_F(AcceptorTest, connections_over_the_rate_wait_and_are_taken_later) {
  AcceptLimits limits = kWide;
  limits.creation_rate = 10;
  start(limits);
  connect(35);
  EXPECT_GE(taken_.size(), 10U) << "a second's worth comes at once";
  EXPECT_LE(taken_.size(), 12U);
  EXPECT_GT(acceptor_->delayed(), 0U);
  pass(seconds{1});
  EXPECT_LE(taken_.size(), 22U);
  pass(seconds{2});
  EXPECT_EQ(taken_.size(), 35U);
  EXPECT_EQ(acceptor_->refused(), 0U);
}

TEST_F(AcceptorTest, the_rate_of_one_listener_does_not_hold_another_back) {
  AcceptLimits limits = kWide;
  limits.listeners["A"].creation_rate = 5;
  start(limits, {{"A", 1000}, {"B", 2000}});
  connect(20);
  const size_t before = taken_.size();
  connect(20, 2000);
  EXPECT_GE(taken_.size(), before + 20);
  EXPECT_LT(taken_.size(), 40U);
}

TEST_F(AcceptorTest, connections_wait_while_none_can_be_accepted_which_is_counted_and_told_once) {
  start(kWide);
  control_->starved = true;
  connect(3);
  pass(seconds{10});
  EXPECT_TRUE(taken_.empty());
  EXPECT_GT(acceptor_->failed(), 90U);
  EXPECT_LT(acceptor_->failed(), 110U) << "it is not tried without end";
  ASSERT_EQ(lines_.all.size(), 1U);
  EXPECT_NE(lines_.all.front().find("too many open files"), std::string::npos) << lines_.all.front();
  control_->starved = false;
  pass(seconds{1});
  EXPECT_EQ(taken_.size(), 3U);
  control_->starved = true;
  connect(1);
  pass(seconds{1});
  EXPECT_EQ(lines_.all.size(), 2U);
}

TEST_F(AcceptorTest, refusals_do_not_fill_the_log) {
  AcceptLimits limits = kWide;
  limits.connections_max = 1;
  start(limits);
  connect(500);
  EXPECT_EQ(acceptor_->refused(), 499U);
  EXPECT_LE(lines_.all.size(), 20U);
  pass(seconds{2});
  broker_.shard(base::ShardId{0}).complaints().settle();
  EXPECT_NE(lines_.all.back().find("more lines"), std::string::npos) << lines_.all.back();
}

TEST(TokenBucket, lets_so_many_through_a_second_and_never_saves_up_more) {
  TokenBucket bucket{100};
  base::MonoTime now{seconds{5}};
  int taken = 0;
  while (bucket.take(now) == base::Duration{}) ++taken;
  EXPECT_EQ(taken, 100);
  now += seconds{60};
  taken = 0;
  while (bucket.take(now) == base::Duration{}) ++taken;
  EXPECT_EQ(taken, 100);
  const base::Duration wait = bucket.take(now);
  EXPECT_GT(wait, milliseconds{5});
  EXPECT_LT(wait, milliseconds{11});
  EXPECT_EQ(bucket.take(now + wait), base::Duration{});
}

TEST(TokenBucket, a_rate_of_nothing_lets_nothing_through) {
  TokenBucket bucket{0};
  EXPECT_GT(bucket.take(base::MonoTime{seconds{100}}), base::Duration{});
}

}  // namespace
}  // namespace stele::server
