#include "server/connection.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <string>

#include "base/complaints.h"
#include "config/option.h"
#include "io/sim/sim_world.h"
#include "record/builder.h"

namespace stele::server {
namespace {

// Answers a frame "<key:2><text>" with the text; key 0 may be pipelined and waits until it is released, key 1 is
// answered at once, key 2 waits and allows nothing beside it, key 3 closes, key 4 is silent, key 5 is answered with
// what the test prepared.
class EchoRouter final : public RequestRouter {
 public:
  explicit EchoRouter(io::Shard& shard) : executor_(shard.executor()) {}
  RequestClass class_of(int16_t) const override { return RequestClass::kData; }
  bool pipelined(int16_t key) const override { return key == 0 || key == 6; }
  bool ends_soon(int16_t key) const override { return key != 2; }
  Budget& pipelined_waiters() override { return waiters_; }
  base::Task<Outcome> handle(Request& request, Response& response) override {
    const auto key = base::load_be<int16_t>(request.frame.data());
    const std::string text{base::as_text(request.frame.subspan(2))};
    started.push_back(text);
    if (on_start) on_start();
    if (key == 0 || key == 2 || key == 6) {
      BudgetCharge waiting;
      if (key == 0 || key == 6) waiting.add(waiters_, 1);
      auto& signal = *(waiting_[text] = std::make_unique<base::Signal>(executor_));
      co_await signal.wait();
    }
    if (key == 3 || key == 6) co_return Outcome::kClose;
    if (key == 4) co_return Outcome::kSilent;
    if (key == 5) response = std::move(prepared.at(text));
    if (key == 5) co_return Outcome::kRespond;
    response.head.resize(4);
    base::store_be(response.head.data(), static_cast<int32_t>(text.size()));
    base::append(response.head, base::as_bytes(text));
    co_return Outcome::kRespond;
  }
  void release(const std::string& text) { waiting_.at(text)->set(); }
  std::vector<std::string> started;
  std::function<void()> on_start;
  std::map<std::string, Response> prepared;

 private:
  base::Executor& executor_;
  std::map<std::string, std::unique_ptr<base::Signal>> waiting_;
  Budget waiters_{3};
};

// A file that the test plays by hand.
class FakeFile final : public io::SharedFile, public std::enable_shared_from_this<FakeFile> {
 public:
  explicit FakeFile(std::string text) : content(std::move(text)) {}
  std::unique_ptr<io::File> file_on(io::Shard&) const override { return std::make_unique<Open>(shared_from_this()); }
  using SharedFile::cut;

  std::string content;
  bool cached = true;
  bool cut_by_read = false;
  base::Signal* read_waits = nullptr;

