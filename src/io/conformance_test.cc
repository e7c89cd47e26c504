#include "io/conformance.h"

#include <stdlib.h>

#include <filesystem>
#include <utility>

#include "base/check.h"

namespace stele::io::conformance {
namespace {

class RealWorld final : public WorldUnderTest {
 public:
  ~RealWorld() override {
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }
  void run(uint32_t shards, World::Main main) override {
    world_ = std::make_unique<World>(WorldOptions{.shards = shards, .offload_threads = 2});
    world_->start(std::move(main));
    world_->join();
    world_.reset();
  }
  Shard& shard(uint32_t id) override { return world_->shard(base::ShardId{id}); }
  std::string directory() override {
    std::string path = (std::filesystem::temp_directory_path() / "stele_io_XXXXXX").string();
    STELE_CHECK(::mkdtemp(path.data()) != nullptr);
    directory_ = path;
    return path;
  }

 private:
  std::unique_ptr<World> world_;
  std::string directory_;
};

class SimulatedWorld final : public WorldUnderTest {
 public:
  explicit SimulatedWorld(uint64_t seed) : world_({.seed = seed}), host_(world_.add_host("a")) {}
  void run(uint32_t shards, World::Main main) override {
    host_.start(shards, std::move(main));
    EXPECT_TRUE(world_.run_until([this] { return host_.ended(); }, std::chrono::minutes{1})) << "still runs";
    host_.crash();
  }
  Shard& shard(uint32_t id) override { return host_.shard(base::ShardId{id}); }
  std::string directory() override {
    STELE_CHECK(host_.disk().make_directory("/data", true).ok());
    return "/data";
  }

 private:
  SimWorld world_;
  SimHost& host_;
};

}  // namespace

std::unique_ptr<WorldUnderTest> make_world(const std::string& name) {
  if (name == "real") return std::make_unique<RealWorld>();
  return std::make_unique<SimulatedWorld>(std::stoull(name.substr(name.find_first_of("0123456789"))));
}

std::vector<std::string> world_names() { return {"real", "sim1", "sim2", "sim3", "sim4", "sim5", "sim6"}; }

}  // namespace stele::io::conformance
