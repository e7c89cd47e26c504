#include "server/shard_server.h"

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
      sweeping_(shard.executor(), [](std::exception_ptr) {}),
      running_(shard.executor(), [&shard](std::exception_ptr) { shard.log().error("a connection ended by a fault"); }) {
}

void ShardServer::serve(std::unique_ptr<io::DetachedStream> stream, ConnectionInfo info) {
  const ConnectionContext context{shard_, pool_, budgets_.data(), router_, limits_.connection};
  auto connection = std::make_unique<Connection>(context, shard_.adopt(std::move(stream)), std::move(info));
  running_.spawn(run(std::move(connection)));
}

base::Task<void> ShardServer::run(std::unique_ptr<Connection> connection) {
  open_.push_back(*connection);
  ++count_;
  co_await connection->run();
  --count_;
  on_closed_(connection->info());
}

void ShardServer::close_all(const char* reason) {
  open_.for_each([reason](Connection& connection) { connection.close(reason); });
}

void ShardServer::start_sweeping() { sweeping_.spawn(sweep()); }

base::Task<void> ShardServer::sweep() {
  while (true) {
    co_await io::sleep_until(shard_, shard_.clock().now() + kSweepEvery);
    const base::MonoTime now = shard_.clock().now();
    open_.for_each([now](Connection& connection) { connection.check_deadlines(now); });
  }
}

base::Task<void> ShardServer::join() { return running_.join(); }

}  // namespace stele::server