 private:
  struct Open final : io::File {
    explicit Open(std::shared_ptr<const FakeFile> of) : file(std::move(of)) {}
    base::Task<base::Result<void>> write(uint64_t, std::span<const iovec>) override { co_return base::Result<void>{}; }
    base::Task<base::Result<size_t>> read(uint64_t offset, base::MutableBytes into) override {
      if (file->read_waits != nullptr) co_await file->read_waits->wait();
      co_return get(offset, into);
    }
    base::Result<size_t> try_read(uint64_t offset, base::MutableBytes into) override { return get(offset, into); }
    base::Task<base::Result<void>> sync() override { co_return base::Result<void>{}; }
    base::Task<base::Result<void>> truncate(uint64_t) override { co_return base::Result<void>{}; }
    base::Result<uint64_t> size() const override { return file->content.size(); }
    size_t get(uint64_t offset, base::MutableBytes into) const {
      const base::Bytes found = base::as_bytes(std::string_view{file->content}.substr(offset, into.size()));
      std::ranges::copy(found, into.begin());
      if (file->cut_by_read) file->cut();
      return found.size();
    }
    std::shared_ptr<const FakeFile> file;
  };
};

// A peer that the test plays by hand.
class FakeStream final : public io::Stream {
 public:
  struct State {
    std::deque<std::byte> to_read;
    std::string written;
    size_t take_at_once = 1 << 20;  // of a write
    bool once = false;              // ... and then no more
    bool ended = false;
    base::Signal* readable = nullptr;
    base::Signal* writable = nullptr;
    int writes = 0;
    int sends = 0;
  };
  explicit FakeStream(std::shared_ptr<State> state) : state_(std::move(state)) {}
  io::TransferResult try_read(std::span<const iovec> into) override {
    if (state_->to_read.empty()) return {state_->ended ? io::Transfer::kEnd : io::Transfer::kWouldBlock, 0, 0};
    size_t count = 0;
    auto* at = static_cast<std::byte*>(into[0].iov_base);
    while (count < into[0].iov_len && !state_->to_read.empty()) {
      at[count++] = state_->to_read.front();
      state_->to_read.pop_front();
    }
    return {io::Transfer::kDone, count, 0};
  }
  io::TransferResult try_write(std::span<const iovec> from) override {
    size_t room = state_->take_at_once;
    if (room == 0) return {io::Transfer::kWouldBlock, 0, 0};
    ++state_->writes;
    size_t count = 0;
    for (const iovec& part : from) {
      const size_t size = std::min(room, part.iov_len);
      state_->written.append(static_cast<const char*>(part.iov_base), size);
      room -= size;
      count += size;
    }
    if (state_->once) state_->take_at_once = 0;
    return {io::Transfer::kDone, count, 0};
  }
  bool sends_files() const override { return true; }
  io::TransferResult try_send(const io::FileRange& range, size_t skip) override {
    const auto& file = dynamic_cast<const FakeFile&>(*range.file);
    if (range.cuts != file.cuts()) return {.status = io::Transfer::kError, .os_error = ESTALE};
    if (!file.cached) return {.status = io::Transfer::kError, .os_error = EAGAIN};
    const size_t size = std::min(state_->take_at_once, range.bytes - skip);
    if (size == 0) return {io::Transfer::kWouldBlock, 0, 0};
    ++state_->sends;
    state_->written += file.content.substr(range.offset + skip, size);
    if (state_->once) state_->take_at_once = 0;
    return {io::Transfer::kDone, size, 0};
  }
  void notify_readable(base::Signal* signal) override { state_->readable = signal; }
  void notify_writable(base::Signal* signal) override { state_->writable = signal; }
  void shutdown() override { state_->ended = true; }
  const std::string& peer_address() const override { return address_; }
  uint16_t peer_port() const override { return 1; }

 private:
  std::shared_ptr<State> state_;
  std::string address_ = "peer";
};

std::string frame(int16_t key, const std::string& text) {
  base::ByteVector bytes;
  base::append_be(bytes, static_cast<int32_t>(text.size() + 2));
  base::append_be(bytes, key);
  base::append(bytes, base::as_bytes(text));
  return std::string{base::as_text(bytes)};
}

std::string answer(const std::string& text) {
  base::ByteVector bytes;
  base::append_be(bytes, static_cast<int32_t>(text.size()));
  base::append(bytes, base::as_bytes(text));
  return std::string{base::as_text(bytes)};
}

class ConnectionTest : public ::testing::Test {
 protected:
  ConnectionTest() { limits_.frame_bytes_max = 1 << 20; }
  ~ConnectionTest() override { scope_.cancel(); }

