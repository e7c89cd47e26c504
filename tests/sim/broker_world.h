// One broker on a simulated host, and a host for its clients: everything the broker is made of runs as in production.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/broker_process.h"
#include "base/log_sink.h"
#include "io/sim/sim_world.h"

namespace stele::sim {

// Keeps what the broker said from info on.
class Lines final : public base::LogSink {
 public:
  bool enabled(base::LogLevel level) const override { return level >= base::LogLevel::kInfo; }
  void write(base::LogLevel level, std::string_view line) override;
  bool mention(std::string_view what) const;
  const std::vector<std::string>& errors() const { return errors_; }
  std::string text() const;

 private:
  std::vector<std::string> lines_;
  std::vector<std::string> errors_;
};

struct WorldOptions {
  uint64_t seed = 1;
  uint32_t shards = 3;
  config::ConfigMap config;  // beside what every such broker has
};

class BrokerWorld {
 public:
  explicit BrokerWorld(WorldOptions options);
  ~BrokerWorld();

  // Starts the broker and waits until it serves.
  void start();
  // Starts a broker that is to give up: the exit code; nothing where it serves, or does not end within a minute.
  std::optional<int> start_in_vain();
  // SIGTERM; waits for the end. The exit code; nothing where it does not end within a minute.
  std::optional<int> stop();
  // kill -9: what the kernel has stays.
  void crash();
  // The process, the kernel, and of what was not synced whatever the seed says.
  void lose_power(const io::PowerLoss& how = {});

  // Runs a client to its end, at most `longest` of virtual time.
  using Client = std::function<base::Task<void>(io::Shard&)>;
  bool run(Client client, base::Duration longest = std::chrono::minutes{10});
  // The same in two steps: what goes on between them goes on beside the client.
  void begin(Client client);
  bool client_ended() const { return client_.ended(); }
  void end_client() { client_.crash(); }
  bool run_until(const std::function<bool()>& done, base::Duration longest) { return world_.run_until(done, longest); }
  void pass(base::Duration time) {
    world_.run_until([] { return false; }, time);
  }

  // Of a broker that ended by itself, or was stopped.
  const std::optional<int>& exit_code() const { return exit_code_; }
  app::BrokerProcess& process() { return *process_; }
  bool serving() const { return process_ != nullptr && process_->broker().progress().serving; }
  // Bytes charged to any budget of any shard.
  size_t bytes_charged() const;
  size_t connections() const;
  // The text of /metrics.
  std::string metrics();

  io::SimWorld& world() { return world_; }
  io::SimHost& broker_host() { return broker_; }
  io::SimHost& client_host() { return client_; }
  Lines& lines() { return lines_; }
  const WorldOptions& options() const { return options_; }

 private:
  base::Task<void> run_control();
  static base::Task<void> take_metrics(app::BrokerProcess& process, std::string& text, bool& done);
  bool run_broker();
  static base::Task<void> wait_for_ever(io::Shard& shard);

  WorldOptions options_;
  Lines lines_;
  io::SimWorld world_;
  io::SimHost& broker_;
  io::SimHost& client_;
  std::shared_ptr<const config::BrokerConfig> config_;
  app::BrokerProcess* process_ = nullptr;  // lives in the frame of run_control()
  base::Signal* terminate_ = nullptr;
  std::optional<int> exit_code_;
};

}  // namespace stele::sim
