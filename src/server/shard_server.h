// The connections of one shard.
#pragma once

#include <array>
#include <functional>
#include <memory>

#include "io/shard.h"
#include "server/connection.h"

namespace stele::server {

struct ServerLimits {
  ConnectionLimits connection;
  std::array<size_t, kRequestClasses> budget_bytes{};  // this shard's share of each budget
};

// Owned by its shard and used on it alone.
class ShardServer {
 public:
  // `on_closed` hears of each connection that has ended.
  ShardServer(io::Shard& shard, RequestRouter& router, ServerLimits limits,
              std::function<void(const ConnectionInfo&)> on_closed);

  void serve(std::unique_ptr<io::DetachedStream> stream, ConnectionInfo info);
  void close_all(const char* reason);
  // Lets requests in progress end until the deadline, starts no further ones, then closes what is left. Returns once no
  // connection is left.
  base::Task<void> drain(base::MonoTime deadline);
  // Checks deadlines from time to time until cancelled.
  void start_sweeping();
  // Returns once no connection is left.
  base::Task<void> join();
  size_t connections() const { return count_; }
  const Traffic& traffic() const { return traffic_; }
  Budget* budgets() { return budgets_.data(); }  // [kRequestClasses]
  const Budget& budget(RequestClass request_class) const { return budgets_[static_cast<size_t>(request_class)]; }

 private:
  base::Task<void> run(std::unique_ptr<Connection> connection);
  base::Task<void> sweep();

  io::Shard& shard_;
  RequestRouter& router_;
  ServerLimits limits_;
  std::function<void(const ConnectionInfo&)> on_closed_;
  Traffic traffic_;
  BufferPool pool_;
  std::array<Budget, kRequestClasses> budgets_;
  base::IntrusiveList<Connection> open_;
  size_t count_ = 0;
  bool draining_ = false;
  base::Signal none_left_;
  base::TaskScope sweeping_;
  base::TaskScope running_;
};

}  // namespace stele::server