  static base::Task<void> forever(io::Shard& shard) {
    base::Signal never{shard.executor()};
    co_await never.wait();
  }
  static io::SimHost& started(io::SimHost& host) {
    host.start(1, &forever);
    return host;
  }
  void connect() {
    connection_ = std::make_unique<Connection>(ConnectionContext{shard(), pool_, budgets_, router_, limits_, traffic_},
                                               std::make_unique<FakeStream>(peer_), ConnectionInfo{});
    scope_.spawn(serve());
    settle();
  }
  base::Task<void> serve() {
    co_await connection_->run();
    closed_ = true;
  }
  base::Task<void> pass(base::Duration time, bool& passed) {
    co_await io::sleep_until(shard(), shard().clock().now() + time);
    passed = true;
  }
  void send(const std::string& bytes) {
    for (char c : bytes) peer_->to_read.push_back(static_cast<std::byte>(c));
    if (peer_->readable != nullptr) peer_->readable->set();
    settle();
  }
  void settle() {
    world_.run_until([] { return false; }, base::Duration{0});
  }
  void release(const std::string& text) {
    router_.release(text);
    settle();
  }
  io::Shard& shard() { return host_.shard(base::ShardId{0}); }
  void make_room() {
    if (base::Signal* const waiting = std::exchange(peer_->writable, nullptr)) waiting->set();
    settle();
  }
  // Two batches.
  static std::string batches() {
    std::string text;
    for (const char fill : {'a', 'b'}) {
      record::BatchBuilder builder({});
      builder.add({.value = base::as_bytes(std::string(500, fill))});
      text += base::as_text(std::move(builder).build());
    }
    return text;
  }
  // An answer that is "<head><the file from byte 7 on><tail>".
  void prepare(const std::string& name, const std::shared_ptr<FakeFile>& file) {
    Response& response = router_.prepared[name];
    base::append(response.head, base::as_bytes("<head><tail>"));
    response.splices.push_back({6, {}, {file, 7, file->content.size() - 7, file->cuts()}});
  }
  std::string whole() const { return "<head>" + batches() + "<tail>"; }
  std::shared_ptr<FakeFile> file_ = std::make_shared<FakeFile>("1234567" + batches());

