// The simulated world: hosts with a disk, processes with shards, a network between them, all in one thread on virtual
// time. Everything that is left to chance is drawn from the seed. Production code runs on it unchanged.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/log_sink.h"
#include "io/shard.h"
#include "io/sim/event_queue.h"
#include "io/sim/faults.h"
#include "io/sim/sim_disk.h"
#include "io/sim/sim_network.h"

namespace stele::io {

class SimShard;
class SimWorld;

// A host, and the process that runs on it from start() to crash().
class SimHost {
 public:
  using Main = std::function<base::Task<void>(Shard&)>;

  SimHost(SimWorld& world, std::string name, uint64_t seed);
  SimHost(const SimHost&) = delete;
  SimHost& operator=(const SimHost&) = delete;
  ~SimHost();

  // As World::start(): each shard's main runs in an event of its own.
  void start(uint32_t shards, Main main);
  // True once every main has ended, or where nothing runs.
  bool ended() const;
  // kill -9: destroys every coroutine of the process; the kernel closes its connections, and the disk keeps what the
  // kernel had. Not from inside a task of this process.
  void crash();
  // The process and the kernel are gone, with what the disk had not synced; connected peers are not told. The power is
  // back with start().
  void lose_power(const PowerLoss& how = {});
  // SIGSTOP, and SIGCONT after so long: no shard runs meanwhile; disk and network go on.
  void hold_up(base::Duration time);

  const std::string& name() const { return name_; }
  SimDisk& disk() { return disk_; }
  Shard& shard(base::ShardId id);

 private:
  friend class SimShard;
  struct Process;
  // The process of that start still runs.
  bool lives(uint64_t life) const;
  SimShard& sim_shard(base::ShardId id);

  SimWorld& world_;
  std::string name_;
  uint64_t seed_;
  uint64_t starts_ = 0;
  SimDisk disk_;
  std::unique_ptr<Process> process_;
};

struct SimOptions {
  uint64_t seed = 1;
  base::Timestamp wall_start{1'700'000'000'000};
  base::LogSink* log = nullptr;  // not owned; lines go into the trace hash, and here
  bool trace_lines = true;       // false: only those that `log` wants are made at all, and none goes into the hash
};

class SimWorld {
 public:
  explicit SimWorld(SimOptions options);
  SimWorld(const SimWorld&) = delete;
  SimWorld& operator=(const SimWorld&) = delete;
  ~SimWorld();

  // Names a machine; it lives as long as the world.
  SimHost& add_host(const std::string& name);

  // Runs events until `done` holds (looked at before each), nothing is left to happen, or virtual time has advanced by
  // `longest`. Returns whether it holds.
  bool run_until(const std::function<bool()>& done, base::Duration longest);

  // Faults of disks are set at SimHost::disk(). All may be set at any time.
  SimNetwork& network() { return network_; }
  void set_loop_faults(const LoopFaults& faults) { loop_faults_ = faults; }
  const LoopFaults& loop_faults() const { return loop_faults_; }
  void set_rare_branches(const RareBranches& rare);
  // How often one point comes true, whatever was set for all.
  void set_rare_branch(const std::string& name, uint32_t taken);
  // How often each known point and mark was passed ("fetch.short"), and each kind of fault ("disk.sync_error"); a name
  // that no run reached is there with zeros.
  std::map<std::string, BranchCount> marks() const;
  // How often one mark was passed.
  uint64_t marked(std::string_view name) const;
  // For what is no fault of this world, a workload for example: draws that no other stream's shift.
  base::SeededRandom stream(std::string_view name) const;

  base::MonoTime now() const { return events_.now(); }
  uint64_t events() const { return events_.events(); }
  // The same for two runs exactly if they took the same events in the same order and logged the same lines.
  uint64_t trace_hash() const { return events_.trace_hash(); }

 private:
  friend class SimHost;
  friend class SimShard;
  class Log;
  struct Branch {
    Chance chance;
    uint32_t taken;
    BranchCount count;
  };
  Branch& branch(std::string_view name);

  SimOptions options_;
  EventQueue events_;
  SimNetwork network_;
  LoopFaults loop_faults_;
  RareBranches rare_;
  std::map<std::string, Branch, std::less<>> branches_;
  std::unique_ptr<Log> log_;
  std::map<std::string, std::unique_ptr<SimHost>> hosts_;
};

}  // namespace stele::io
