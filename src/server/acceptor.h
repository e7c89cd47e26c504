// Takes connections in and spreads them over the shards.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "io/shard.h"
#include "server/request.h"

namespace stele::server {

struct AcceptLimits {
  size_t connections_max = 0;              // max.connections
  size_t connections_per_address_max = 0;  // max.connections.per.ip
};

// Lives on one shard. A connection over a limit is closed at once, counted and logged.
class Acceptor {
 public:
  using Deliver = std::function<void(base::ShardId, std::unique_ptr<io::DetachedStream>, ConnectionInfo)>;

  Acceptor(io::Shard& shard, AcceptLimits limits, Deliver deliver);

  // Binds the endpoint; connections wait until start(). Answers the port. `listener` is the name that they will carry.
  base::Result<uint16_t> bind(const std::string& listener, bool controller, const io::Endpoint& endpoint);
  void start();
  // To be told of each delivered connection that has ended.
  void closed(const ConnectionInfo& info);
  void stop();
  void set_limits(AcceptLimits limits) { limits_ = limits; }
  size_t open() const { return open_; }
  size_t refused() const { return refused_; }

 private:
  struct Bound {
    std::string listener;
    bool controller = false;
    std::unique_ptr<io::Listener> port;
  };
  base::Task<void> accept_loop(Bound bound);
  void take(const Bound& bound, std::unique_ptr<io::DetachedStream> stream);

  io::Shard& shard_;
  AcceptLimits limits_;
  Deliver deliver_;
  std::vector<Bound> bound_;
  std::map<std::string, size_t> by_address_;
  size_t open_ = 0;
  size_t refused_ = 0;
  uint64_t next_id_ = 1;
  base::TaskScope accepting_;
};

}  // namespace stele::server
