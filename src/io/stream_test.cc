// What every Stream and Listener promises, in the real and in the simulated world, and of the in-memory pair.
#include "io/stream.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "io/conformance.h"
#include "io/memory_stream.h"

namespace stele::io {
namespace {

using base::Result;
using base::Signal;
using base::Task;
using base::TaskScope;
using conformance::must;

struct Pair {
  Pair(std::unique_ptr<Stream> a, std::unique_ptr<Stream> b) : client(std::move(a)), server(std::move(b)) {}
  std::unique_ptr<Stream> client;
  std::unique_ptr<Stream> server;
};

Task<std::unique_ptr<DetachedStream>> accept_one(Shard& shard, Listener& listener) {
  Signal acceptable{shard.executor()};
  while (true) {
    std::unique_ptr<DetachedStream> stream = must(listener.try_accept());
    if (stream != nullptr) co_return std::move(stream);
    listener.notify_acceptable(&acceptable);
    co_await acceptable.wait();
  }
}

Task<Pair> connect_pair(Shard& shard, bool in_memory) {
  if (in_memory) {
    MemoryPipe pipe = make_memory_pipe(16 * 1024);
    co_return Pair{std::move(pipe.first), std::move(pipe.second)};
  }
  const std::unique_ptr<Listener> listener = must(shard.listen({"127.0.0.1", 0}));
  std::unique_ptr<Stream> client = must(co_await shard.connect({"127.0.0.1", listener->port()}));
  std::unique_ptr<DetachedStream> accepted = co_await accept_one(shard, *listener);
  co_return Pair{std::move(client), shard.adopt(std::move(accepted))};
}

TransferResult write_text(Stream& stream, std::string_view text) {
  const iovec part{const_cast<char*>(text.data()), text.size()};
  return stream.try_write({&part, 1});
}

struct Got {
  std::string text;
  Transfer status = Transfer::kWouldBlock;
};

// Waits for the next transfer that moves bytes or says that there are no more.
Task<Got> read_some(Shard& shard, Stream& stream, size_t bytes_max) {
  Signal readable{shard.executor()};
  Got got;
  got.text.resize(bytes_max);
  const iovec part{got.text.data(), bytes_max};
  while (true) {
    const TransferResult result = stream.try_read({&part, 1});
    if (result.status != Transfer::kWouldBlock) {
      got.text.resize(result.bytes);
      got.status = result.status;
      co_return got;
    }
    stream.notify_readable(&readable);
    co_await readable.wait();
  }
}

Task<std::string> read_text(Shard& shard, Stream& stream, size_t bytes) {
  std::string text;
  while (text.size() < bytes) {
    const Got got = co_await read_some(shard, stream, bytes - text.size());
    if (got.status != Transfer::kDone) break;
    text += got.text;
  }
  co_return text;
}

std::string pattern(size_t bytes) {
  std::string text(bytes, ' ');
  for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + i * i % 23);
  return text;
}

Task<void> write_in_pieces(Shard& shard, Stream& stream, std::string text) {
  Signal writable{shard.executor()};
  size_t done = 0;
  while (done < text.size()) {
    std::array<iovec, 3> parts{};
    size_t at = done;
    for (iovec& part : parts) {
      const size_t bytes = std::min<size_t>(text.size() - at, 1 + at % 7919);
      part = {text.data() + at, bytes};
      at += bytes;
    }
    const TransferResult result = stream.try_write(parts);
    if (result.status == Transfer::kWouldBlock) {
      stream.notify_writable(&writable);
      co_await writable.wait();
      continue;
    }
    EXPECT_EQ(result.status, Transfer::kDone);
    if (result.status != Transfer::kDone) co_return;
    done += result.bytes;
  }
}

class StreamTest : public conformance::ConformanceTest {
 protected:
  void check(Task<void> (*test)(Shard&, Pair)) { run(connect_and, test, in_memory_); }