  io::SimWorld world_{io::SimOptions{}};
  io::SimHost& host_ = started(world_.add_host("broker"));
  ConnectionLimits limits_;
  Traffic traffic_;
  BufferPool pool_;
  Budget budgets_[kRequestClasses] = {Budget{1 << 20}, Budget{1 << 20}, Budget{1 << 20}};
  EchoRouter router_{shard()};
  std::shared_ptr<FakeStream::State> peer_ = std::make_shared<FakeStream::State>();
  std::unique_ptr<Connection> connection_;
  base::TaskScope scope_{shard().executor(), [](std::exception_ptr) {}};
  bool closed_ = false;
};

TEST_F(ConnectionTest, answers_all_frames_of_one_read_in_one_write) {
  connect();
  send(frame(1, "a") + frame(1, "b") + frame(1, "c"));
  EXPECT_EQ(peer_->written, answer("a") + answer("b") + answer("c"));
  EXPECT_EQ(peer_->writes, 1);
}

TEST_F(ConnectionTest, records_go_from_their_file_to_the_peer_in_their_place) {
  connect();
  prepare("x", file_);
  prepare("y", file_);
  send(frame(1, "a") + frame(5, "x") + frame(5, "y") + frame(1, "b"));
  EXPECT_EQ(peer_->written, answer("a") + whole() + whole() + answer("b"));
  EXPECT_EQ(peer_->sends, 2);
  EXPECT_EQ(budgets_[0].used(), 0U);
}

TEST_F(ConnectionTest, much_that_a_peer_takes_at_once_is_sent_turn_by_turn) {
  connect();
  file_->content.resize(5 << 20, 'z');
  prepare("x", file_);
  const std::string all = "<head>" + file_->content.substr(7) + "<tail>";
  send(frame(5, "x") + frame(1, "b"));
  EXPECT_TRUE(peer_->written == all + answer("b"));
}

TEST_F(ConnectionTest, records_from_a_file_wait_for_a_peer_that_takes_little) {
  peer_->take_at_once = 97;
  connect();
  prepare("x", file_);
  send(frame(5, "x") + frame(1, "b"));
  EXPECT_EQ(peer_->written, whole() + answer("b"));
  EXPECT_GT(peer_->sends, 10);
}

TEST_F(ConnectionTest, records_that_left_the_page_cache_are_read_and_checked_again) {
  for (const size_t sent : {size_t{0}, size_t{3}, size_t{6}, size_t{100}, size_t{700}}) {
    SCOPED_TRACE(sent);
    peer_ = std::make_shared<FakeStream::State>();
    connect();
    prepare("x", file_);
    peer_->take_at_once = 0;
    peer_->once = true;
    send(frame(5, "x") + frame(1, "b"));
    while (peer_->written.size() < sent) {
      peer_->take_at_once = std::min<size_t>(sent - peer_->written.size(), 6);
      const size_t before = peer_->written.size();
      make_room();
      ASSERT_GT(peer_->written.size(), before);
    }
    file_->cached = false;
    peer_->once = false;
    peer_->take_at_once = 1 << 20;
    make_room();
    EXPECT_EQ(peer_->written, whole() + answer("b"));
    EXPECT_EQ(budgets_[0].used(), 0U);
    file_->cached = true;
  }
}

TEST_F(ConnectionTest, records_are_sent_once_whatever_happens_while_they_are_read) {
  base::Signal disk{shard().executor()};
  connect();
  prepare("x", file_);
  file_->cached = false;
  file_->read_waits = &disk;
  send(frame(5, "x"));
  file_->cached = true;
  send(frame(1, "b"));
  EXPECT_EQ(peer_->written, "<head>");
  peer_->take_at_once = 0;
  disk.set();
  settle();
  EXPECT_GE(budgets_[0].used(), batches().size()) << "while they wait in memory";
  peer_->take_at_once = 1 << 20;
  make_room();
  EXPECT_EQ(peer_->written, whole() + answer("b"));
  EXPECT_EQ(peer_->sends, 0);
  EXPECT_EQ(budgets_[0].used(), 0U);
}

TEST_F(ConnectionTest, damaged_records_from_the_disk_end_the_connection_unsent) {
  connect();
  prepare("x", file_);
  file_->cached = false;
  file_->content[7 + 300] ^= 1;
  send(frame(5, "x") + frame(1, "b"));
  EXPECT_TRUE(closed_);
  EXPECT_EQ(peer_->written, "<head>");
  EXPECT_EQ(budgets_[0].used(), 0U);
}

TEST_F(ConnectionTest, records_of_a_file_that_was_cut_end_the_connection) {
  connect();
  prepare("x", file_);
  file_->cut();
  send(frame(5, "x") + frame(1, "b"));
  EXPECT_TRUE(closed_);
  EXPECT_EQ(peer_->written, "<head>");
}

TEST_F(ConnectionTest, a_file_that_is_cut_while_it_is_read_again_ends_the_connection) {
  connect();
  prepare("x", file_);
  file_->cached = false;
  file_->cut_by_read = true;
  send(frame(5, "x"));
  EXPECT_TRUE(closed_);
  EXPECT_EQ(peer_->written, "<head>");
}

TEST_F(ConnectionTest, a_file_that_is_shorter_than_what_was_to_be_sent_ends_the_connection) {
  connect();
  prepare("x", file_);
  file_->cached = false;
  file_->content.resize(file_->content.size() - 1);
  send(frame(5, "x"));
  EXPECT_TRUE(closed_);
  EXPECT_EQ(peer_->written, "<head>");
}

TEST_F(ConnectionTest, frames_cut_at_every_byte_are_put_together) {
  connect();
  const std::string bytes = frame(1, "first") + frame(1, std::string(300'000, 'x')) + frame(1, "last");
  for (size_t at = 0; at < bytes.size(); at += at < 64 ? 1 : 4099) {
    send(bytes.substr(at, at < 64 ? 1 : 4099));
  }
  EXPECT_EQ(peer_->written, answer("first") + answer(std::string(300'000, 'x')) + answer("last"));
}

TEST_F(ConnectionTest, pipelined_requests_start_together_and_answers_keep_their_order) {
  connect();
  send(frame(0, "a") + frame(0, "b"));
  EXPECT_EQ(router_.started, (std::vector<std::string>{"a", "b"}));
  release("b");
  EXPECT_EQ(peer_->written, "");
  release("a");
  EXPECT_EQ(peer_->written, answer("a") + answer("b"));
}

TEST_F(ConnectionTest, another_request_waits_until_all_before_it_are_answered) {
  connect();
  send(frame(0, "a") + frame(1, "b") + frame(0, "c"));
  EXPECT_EQ(router_.started, (std::vector<std::string>{"a"}));
  release("a");
  EXPECT_EQ(router_.started, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(peer_->written, answer("a") + answer("b"));
}

TEST_F(ConnectionTest, nothing_starts_beside_a_request_that_waits) {
  connect();
  send(frame(2, "poll") + frame(0, "a"));
  EXPECT_EQ(router_.started, (std::vector<std::string>{"poll"}));
  release("poll");
  EXPECT_EQ(router_.started, (std::vector<std::string>{"poll", "a"}));
}

TEST_F(ConnectionTest, a_client_that_left_is_noticed_behind_what_it_sent_while_a_request_waits) {
  for (const std::string& behind : {std::string{}, frame(1, "next").substr(0, 3), frame(1, "next").substr(0, 7),
                                    frame(1, "next"), frame(1, "next") + frame(1, "one more").substr(0, 9),
                                    frame(1, std::string(3000, 'x')), frame(0, "a") + frame(0, "b") + frame(0, "c")}) {
    SCOPED_TRACE(behind.size());
    closed_ = false;
    peer_ = std::make_shared<FakeStream::State>();
    connect();
    send(frame(2, "poll"));
    send(behind);
    EXPECT_FALSE(closed_);
    peer_->ended = true;
    send("");
    EXPECT_TRUE(closed_);
  }
}

TEST_F(ConnectionTest, behind_a_request_that_waits_no_more_than_a_buffer_is_read) {
  connect();
  send(frame(2, "poll"));
  std::string flood;
  while (flood.size() < 4 * BufferPool::kChunkBytes) flood += frame(1, std::string(1000, 'x'));
  for (size_t at = 0; at < flood.size(); at += 1000) send(flood.substr(at, 1000));
  EXPECT_GT(peer_->to_read.size(), 2 * BufferPool::kChunkBytes);
  EXPECT_LE(budgets_[0].used(), 2 * BufferPool::kChunkBytes);
  release("poll");
  EXPECT_TRUE(peer_->to_read.empty());
  EXPECT_EQ(router_.started.size(), 1 + flood.size() / 1006);
}

TEST_F(ConnectionTest, a_close_comes_after_the_answers_before_it) {
  connect();
  send(frame(1, "a") + frame(4, "quiet") + frame(3, "bad") + frame(1, "never"));
  EXPECT_EQ(peer_->written, answer("a"));
  EXPECT_TRUE(closed_);
  EXPECT_EQ(router_.started, (std::vector<std::string>{"a", "quiet", "bad"}));
}

TEST_F(ConnectionTest, a_pipelined_close_ends_the_connection_though_later_ones_are_done_too) {
  connect();
  // As acks=0 produces: the first fails, those behind it were done before it.
  send(frame(6, "bad") + frame(0, "b") + frame(0, "c"));
  EXPECT_EQ(router_.started.size(), 3U);
  for (const char* done : {"c", "b"}) release(done);
  EXPECT_FALSE(closed_);
  release("bad");
  EXPECT_EQ(peer_->written, "");  // nothing may follow the answer that is missing
  EXPECT_TRUE(closed_);
}

TEST_F(ConnectionTest, what_a_client_sent_before_it_ended_its_side_is_worked_off) {
  connect();
  send(frame(0, "a") + frame(1, "b") + frame(4, "quiet"));
  peer_->ended = true;
  send("");
  EXPECT_EQ(router_.started, (std::vector<std::string>{"a"}));
  EXPECT_FALSE(closed_);
  release("a");
  EXPECT_EQ(router_.started, (std::vector<std::string>{"a", "b", "quiet"}));
  EXPECT_EQ(peer_->written, answer("a") + answer("b"));
  EXPECT_TRUE(closed_);
}

TEST_F(ConnectionTest, a_frame_that_is_not_read_on_for_want_of_memory_has_no_deadline) {
  base::Signal woken{shard().executor()};
  Budget::Holder other{budgets_[0], woken};
  connect();
  send(frame(1, "learns the class"));
  const std::string large = frame(1, std::string(900'000, 'x'));
  send(large.substr(0, 1000));
  EXPECT_TRUE(other.charge(1 << 20)) << "takes the reserve";
  send(large.substr(1000, 300'000));
  const auto later = shard().clock().now() + limits_.partial_frame_max + std::chrono::seconds{1};
  connection_->check_deadlines(later);
  settle();
  EXPECT_FALSE(closed_);
  budgets_[0].release(1 << 20);
  settle();
  connection_->check_deadlines(later);
  settle();
  EXPECT_TRUE(closed_) << "it is read again, and nothing comes";
}

TEST_F(ConnectionTest, a_partial_frame_behind_a_request_in_progress_has_its_deadline) {
  connect();
  send(frame(0, "a") + frame(0, "b").substr(0, 5));
  connection_->check_deadlines(shard().clock().now() + limits_.partial_frame_max + std::chrono::seconds{1});
  settle();
  EXPECT_TRUE(closed_);
}

// Nine clients with a long poll of a few bytes each, and a budget of 1 MiB.
TEST_F(ConnectionTest, small_requests_that_wait_do_not_use_the_budget_up) {
  std::vector<std::shared_ptr<FakeStream::State>> peers;
  std::vector<std::unique_ptr<Connection>> connections;
  for (int i = 0; i < 9; ++i) {
    auto peer = peers.emplace_back(std::make_shared<FakeStream::State>());
    auto& one = connections.emplace_back(
        std::make_unique<Connection>(ConnectionContext{shard(), pool_, budgets_, router_, limits_, traffic_},
                                     std::make_unique<FakeStream>(peer), ConnectionInfo{}));
    scope_.spawn(one->run());
    settle();
    for (const std::string& bytes : {frame(1, "learns the class"), frame(2, "poll " + std::to_string(i))}) {
      for (char c : bytes) peer->to_read.push_back(static_cast<std::byte>(c));
      if (peer->readable != nullptr) peer->readable->set();
      settle();
    }
  }
  EXPECT_EQ(router_.started.size(), 18U) << budgets_[0].used() << " bytes are charged";
  scope_.cancel();
}

// Behind a request that waits, a frame that never comes whole.
TEST_F(ConnectionTest, a_large_frame_behind_a_request_that_waits_holds_little) {
  connect();
  send(frame(2, "poll"));
  const std::string large = frame(1, std::string(900'000, 'x'));
  for (size_t at = 0; at + 100'000 < large.size(); at += 100'000) send(large.substr(at, 100'000));
  connection_->check_deadlines(shard().clock().now() + limits_.partial_frame_max + std::chrono::seconds{1});
  settle();
  EXPECT_LE(budgets_[0].used(), 2 * BufferPool::kChunkBytes);
}

TEST_F(ConnectionTest, sizes_outside_the_limit_close_at_the_fourth_byte) {
  for (const int32_t size : {0, -1, (1 << 20) + 1}) {
    SCOPED_TRACE(size);
    closed_ = false;
    peer_ = std::make_shared<FakeStream::State>();
    connect();
    base::ByteVector bytes;
    base::append_be(bytes, size);
    send(std::string{base::as_text(bytes)});
    EXPECT_TRUE(closed_);
  }
}

TEST_F(ConnectionTest, a_client_that_does_not_read_gets_no_further_request_started_and_is_closed_in_time) {
  limits_.response_bytes_waiting_max = 1000;
  peer_->take_at_once = 0;
  connect();
  send(frame(1, std::string(2000, 'x')) + frame(1, "next"));
  EXPECT_EQ(router_.started.size(), 1U);
  connection_->check_deadlines(shard().clock().now() + limits_.write_stall_max);
  settle();
  EXPECT_FALSE(closed_);
  connection_->check_deadlines(shard().clock().now() + limits_.write_stall_max + std::chrono::seconds{1});
  settle();
  EXPECT_TRUE(closed_);
}

TEST(ConnectionLimitsTest, what_is_not_set_is_what_the_options_say) {
  const auto number = [](const char* option) { return std::stoll(config::find_broker_option(option)->default_value); };
  const auto time = [&](const char* option) { return base::Duration{std::chrono::milliseconds{number(option)}}; };
  const ConnectionLimits limits;
  EXPECT_EQ(limits.frame_bytes_max, number("socket.request.max.bytes"));
  EXPECT_EQ(limits.requests_in_flight_max, number("stele.connection.requests.max"));
  EXPECT_EQ(limits.response_bytes_waiting_max, number("stele.connection.answers.bytes"));
  EXPECT_EQ(limits.idle_max, time("connections.max.idle.ms"));
  EXPECT_EQ(limits.partial_frame_max, time("stele.connection.frame.timeout.ms"));
  EXPECT_EQ(limits.write_stall_max, time("stele.connection.write.timeout.ms"));
}

TEST_F(ConnectionTest, a_partial_frame_and_an_idle_connection_have_deadlines) {
  connect();
  send(frame(1, "whole").substr(0, 5));
  connection_->check_deadlines(shard().clock().now() + limits_.partial_frame_max + std::chrono::seconds{1});
  settle();
  EXPECT_TRUE(closed_);
  closed_ = false;
  peer_ = std::make_shared<FakeStream::State>();
  connect();
  connection_->check_deadlines(shard().clock().now() + limits_.idle_max + std::chrono::seconds{1});
  settle();
  EXPECT_TRUE(closed_);
}

TEST_F(ConnectionTest, an_idle_connection_holds_no_buffer_and_a_small_rest_holds_a_small_one) {
  connect();
  send(frame(1, "a"));
  EXPECT_EQ(pool_.out(), 0U);
  send(frame(1, "b").substr(0, 6));
  EXPECT_EQ(pool_.out(), 1U);
  EXPECT_LT(budgets_[0].used(), 4096U);
}

TEST_F(ConnectionTest, over_its_budget_nothing_is_read_until_bytes_are_given_back) {
  budgets_[0].force(1 << 20);
  connect();
  send(frame(1, "learns the class"));
  send(frame(1, "waits"));
  EXPECT_EQ(router_.started.size(), 1U);
  budgets_[0].release(1 << 20);
  settle();
  EXPECT_EQ(router_.started.size(), 2U);
}

TEST_F(ConnectionTest, a_frame_larger_than_the_budget_still_fits) {
  budgets_[0].force((1 << 20) - 1000);
  connect();
  send(frame(1, std::string(500'000, 'x')));
  EXPECT_EQ(peer_->written, answer(std::string(500'000, 'x')));
  EXPECT_EQ(budgets_[0].used(), static_cast<size_t>((1 << 20) - 1000));
}

TEST_F(ConnectionTest, many_requests_in_one_read_leave_others_their_turn) {
  std::string bytes;
  std::string answers;
  for (int i = 0; i < 100; ++i) {
    bytes += frame(1, std::to_string(i));
    answers += answer(std::to_string(i));
  }
  connect();
  send(bytes);
  EXPECT_EQ(peer_->written, answers);
  EXPECT_GE(peer_->writes, 3) << "all of them in one turn";
}

TEST_F(ConnectionTest, large_answers_leave_others_their_turn) {
  const std::string large(30'000, 'x');
  std::string bytes;
  std::string answers;
  for (int i = 0; i < 20; ++i) {
    bytes += frame(1, large);
    answers += answer(large);
  }
  limits_.response_bytes_waiting_max = 1 << 20;
  connect();
  send(bytes);
  EXPECT_EQ(peer_->written, answers);
  EXPECT_GE(peer_->writes, 20 / 3) << "three of them in one turn are enough";
}

TEST_F(ConnectionTest, small_answers_that_wait_for_their_reader_are_charged_once_they_are_many) {
  peer_->take_at_once = 0;
  limits_.response_bytes_waiting_max = 400'000;
  connect();
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes += frame(1, std::string(900, 'x'));
  send(bytes);
  EXPECT_GT(budgets_[0].used(), 350'000U);
  EXPECT_LT(router_.started.size(), 450U) << "who does not read is not worked for";
  EXPECT_EQ(shard().complaints().limits().of(base::Limit::kAnswerBytes), 1U);
  peer_->take_at_once = 1 << 20;
  while (peer_->written.size() < 904'000) {
    if (peer_->writable != nullptr) peer_->writable->set();
    settle();
  }
  EXPECT_EQ(budgets_[0].used(), 0U);
}

TEST_F(ConnectionTest, no_further_pipelined_request_starts_while_too_many_wait) {
  connect();
  send(frame(0, "a") + frame(0, "b") + frame(0, "c") + frame(0, "d") + frame(1, "e"));
  EXPECT_EQ(router_.started, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(shard().complaints().total(), 1U);
  EXPECT_EQ(shard().complaints().limits().of(base::Limit::kProduceWaiters), 1U);
  release("a");
  EXPECT_EQ(router_.started, (std::vector<std::string>{"a", "b", "c", "d"}));
  for (const char* text : {"b", "c", "d"}) release(text);
  EXPECT_EQ(peer_->written, answer("a") + answer("b") + answer("c") + answer("d") + answer("e"));
}

TEST_F(ConnectionTest, a_request_that_waits_to_start_is_not_one_that_came_in_part) {
  router_.pipelined_waiters().force(3);
  connect();
  send(frame(0, "a"));
  connection_->check_deadlines(shard().clock().now() + limits_.partial_frame_max + std::chrono::seconds{1});
  settle();
  EXPECT_FALSE(closed_);
  router_.pipelined_waiters().release(3);
  settle();
  EXPECT_EQ(router_.started, (std::vector<std::string>{"a"}));
}

TEST_F(ConnectionTest, pipelined_requests_that_came_together_start_one_by_one_once_what_they_grow_to_fills_the_budget) {
  connect();
  router_.on_start = [this] {
    if (router_.started.size() == 2) budgets_[0].force(budgets_[0].limit());
  };
  send(frame(0, "a") + frame(0, "b") + frame(0, "c") + frame(0, "d"));
  EXPECT_EQ(router_.started, (std::vector<std::string>{"a", "b"}));
  release("a");
  EXPECT_EQ(router_.started, (std::vector<std::string>{"a", "b"}));
  release("b");
  EXPECT_EQ(router_.started, (std::vector<std::string>{"a", "b", "c"})) << "one goes on in any case";
  budgets_[0].release(budgets_[0].limit());
  release("c");
  release("d");
  EXPECT_EQ(peer_->written, answer("a") + answer("b") + answer("c") + answer("d"));
}

TEST_F(ConnectionTest, an_answer_that_waits_for_its_reader_is_charged) {
  peer_->take_at_once = 0;
  connect();
  send(frame(1, std::string(50'000, 'x')));
  EXPECT_GE(budgets_[0].used(), 50'000U);
  peer_->take_at_once = 1 << 20;
  peer_->writable->set();
  settle();
  EXPECT_EQ(budgets_[0].used(), 0U);
}

TEST_F(ConnectionTest, one_that_is_to_stop_answers_what_it_works_on_and_starts_no_more) {
  connect();
  send(frame(0, "a"));
  connection_->close_when_answered();
  send(frame(0, "b"));
  EXPECT_FALSE(closed_);
  release("a");
  EXPECT_TRUE(closed_);
  EXPECT_EQ(peer_->written, answer("a"));
  EXPECT_EQ(router_.started.size(), 1U);
}

TEST_F(ConnectionTest, one_that_is_to_stop_does_not_wait_for_a_long_poll) {
  connect();
  send(frame(2, "poll"));
  connection_->close_when_answered();
  settle();
  EXPECT_TRUE(closed_);
}

TEST_F(ConnectionTest, what_was_answered_is_counted_with_the_time_that_it_took) {
  connect();
  send(frame(0, "late"));
  bool passed = false;
  scope_.spawn(pass(std::chrono::milliseconds{5}, passed));
  world_.run_until([&passed] { return passed; }, std::chrono::seconds{1});
  release("late");
  send(frame(1, "soon"));
  std::map<int16_t, std::pair<uint64_t, uint64_t>> counts;
  std::map<int16_t, uint64_t> latest;
  traffic_.for_each([&](int16_t key, const ApiTraffic& api) {
    counts[key] = {api.request_bytes, api.response_bytes};
    latest[key] = api.latency.quantile(1);
    EXPECT_EQ(api.latency.count(), 1U);
  });
  EXPECT_EQ(counts, (std::map<int16_t, std::pair<uint64_t, uint64_t>>{{0, {6, 8}}, {1, {6, 8}}}));
  EXPECT_GE(latest[0], 5'000'000U);
  EXPECT_LT(latest[1], 1'000'000U);
}

}  // namespace
}  // namespace stele::server
