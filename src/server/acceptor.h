// Takes connections in and spreads them over the shards.
#pragma once

#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "io/shard.h"
#include "server/request.h"
#include "server/token_bucket.h"

namespace stele::server {

struct ListenerLimits {
  size_t connections_max = std::numeric_limits<size_t>::max();  // listener.name.<listener>.max.connections
  double creation_rate = kNoRate;                               // listener.name.<listener>.max.connection.creation.rate

  static constexpr double kNoRate = std::numeric_limits<int32_t>::max();
};

struct AcceptLimits {
  size_t connections_max = 0;                         // max.connections
  size_t connections_per_address_max = 0;             // max.connections.per.ip
  std::map<std::string, size_t> of_address{};         // max.connections.per.ip.overrides
  double creation_rate = ListenerLimits::kNoRate;     // max.connection.creation.rate
  std::map<std::string, ListenerLimits> listeners{};  // by name, those that have limits of their own
};

// Lives on one shard. A connection over a limit of numbers is closed at once, counted and logged; one over a rate waits
// unaccepted, as in Kafka.
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
  void set_limits(AcceptLimits limits);
  size_t open() const { return open_; }
  size_t refused() const { return refused_; }
  size_t delayed() const { return delayed_; }  // times that a rate made it wait
  size_t failed() const { return failed_; }    // times that none could be taken in, for want of descriptors as a rule

 private:
  struct Bound {
    std::string listener;
    bool controller = false;
    std::unique_ptr<io::Listener> port;
  };
  base::Task<void> accept_loop(Bound bound);
  base::Duration wait_for_rate(const std::string& listener);
  size_t most_of(const std::string& address) const;
  void take(const Bound& bound, std::unique_ptr<io::DetachedStream> stream);

  io::Shard& shard_;
  AcceptLimits limits_;
  Deliver deliver_;
  std::vector<Bound> bound_;
  std::map<std::string, size_t> by_address_;
  std::map<std::string, size_t> by_listener_;
  TokenBucket rate_;
  std::map<std::string, TokenBucket> listener_rates_;
  size_t open_ = 0;
  size_t refused_ = 0;
  size_t delayed_ = 0;
  size_t failed_ = 0;
  uint64_t next_id_ = 1;
  base::TaskScope accepting_;
};

}  // namespace stele::server