 private:
  static Task<void> connect_and(Shard& shard, Task<void> (*test)(Shard&, Pair), bool in_memory) {
    Pair pair = co_await connect_pair(shard, in_memory);
    co_await test(shard, std::move(pair));
  }
  bool in_memory_ = GetParam() == "memory1";
};

std::vector<std::string> stream_names() {
  std::vector<std::string> names = conformance::world_names();
  names.emplace_back("memory1");
  return names;
}
INSTANTIATE_TEST_SUITE_P(worlds, StreamTest, ::testing::ValuesIn(stream_names()),
                         [](const auto& info) { return info.param; });

Task<void> order(Shard& shard, Pair pair) {
  const std::string text = pattern(1'000'000);
  TaskScope writers{shard.executor(), [](std::exception_ptr) { FAIL(); }};
  writers.spawn(write_in_pieces(shard, *pair.client, text));
  const std::string got = co_await read_text(shard, *pair.server, text.size());
  EXPECT_TRUE(got == text);
  co_await writers.join();
}
TEST_P(StreamTest, bytes_arrive_in_order_whatever_the_pieces) { check(order); }

Task<void> empty(Shard&, Pair pair) {
  char byte = 0;
  const iovec part{&byte, 1};
  EXPECT_EQ(pair.server->try_read({&part, 1}).status, Transfer::kWouldBlock);
  co_return;
}
TEST_P(StreamTest, an_empty_stream_would_block) { check(empty); }

Task<void> full(Shard& shard, Pair pair) {
  const std::string piece = pattern(9000);
  std::string sent;
  TransferResult last;
  while ((last = write_text(*pair.client, piece)).status == Transfer::kDone) sent += piece.substr(0, last.bytes);
  EXPECT_EQ(last.status, Transfer::kWouldBlock);
  Signal writable{shard.executor()};
  pair.client->notify_writable(&writable);
  EXPECT_FALSE(writable.is_set());
  const std::string got = co_await read_text(shard, *pair.server, sent.size());
  EXPECT_TRUE(got == sent);
  co_await writable.wait();
  EXPECT_EQ(write_text(*pair.client, "more").status, Transfer::kDone);
  EXPECT_EQ(co_await read_text(shard, *pair.server, 4), "more");
}
TEST_P(StreamTest, a_full_stream_would_block_and_tells_when_there_is_room) { check(full); }

Task<void> end_follows_bytes(Shard& shard, Pair pair) {
  write_text(*pair.client, "farewell");
  pair.client->shutdown();
  EXPECT_EQ(co_await read_text(shard, *pair.server, 8), "farewell");
  const Got end = co_await read_some(shard, *pair.server, 1);
  EXPECT_EQ(end.status, Transfer::kEnd);
}
TEST_P(StreamTest, bytes_written_before_a_shutdown_arrive_before_the_end) { check(end_follows_bytes); }

Task<void> end_follows_bytes_of_destroyed(Shard& shard, Pair pair) {
  write_text(*pair.client, "farewell");
  pair.client.reset();
  EXPECT_EQ(co_await read_text(shard, *pair.server, 8), "farewell");
  const Got end = co_await read_some(shard, *pair.server, 1);
  EXPECT_EQ(end.status, Transfer::kEnd);
}
TEST_P(StreamTest, bytes_written_before_a_close_arrive_before_the_end) { check(end_follows_bytes_of_destroyed); }

Task<void> own_shutdown(Shard& shard, Pair pair) {
  Signal readable{shard.executor()};
  pair.client->notify_readable(&readable);
  pair.client->shutdown();
  co_await readable.wait();
  const Got end = co_await read_some(shard, *pair.client, 1);
  EXPECT_EQ(end.status, Transfer::kEnd);
  EXPECT_EQ(write_text(*pair.client, "x").status, Transfer::kError);
}
TEST_P(StreamTest, a_shutdown_ends_both_directions_and_wakes_who_waits) { check(own_shutdown); }

Task<void> peer_resets(Shard& shard, Pair pair) {
  Signal arrived{shard.executor()};
  write_text(*pair.client, "never read");
  pair.server->notify_readable(&arrived);
  co_await arrived.wait();
  pair.server.reset();
  const Got end = co_await read_some(shard, *pair.client, 1);
  EXPECT_TRUE(end.status == Transfer::kEnd || end.status == Transfer::kError);
  Signal writable{shard.executor()};
  TransferResult result;
  while ((result = write_text(*pair.client, "x")).status == Transfer::kDone) {
    pair.client->notify_writable(&writable);
    co_await writable.wait();
  }
  EXPECT_EQ(result.status, Transfer::kError);
  EXPECT_NE(result.os_error, 0);
}
TEST_P(StreamTest, a_peer_that_goes_with_unread_bytes_ends_reads_and_writes) { check(peer_resets); }

Task<void> replaced_signal(Shard& shard, Pair pair) {
  Signal first{shard.executor()};
  Signal second{shard.executor()};
  pair.server->notify_readable(&first);
  pair.server->notify_readable(&second);
  write_text(*pair.client, "x");
  co_await second.wait();
  EXPECT_FALSE(first.is_set());
}
TEST_P(StreamTest, a_replaced_signal_is_not_set) { check(replaced_signal); }

Task<void> signal_set_once(Shard& shard, Pair pair) {
  Signal readable{shard.executor()};
  pair.server->notify_readable(&readable);
  write_text(*pair.client, "x");
  co_await readable.wait();
  EXPECT_EQ(co_await read_text(shard, *pair.server, 1), "x");
  write_text(*pair.client, "y");
  EXPECT_EQ(co_await read_text(shard, *pair.server, 1), "y");
  EXPECT_FALSE(readable.is_set());
}
TEST_P(StreamTest, a_signal_is_set_once_for_each_registration) { check(signal_set_once); }

Task<void> destroyed_with_signals(Shard& shard, Pair pair) {
  Signal readable{shard.executor()};
  {
    Signal gone{shard.executor()};
    pair.server->notify_readable(&readable);
    pair.server->notify_writable(&gone);
    pair.server->notify_writable(nullptr);
    pair.server.reset();
  }
  const Got end = co_await read_some(shard, *pair.client, 1);
  EXPECT_NE(end.status, Transfer::kDone);
  EXPECT_FALSE(readable.is_set());
}
TEST_P(StreamTest, a_destroyed_stream_sets_no_signal) { check(destroyed_with_signals); }

Task<void> wait_for_bytes(Shard& shard, Stream& stream) {
  const Got got = co_await read_some(shard, stream, 1);
  ADD_FAILURE() << "woke with " << got.text;
}
Task<void> waiter_destroyed(Shard& shard, Pair pair) {
  {
    TaskScope readers{shard.executor(), [](std::exception_ptr) { FAIL(); }};
    readers.spawn(wait_for_bytes(shard, *pair.server));
    pair.server->notify_readable(nullptr);  // its signal goes with the reader
  }
  write_text(*pair.client, "x");
  EXPECT_EQ(co_await read_text(shard, *pair.server, 1), "x");
}
TEST_P(StreamTest, a_waiting_reader_may_be_destroyed) { check(waiter_destroyed); }

class ListenerTest : public conformance::ConformanceTest {};
class SendTest : public conformance::ConformanceTest {
 protected:
  void check(Task<void> (*test)(Shard&, Pair, std::shared_ptr<File>)) {
    std::string path = world_->directory();
    run(with_file, test, path);
  }

