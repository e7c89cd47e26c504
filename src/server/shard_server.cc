#include "server/shard_server.h"

#include "base/complaints.h"

namespace stele::server {

namespace {
constexpr base::Duration kSweepEvery = std::chrono::seconds{1};
}

ShardServer::ShardServer(io::Shard& shard, RequestRouter& router, ServerLimits limits,
                         std::function<void(const ConnectionInfo&)> on_closed)
    : shard_(shard),
      router_(router),
      limits_(limits),
      on_closed_(std::move(on_closed)),
      budgets_{Budget{limits.budget_bytes[0]}, Budget{limits.budget_bytes[1]}, Budget{limits.budget_bytes[2]}},
      none_left_(shard.executor()),
      sweeping_(shard.executor(), [](std::exception_ptr) {}),
      running_(shard.executor(), [&shard](std::exception_ptr) { shard.log().error("a connection ended by a fault"); }) {
}

void ShardServer::serve(std::unique_ptr<io::DetachedStream> stream, ConnectionInfo info) {
  const ConnectionContext context{shard_, pool_, budgets_.data(), router_, limits_.connection, traffic_};
  auto connection = std::make_unique<Connection>(context, shard_.adopt(std::move(stream)), std::move(info));
  running_.spawn(run(std::move(connection)));
}

base::Task<void> ShardServer::run(std::unique_ptr<Connection> connection) {
  open_.push_back(*connection);
  ++count_;
  if (draining_) connection->close_when_answered();
  co_await connection->run();
  if (--count_ == 0) none_left_.set();
  on_closed_(connection->info());
}

void ShardServer::close_all(const char* reason) {
  open_.for_each([reason](Connection& connection) { connection.close(reason); });
}

base::Task<void> ShardServer::drain(base::MonoTime deadline) {
  draining_ = true;
  open_.for_each([](Connection& connection) { connection.close_when_answered(); });
  const auto timer = shard_.make_timer();
  while (count_ > 0 && shard_.clock().now() < deadline) {
    none_left_.reset();
    timer->arm(deadline, none_left_);
    co_await none_left_.wait();
  }
  if (count_ > 0) {
    shard_.log().warn("{} connections are closed with requests in progress (stele.shutdown.timeout.ms)", count_);
  }
  close_all("the broker stops");
  co_await join();
}

void ShardServer::start_sweeping() { sweeping_.spawn(sweep()); }

base::Task<void> ShardServer::sweep() {
  while (true) {
    co_await io::sleep_until(shard_, shard_.clock().now() + kSweepEvery);
    const base::MonoTime now = shard_.clock().now();
    open_.for_each([now](Connection& connection) { connection.check_deadlines(now); });
    shard_.complaints().settle();
  }
}

base::Task<void> ShardServer::join() { return running_.join(); }

}  // namespace stele::server
