// The production world: shards that are threads, with real sockets, files and time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/executor.h"
#include "base/log_sink.h"
#include "base/task.h"
#include "io/shard.h"

namespace stele::io {

struct WorldOptions {
  uint32_t shards = 1;
  uint32_t offload_threads = 4;  // serve offload(), syncs, directory work and reads that miss the page cache
  base::LogLevel log_level = base::LogLevel::kInfo;
  base::LogSink* log = nullptr;  // not owned; null writes to stderr
  // Of accepted connections: how much the kernel takes of what is written while the peer does not (it doubles the
  // number for its own needs). Not above 0: the kernel decides, up to megabytes, which makes many readers wait for each
  // other.
  int64_t send_buffer_bytes = -1;
  // Blocks SIGTERM and SIGINT in the constructing thread and all that it starts later, so that notify_termination()
  // sees them.
  bool catch_termination = false;
};

class World {
 public:
  // Called once for each shard, on its thread. The task it returns owns all that lives on the shard.
  using Main = std::function<base::Task<void>(Shard&)>;

  explicit World(WorldOptions options);
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();  // stops and joins

  // Starts the threads; once in a world's life.
  void start(Main main);
  // Ends every loop, whatever its tasks wait for. From any thread; returns at once.
  void stop();
  // Returns after stop(), or once the task of every shard has ended (a shard whose task has ended still takes mail
  // until then). Work off the loop has run to its end by then. Tasks that still wait are destroyed by the joining
  // thread, one shard after the other, while no other thread of this world runs.
  void join();

  // Sets the signal at each SIGTERM or SIGINT. On shard 0, once, in a world made with catch_termination.
  void notify_termination(base::Signal& signal);

  // There from the start, so that mains can name each other's shards; used only on its own loop, but for id() and as
  // in a ShardHome (io/remote.h).
  Shard& shard(base::ShardId id);
  base::LogSink& log();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stele::io
