// What the HTTP listener promises to those who ask it, and what it bears of those who mean harm.
#include "admin/http_server.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "base/complaints.h"
#include "io/sim/sim_world.h"

namespace stele::admin {
namespace {

using base::Limit;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Lines final : base::LogSink {
  std::vector<std::string> all;
  bool enabled(base::LogLevel level) const override { return level >= base::LogLevel::kInfo; }
  void write(base::LogLevel, std::string_view line) override { all.emplace_back(line); }
  bool mention(std::string_view what) const {
    return std::ranges::any_of(all, [what](const std::string& line) { return line.find(what) != std::string::npos; });
  }
};

// One connection: what it sends, and what has come back so far.
struct Peer {
  std::unique_ptr<io::Stream> stream;
  std::string got;
  bool reads = true;
  bool ended = false;
  size_t answers() const {
    size_t count = 0;
    for (size_t at = got.find("HTTP/1.1 "); at != std::string::npos; at = got.find("HTTP/1.1 ", at + 1)) ++count;
    return count;
  }
};

class HttpServerTest : public ::testing::Test {
 protected:
  void start(HttpServerLimits limits = {}) {
    io::Shard& shard = host_.shard(base::ShardId{0});
    http_ = std::make_unique<HttpServer>(shard, limits,
                                         [this](io::HttpRequest request) { return answer(std::move(request)); });
    ASSERT_TRUE(http_->listen({"", 80}).ok());
  }
  const base::LimitCounts& counts() { return host_.shard(base::ShardId{0}).complaints().limits(); }
  // The target, or as many bytes as its last part says.
  base::Task<io::HttpResponse> answer(io::HttpRequest request) {
    ++asked_;
    io::HttpResponse response;
    response.body = request.target;
    if (request.target.starts_with("/much")) response.body.assign(size_t{16} << 20, 'm');
    co_return response;
  }
  Peer& connect(bool reads = true) {
    Peer& peer = peers_.emplace_back();
    peer.reads = reads;
    clients_.spawn(run(client_.shard(base::ShardId{0}), peer));
    pass(milliseconds{20});
    return peer;
  }
  static base::Task<void> run(io::Shard& shard, Peer& peer) {
    auto stream = co_await shard.connect({"broker", 80});
    if (!stream.ok()) co_return;
    peer.stream = *std::move(stream);
    base::Signal readable{shard.executor()};
    std::string buffer(100'000, '\0');
    while (peer.reads) {
      const iovec into{buffer.data(), buffer.size()};
      const io::TransferResult read = peer.stream->try_read({&into, 1});
      if (read.status == io::Transfer::kWouldBlock) {
        peer.stream->notify_readable(&readable);
        co_await readable.wait();
      } else if (read.status != io::Transfer::kDone) {
        break;
      } else {
        peer.got.append(buffer, 0, read.bytes);
      }
    }
    peer.ended = peer.reads;
  }
  void send(Peer& peer, std::string_view text) {
    for (size_t at = 0; at < text.size();) {
      const iovec from{const_cast<char*>(text.data()) + at, text.size() - at};
      const io::TransferResult written = peer.stream->try_write({&from, 1});
      if (written.status == io::Transfer::kDone) at += written.bytes;
      if (written.status == io::Transfer::kError || written.status == io::Transfer::kEnd) return;
      pass(milliseconds{5});
    }
    pass(milliseconds{20});
  }
  void pass(base::Duration time) {
    world_.run_until([] { return false; }, time);
  }
  static base::Task<void> forever(io::Shard& shard) {
    base::Signal never{shard.executor()};
    co_await never.wait();
  }
  static io::SimHost& started(io::SimHost& host) {
    host.start(1, &forever);
    return host;
  }
  void TearDown() override {
    http_.reset();
    clients_.cancel();
    peers_.clear();
  }

  Lines lines_;
  io::SimWorld world_{io::SimOptions{.seed = 9, .log = &lines_}};
  io::SimHost& host_ = started(world_.add_host("broker"));
  io::SimHost& client_ = started(world_.add_host("client"));
  std::list<Peer> peers_;
  base::TaskScope clients_{client_.shard(base::ShardId{0}).executor(), [](std::exception_ptr) {}};
  std::unique_ptr<HttpServer> http_;
  int asked_ = 0;
};

TEST_F(HttpServerTest, requests_of_one_connection_are_answered_in_order) {
  start();
  Peer& peer = connect();
  send(peer, "GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\nConnection: close\r\n\r\n");
  pass(seconds{1});
  EXPECT_EQ(peer.answers(), 3U);
  EXPECT_LT(peer.got.find("/a"), peer.got.find("/b"));
  EXPECT_LT(peer.got.find("/b"), peer.got.find("/c"));
  EXPECT_TRUE(peer.ended) << "as it asked for";
}

TEST_F(HttpServerTest, connections_over_stele_http_connections_max_are_closed_counted_and_logged) {
  start({.connections_max = 3});
  std::vector<Peer*> peers;
  for (int i = 0; i < 5; ++i) peers.push_back(&connect());
  pass(seconds{1});
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(peers[i]->ended, i >= 3) << i;
  EXPECT_EQ(counts().of(Limit::kHttpConnections), 2U);
  EXPECT_TRUE(lines_.mention("stele.http.connections.max"));
  peers[0]->stream->shutdown();
  pass(seconds{1});
  Peer& next = connect();
  send(next, "GET /next HTTP/1.1\r\n\r\n");
  EXPECT_EQ(next.answers(), 1U) << "the place of one that left is free";
}

TEST_F(HttpServerTest, a_crowd_of_connections_does_not_fill_the_log) {
  start({.connections_max = 1});
  for (int i = 0; i < 100; ++i) connect();
  pass(seconds{1});
  EXPECT_EQ(counts().of(Limit::kHttpConnections), 99U);
  EXPECT_LE(lines_.all.size(), 40U);
}

TEST_F(HttpServerTest, a_connection_without_a_whole_request_is_closed_after_stele_http_idle_ms) {
  start({.idle_max = seconds{10}});
  Peer& silent = connect();
  Peer& slow = connect();
  const std::string request = "GET /" + std::string(40, 'x') + " HTTP/1.1\r\n\r\n";
  for (size_t i = 0; i < 8; ++i) {
    send(slow, request.substr(i, 1));
    pass(seconds{1});
  }
  EXPECT_FALSE(silent.ended);
  EXPECT_FALSE(slow.ended);
  pass(seconds{3});
  EXPECT_TRUE(silent.ended);
  EXPECT_TRUE(slow.ended) << "a byte now and then is no request";
  EXPECT_EQ(counts().of(Limit::kHttpIdle), 2U);
  EXPECT_EQ(asked_, 0);
}

TEST_F(HttpServerTest, a_connection_that_asks_goes_on) {
  start({.idle_max = seconds{10}});
  Peer& peer = connect();
  for (int i = 0; i < 10; ++i) {
    send(peer, "GET /again HTTP/1.1\r\n\r\n");
    pass(seconds{6});
  }
  EXPECT_EQ(peer.answers(), 10U);
  EXPECT_FALSE(peer.ended);
}

TEST_F(HttpServerTest, a_client_that_does_not_read_its_answer_is_let_go) {
  start({.connections_max = 1, .idle_max = seconds{10}});
  Peer& peer = connect(false);
  send(peer, "GET /much HTTP/1.1\r\n\r\n");
  pass(seconds{12});
  EXPECT_EQ(counts().of(Limit::kHttpIdle), 1U);
  EXPECT_TRUE(lines_.mention("does not read its answer"));
  Peer& next = connect();
  send(next, "GET /next HTTP/1.1\r\n\r\n");
  EXPECT_EQ(next.answers(), 1U);
}

TEST_F(HttpServerTest, what_is_too_large_or_no_request_ends_its_connection_and_is_logged) {
  start();
  const std::string large_header = "GET / HTTP/1.1\r\nX: " + std::string(9 * 1024, 'x') + "\r\n\r\n";
  const std::string large_body = "POST / HTTP/1.1\r\nContent-Length: 65537\r\n\r\n" + std::string(65537, 'x');
  for (const std::string& text : {large_header, large_body, std::string{"\x16\x03\x01 tls\r\n\r\n"}}) {
    SCOPED_TRACE(text.substr(0, 30));
    lines_.all.clear();
    Peer& peer = connect();
    send(peer, text);
    pass(seconds{1});
    EXPECT_TRUE(peer.ended);
    EXPECT_EQ(peer.answers(), 0U);
    EXPECT_TRUE(lines_.mention("not an HTTP request"));
  }
  EXPECT_EQ(asked_, 0);
  Peer& peer = connect();
  send(peer, "POST / HTTP/1.1\r\nContent-Length: 65536\r\n\r\n" + std::string(65536, 'x'));
  EXPECT_EQ(peer.answers(), 1U) << "of the largest size";
}

}  // namespace
}  // namespace stele::admin
