// A simulated host with a disk on which an input's files lie, for targets that open them as a broker does.
#pragma once

#include <string>
#include <utility>

#include "base/check.h"
#include "fuzz/silent_log.h"
#include "io/sim/sim_world.h"

namespace stele::fuzz {

class OneHost {
 public:
  OneHost() : world_({.seed = 1, .log = &log_}), host_(world_.add_host("a")) {}
  ~OneHost() { host_.crash(); }
  OneHost(const OneHost&) = delete;
  OneHost& operator=(const OneHost&) = delete;

  void make_directory(const std::string& path) {
    STELE_CHECK(host_.disk().make_directory(path, true).ok(), "{}", path);
  }
  // False for a name that cannot be.
  bool put(const std::string& path, base::Bytes content) {
    const auto node = host_.disk().open(path, io::OpenMode::kCreate);
    if (!node.ok()) return false;
    (*node)->truncate(0);
    (*node)->write(0, content);
    (*node)->sync_up_to((*node)->operations());
    return true;
  }
  // The whole life of a process.
  template <class... Parameters, class... Arguments>
  void run(base::Task<void> (*main)(io::Shard&, Parameters...), Arguments&&... arguments) {
    host_.start(1, [&](io::Shard& shard) { return main(shard, arguments...); });
    STELE_CHECK(world_.run_until([this] { return host_.ended(); }, std::chrono::hours{1}), "it waits for ever");
    host_.crash();
  }

 private:
  SilentLog log_;
  io::SimWorld world_;
  io::SimHost& host_;
};

}  // namespace stele::fuzz
