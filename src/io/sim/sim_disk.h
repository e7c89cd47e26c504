// The disk of a simulated host. What programs see (the view) and what stands after a power loss (the durable image) are
// kept apart, with the operations that lie between them in order. Outlives the processes that use it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "base/result.h"
#include "io/file.h"
#include "io/shard.h"

namespace stele::io {

struct SimFileNode {
  // A write, or (without bytes) a truncation to `offset`.
  struct Operation {
    uint64_t offset = 0;
    base::ByteVector bytes;
    bool truncates = false;
  };

  base::ByteVector view;
  base::ByteVector durable;
  std::deque<Operation> unsynced;
  uint64_t synced_operations = 0;  // the number of the first unsynced one

  void apply(Operation operation);
  uint64_t operations() const { return synced_operations + unsynced.size(); }
  void sync_up_to(uint64_t operation);  // those before this number
};

struct SimDirectoryNode;

// A name's target: one of the two, or nothing.
struct SimNode {
  std::shared_ptr<SimFileNode> file;
  std::shared_ptr<SimDirectoryNode> directory;
  bool there() const { return file != nullptr || directory != nullptr; }
};

struct SimDirectoryNode {
  struct Operation {
    std::string name;
    SimNode target;  // nothing: the name goes
  };

  std::map<std::string, SimNode> view;
  std::map<std::string, SimNode> durable;
  std::vector<Operation> unsynced;

  void set(const std::string& name, SimNode target);
  void sync();
};

class SimDisk {
 public:
  explicit SimDisk(uint64_t seed) : random_(seed) {}
  SimDisk(const SimDisk&) = delete;
  SimDisk& operator=(const SimDisk&) = delete;

  // The port of shard.h.
  base::Task<base::Result<std::unique_ptr<Directory>>> open_directory(Shard& shard, std::string path, bool create);

  // Everything that was not synced is gone. No process runs on the host.
  void lose_power();

  // Below are the calls of a kernel, on absolute paths.
  base::Result<std::shared_ptr<SimFileNode>> open(const std::string& path, OpenMode mode);
  base::Result<void> make_directory(const std::string& path, bool create);
  base::Result<std::vector<Entry>> list(const std::string& path);
  base::Result<void> rename(const std::string& from, const std::string& to);
  base::Result<void> remove(const std::string& path);
  base::Result<void> remove_tree(const std::string& path);
  base::Result<void> sync_directory(const std::string& path);
  base::Result<void> lock(const std::string& path);
  void unlock(const std::string& path) { locked_.erase(path); }
  // True where a read has to wait for the disk.
  bool misses_page_cache() { return random_.below(16) == 0; }

 private:
  // The directory that holds the last name of the path, and that name.
  struct Place {
    std::shared_ptr<SimDirectoryNode> parent;
    std::string name;
  };
  base::Result<Place> find_parent(const std::string& path);
  SimNode find(const std::string& path);

  base::SeededRandom random_;
  std::shared_ptr<SimDirectoryNode> root_ = std::make_shared<SimDirectoryNode>();
  std::set<std::string> locked_;
};

}  // namespace stele::io
