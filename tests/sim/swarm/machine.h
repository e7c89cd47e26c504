// A broker's process on a simulated host, which may end at any moment and be started again.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/broker_process.h"
#include "base/log_sink.h"
#include "io/sim/sim_world.h"

namespace stele::sim::swarm {

class Machine {
 public:
  Machine(io::SimWorld& world, uint32_t shards, const config::ConfigMap& config);
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // Returns at once; the start takes events.
  void start();
  // SIGTERM; nothing where the process does not listen to it yet.
  void ask_to_stop();
  // kill -9. No process runs afterwards.
  void kill();
  void lose_power(const io::PowerLoss& how);

  bool running() const { return running_; }
  // Of a process that has ended by itself (or was asked to); it still has to be cleared away by kill().
  std::optional<int> exit_code() const { return exit_code_; }
  // Clients are served.
  bool serving() const { return process_ != nullptr && process_->broker().progress().serving && terminate_ != nullptr; }
  // Every partition is.
  bool all_open() const { return serving() && process_->broker().progress().complete(); }
  // Null while there is none.
  app::BrokerProcess* process() const { return process_; }
  uint32_t shards() const { return shards_; }
  io::SimHost& host() { return host_; }

 private:
  void forget();
  base::Task<void> run_control();
  static base::Task<void> wait_for_ever(io::Shard& shard);

  io::SimHost& host_;
  uint32_t shards_;
  std::shared_ptr<const config::BrokerConfig> config_;
  bool running_ = false;
  app::BrokerProcess* process_ = nullptr;  // lives in the frame of run_control()
  base::Signal* terminate_ = nullptr;
  std::optional<int> exit_code_;
};

}  // namespace stele::sim::swarm