 private:
  static Task<void> with_file(Shard& shard, Task<void> (*test)(Shard&, Pair, std::shared_ptr<File>), std::string path) {
    const auto directory = must(co_await shard.open_directory(path, false));
    std::shared_ptr<File> file = must(co_await directory->open("a", OpenMode::kCreateNew));
    std::string text = pattern(300'000);
    const iovec part{text.data(), text.size()};
    must(co_await file->write(0, {&part, 1}));
    Pair pair = co_await connect_pair(shard, false);
    co_await test(shard, std::move(pair), std::move(file));
  }
};
INSTANTIATE_TEST_SUITE_P(worlds, SendTest, ::testing::ValuesIn(conformance::world_names()),
                         [](const auto& info) { return info.param; });

FileRange range_of(File& file, uint64_t offset, size_t bytes) {
  auto shared = file.share();
  const uint64_t cuts = shared == nullptr ? 0 : shared->cuts();
  return {std::move(shared), offset, bytes, cuts};
}

// Sends all of it; what the page cache lacks is read first.
Task<TransferResult> send_range(Shard& shard, Stream& stream, FileRange range) {
  Signal writable{shard.executor()};
  size_t done = 0;
  while (done < range.bytes) {
    const uint64_t misses = range.file->misses();
    const TransferResult result = stream.try_send(range, done);
    if (result.status == Transfer::kWouldBlock) {
      stream.notify_writable(&writable);
      co_await writable.wait();
    } else if (result.status == Transfer::kError && result.os_error == EAGAIN) {
      EXPECT_GT(range.file->misses(), misses);
      base::ByteVector bytes(range.bytes);
      must(co_await range.file->file_on(shard)->read(range.offset, bytes));
    } else if (result.status != Transfer::kDone) {
      co_return result;
    }
    done += result.bytes;
  }
  co_return TransferResult{Transfer::kDone, done};
}

Task<void> send_and_forget(Shard& shard, Stream& stream, FileRange range) {
  const TransferResult result = co_await send_range(shard, stream, std::move(range));
  EXPECT_EQ(result.status, Transfer::kDone);
}

Task<void> sends_range(Shard& shard, Pair pair, std::shared_ptr<File> file) {
  if (file->share() == nullptr) co_return;  // a kernel that does not tell what it has in memory
  TaskScope writers{shard.executor(), [](std::exception_ptr) { FAIL(); }};
  FileRange range = range_of(*file, 1001, 250'000);
  file.reset();  // what is shared stays open
  writers.spawn(send_and_forget(shard, *pair.client, std::move(range)));
  EXPECT_TRUE(co_await read_text(shard, *pair.server, 250'000) == pattern(300'000).substr(1001, 250'000));
}
TEST_P(SendTest, a_range_of_a_file_arrives_whole) { check(sends_range); }

Task<void> sends_cut(Shard& shard, Pair pair, std::shared_ptr<File> file) {
  if (file->share() == nullptr) co_return;
  const FileRange range = range_of(*file, 0, 1000);
  must(co_await file->truncate(200'000));
  const TransferResult result = co_await send_range(shard, *pair.client, range);
  EXPECT_EQ(result.status, Transfer::kError);
  EXPECT_EQ(result.os_error, ESTALE);
  EXPECT_EQ(must(file->size()), 200'000u);
  EXPECT_EQ((co_await send_range(shard, *pair.client, range_of(*file, 0, 1000))).status, Transfer::kDone);
}
TEST_P(SendTest, a_range_found_before_a_cut_is_refused) { check(sends_cut); }

Task<void> sends_short(Shard& shard, Pair pair, std::shared_ptr<File> file) {
  if (file->share() == nullptr) co_return;
  const TransferResult result = co_await send_range(shard, *pair.client, range_of(*file, 299'900, 150));
  EXPECT_EQ(result.status, Transfer::kEnd);
  EXPECT_EQ((co_await read_text(shard, *pair.server, 100)), pattern(300'000).substr(299'900));
}
TEST_P(SendTest, a_file_that_is_shorter_than_the_range_ends_the_transfer) { check(sends_short); }

// Takes the file's pages out of the page cache, none of which may be on its way in a socket; false where the file
// system keeps its files nowhere else.
bool evict(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  EXPECT_GE(fd, 0);
  struct statfs system{};
  const bool on_disk = ::fstatfs(fd, &system) == 0 && system.f_type != TMPFS_MAGIC && ::fsync(fd) == 0;
  const bool evicted = on_disk && ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0;
  ::close(fd);
  return evicted;
}

Task<void> sends_evicted(Shard& shard, std::string path) {
  const auto directory = must(co_await shard.open_directory(path, false));
  const auto file = must(co_await directory->open("a", OpenMode::kCreateNew));
  std::string text = pattern(300'000);
  const iovec part{text.data(), text.size()};
  must(co_await file->write(0, {&part, 1}));
  const Pair pair = co_await connect_pair(shard, false);
  const FileRange range = range_of(*file, 100'000, 1000);
  if (range.file == nullptr) co_return;
  if (!evict(path + "/a")) co_return;
  const uint64_t misses = range.file->misses();
  const TransferResult result = pair.client->try_send(range, 0);
  EXPECT_EQ(result.status, Transfer::kError);
  EXPECT_EQ(result.os_error, EAGAIN);
  EXPECT_GT(range.file->misses(), misses);
  EXPECT_EQ((co_await send_range(shard, *pair.client, range)).status, Transfer::kDone) << "read again";
}
TEST_P(SendTest, bytes_that_the_kernel_evicted_are_not_sent) {
  if (GetParam() != "real") return;  // the simulated one evicts as it likes
  std::string path = world_->directory();
  run(sends_evicted, path);
}

Task<void> sends_to_nobody(Shard& shard, Pair pair, std::shared_ptr<File> file) {
  if (file->share() == nullptr) co_return;
  pair.server.reset();
  TransferResult result{Transfer::kDone};
  while (result.status == Transfer::kDone) {
    result = co_await send_range(shard, *pair.client, range_of(*file, 0, 300'000));
  }
  EXPECT_EQ(result.status, Transfer::kError);
}
TEST_P(SendTest, a_peer_that_is_gone_is_an_error_and_no_signal) { check(sends_to_nobody); }

INSTANTIATE_TEST_SUITE_P(worlds, ListenerTest, ::testing::ValuesIn(conformance::world_names()),
                         [](const auto& info) { return info.param; });

Task<void> taken_port(Shard& shard) {
  const std::unique_ptr<Listener> first = must(shard.listen({"127.0.0.1", 0}));
  EXPECT_NE(first->port(), 0);
  const auto second = shard.listen({"127.0.0.1", first->port()});
  EXPECT_FALSE(second.ok());
  if (second.ok()) co_return;
  EXPECT_EQ(second.error().os_error, EADDRINUSE);
  EXPECT_NE(second.error().message.find(fmt::format("127.0.0.1:{}", first->port())), std::string::npos)
      << second.error().message;
}
TEST_P(ListenerTest, a_taken_port_is_an_error_that_names_it) { run(taken_port); }

Task<void> freed_port(Shard& shard) {
  std::unique_ptr<Listener> first = must(shard.listen({"127.0.0.1", 0}));
  const uint16_t port = first->port();
  first.reset();
  EXPECT_EQ(must(shard.listen({"127.0.0.1", port}))->port(), port);
  co_return;
}
TEST_P(ListenerTest, a_destroyed_listener_frees_its_port) { run(freed_port); }

Task<void> every_address(Shard& shard) {
  const std::unique_ptr<Listener> listener = must(shard.listen({"", 0}));
  const std::unique_ptr<Stream> client = must(co_await shard.connect({"localhost", listener->port()}));
  const std::unique_ptr<DetachedStream> accepted = co_await accept_one(shard, *listener);
  EXPECT_EQ(client->peer_port(), listener->port());
  EXPECT_EQ(accepted->peer_address().find("::ffff:"), std::string::npos);
  EXPECT_EQ(accepted->peer_address(), client->peer_address());
}
TEST_P(ListenerTest, an_empty_host_listens_on_every_address) { run(every_address); }

Task<void> by_name(Shard& shard) {
  const std::unique_ptr<Listener> listener = must(shard.listen({"localhost", 0}));
  const std::unique_ptr<Stream> client = must(co_await shard.connect({"127.0.0.1", listener->port()}));
}
TEST_P(ListenerTest, localhost_is_reached_at_its_ipv4_address) { run(by_name); }

Task<void> refused(Shard& shard) {
  const uint16_t port = must(shard.listen({"127.0.0.1", 0}))->port();
  const auto client = co_await shard.connect({"127.0.0.1", port});
  EXPECT_FALSE(client.ok());
  if (!client.ok()) EXPECT_EQ(client.error().os_error, ECONNREFUSED);
}
TEST_P(ListenerTest, a_port_that_nobody_listens_on_refuses) { run(refused); }

Task<void> several(Shard& shard) {
  const std::unique_ptr<Listener> listener = must(shard.listen({"127.0.0.1", 0}));
  EXPECT_EQ(must(listener->try_accept()), nullptr);
  std::vector<std::unique_ptr<Stream>> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(must(co_await shard.connect({"127.0.0.1", listener->port()})));
  for (int i = 0; i < 5; ++i) EXPECT_NE(co_await accept_one(shard, *listener), nullptr);
  EXPECT_EQ(must(listener->try_accept()), nullptr);
}
TEST_P(ListenerTest, each_connection_is_accepted_once) { run(several); }

Task<void> connect_for_ever(Shard& shard, uint16_t port) {
  const auto stream = co_await shard.connect({"localhost", port});
  ADD_FAILURE() << "not cancelled";
}
Task<void> connect_cancelled(Shard& shard) {
  const std::unique_ptr<Listener> listener = must(shard.listen({"127.0.0.1", 0}));
  {
    TaskScope callers{shard.executor(), [](std::exception_ptr) { FAIL(); }};
    callers.spawn(connect_for_ever(shard, listener->port()));
  }
  const std::unique_ptr<Stream> next = must(co_await shard.connect({"localhost", listener->port()}));
}
TEST_P(ListenerTest, a_connect_may_be_destroyed_under_way) { run(connect_cancelled); }

struct Handover final : Mail {
  Handover(Shard& to, std::unique_ptr<DetachedStream> moved, TaskScope& scope)
      : target(to), stream(std::move(moved)), tasks(scope) {}
  void deliver() override {
    const std::unique_ptr<Handover> self{this};
    tasks.spawn(greet(target, target.adopt(std::move(stream))));
  }
  static Task<void> greet(Shard& shard, std::unique_ptr<Stream> stream) {
    const std::string got = co_await read_text(shard, *stream, 5);
    write_text(*stream, got + fmt::format(" from shard {}", shard.id().value()));
  }
  Shard& target;
  std::unique_ptr<DetachedStream> stream;
  TaskScope& tasks;
};

Task<void> hand_over(Shard& shard, conformance::WorldUnderTest& world, TaskScope& tasks_there) {
  Pair pair = co_await connect_pair(shard, false);
  Signal forgotten{shard.executor()};
  pair.server->notify_readable(&forgotten);
  write_text(*pair.client, "hello");
  shard.send(base::ShardId{1},
             std::make_unique<Handover>(world.shard(1), shard.detach(std::move(pair.server)), tasks_there));
  EXPECT_EQ(co_await read_text(shard, *pair.client, 18), "hello from shard 1");
  EXPECT_FALSE(forgotten.is_set());
}

TEST_P(ListenerTest, a_stream_goes_on_on_the_shard_that_adopts_it) {
  struct NoExecutor final : base::Executor {
    void post(base::Waiter&) override {}
  } unused;
  TaskScope tasks{unused, [](std::exception_ptr) { FAIL(); }};
  run_on(2, hand_over, *world_, tasks);
}

}  // namespace
}  // namespace stele::io
