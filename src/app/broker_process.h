// Where the objects of a broker meet: made before the shards run, destroyed after they have stopped.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "admin/http_server.h"
#include "admin/shard_report.h"
#include "broker/broker.h"
#include "config/broker_config.h"
#include "io/shard.h"
#include "server/acceptor.h"
#include "server/router.h"
#include "server/shard_server.h"

namespace stele::app {

// Hears of SIGTERM and SIGINT; in the simulated world a test sets the signal.
using NotifyTermination = std::function<void(base::Signal&)>;

// What a broker tells of itself once it serves.
struct StartReport {
  std::string version;
  int32_t node = 0;
  std::string cluster;
  std::vector<std::string> listeners;                     // "PLAINTEXT://127.0.0.1:9092"
  uint16_t http_port = 0;                                 // 0: off
  std::vector<std::pair<std::string, std::string>> dirs;  // path and directory id; "": offline
  std::string start;  // "clean", "unclean", "first": the log dirs as they were found
  std::vector<std::pair<std::string, int>> features;
  size_t topics = 0;
  size_t partitions = 0;

  std::string to_text() const;
  std::string to_json() const;
};

// What a broker takes from the machine that it runs on.
struct MachineFacts {
  size_t open_files_allowed = 1024;     // of the process; half of them are for logs unless an option says otherwise
  std::string host_name = "localhost";  // what clients are told where the configuration names no host
};

class BrokerProcess {
 public:
  // `shards` run nothing yet and outlive this object.
  BrokerProcess(std::vector<io::Shard*> shards, std::shared_ptr<const config::BrokerConfig> config,
                MachineFacts machine = {});
  BrokerProcess(const BrokerProcess&) = delete;
  BrokerProcess& operator=(const BrokerProcess&) = delete;

  // Runs on the control shard from the start of the broker to its end, which has the exit code.
  base::Task<int> run(NotifyTermination notify_termination);

  // Called once, when the broker serves.
  void on_ready(std::function<void(const StartReport&)> told) { on_ready_ = std::move(told); }

  // The port that a listener is bound to; 0 before it is.
  uint16_t port(const std::string& listener) const;
  broker::Broker& broker() { return *broker_; }
  broker::BrokerShard& shard(base::ShardId id) { return *parts_.at(id.value()).broker; }
  // The text of /metrics.
  base::Task<std::string> metrics();
  // What every shard says of itself, by shard.
  base::Task<std::vector<admin::ShardReport>> shard_reports();
  const server::ShardServer& server(base::ShardId shard) const { return *parts_.at(shard.value()).server; }

 private:
  // In this order, since appends that go on after their connection hold buffers of the server's pool, and connections
  // that a crash leaves are counted in the router's budget.
  struct ShardParts {
    std::unique_ptr<server::Router> router;
    std::unique_ptr<server::ShardServer> server;
    std::unique_ptr<broker::BrokerShard> broker;
  };

  server::ServerLimits server_limits() const;
  base::Result<void> bind();
  base::Task<base::Result<void>> serve();
  base::Task<void> stop();
  void deliver(base::ShardId shard, std::unique_ptr<io::DetachedStream> stream, server::ConnectionInfo info);
  std::vector<metadata::Endpoint> advertised() const;
  std::vector<metadata::Endpoint> controller_endpoints() const;
  base::Task<io::HttpResponse> answer_http(io::HttpRequest request);
  static base::Task<admin::ShardReport> report_here(const ShardParts& parts);
  server::Traffic lately(const server::Traffic& all);
  int fail(const char* what, const base::Error& error, int otherwise);
  void say_ready();
  StartReport report() const;

  std::vector<io::Shard*> shards_;
  std::shared_ptr<const config::BrokerConfig> config_;
  MachineFacts machine_;
  std::vector<ShardParts> parts_;
  std::unique_ptr<broker::Broker> broker_;
  std::unique_ptr<server::Acceptor> acceptor_;
  std::unique_ptr<admin::HttpServer> http_;
  std::map<std::string, uint16_t> ports_;
  std::function<void(const StartReport&)> on_ready_;
  // What had been served when /metrics was read a minute or two ago, and since then.
  struct Mark {
    base::MonoTime at;
    server::Traffic traffic;
  };
  Mark older_mark_;
  Mark newer_mark_;
  const char* start_kind_ = "unclean";  // what the ready line says of the log dirs as they were found
};

}  // namespace stele::app
