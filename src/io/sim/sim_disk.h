// The disk of a simulated host. What programs see (the view) and what would stand after a power loss are kept apart by
// the list of operations that lie between them. Outlives the processes that use it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "base/result.h"
#include "io/file.h"
#include "io/sim/faults.h"
#include "io/sim/sim_loop.h"

namespace stele::io {

// The directories and files below a path, with their own faults and capacity.
struct SimDevice {
  SimDevice(std::string below, uint64_t seed);

  // How long an operation takes beside what it always takes.
  base::Duration delay();
  bool full() const { return faults.capacity_bytes && used_bytes >= *faults.capacity_bytes; }
  uint64_t room() const;

  const std::string prefix;
  DiskFaults faults;
  uint64_t used_bytes = 0;
  BranchCount no_space;
  Chance write_error;
  Chance short_write;
  Chance sync_error;
  Chance directory_error;
  Chance read_error;
  Chance flipped_read;
  Chance cache_miss;
  Chance send_miss;
  Chance slow;
  Chance stuck;
};

class SimFileNode {
 public:
  explicit SimFileNode(SimDevice& device) : device_(&device) {}

  const base::ByteVector& view() const { return view_; }
  SimDevice& device() const { return *device_; }

  void write(uint64_t offset, base::Bytes bytes);
  void truncate(uint64_t size);
  // The number that the next operation gets.
  uint64_t operations() const { return first_ + unsynced_.size(); }
  bool unsynced() const { return !unsynced_.empty(); }
  // Those before this number are on stable storage, but for those that were lost.
  void sync_up_to(uint64_t operation);
  // Of those before this number, what was not synced stays in view and never reaches the disk: all, or each by a coin.
  void lose_up_to(uint64_t operation, Chance& coins);
  // What stands after a power loss is the view from here on.
  void lose_power(const PowerLoss& how, Chance& draws);
  bool flip_bit(uint64_t offset, uint32_t bit);
  // Bytes that changed on the disk are not in the page cache, until a read brings them back.
  bool has_cold(uint64_t offset, size_t bytes) const;
  void brought_back(uint64_t offset, size_t bytes);

  // A file without a name takes no space.
  void set_named(bool named);
  void move_to(SimDevice& device);

 private:
  enum class State : uint8_t { kUnsynced, kSynced, kLost };
  // A write or a truncation with what undoes it: an append costs no copy.
  struct Operation {
    uint64_t offset = 0;  // a truncation: the new size
    uint64_t bytes = 0;
    uint64_t size_before = 0;
    base::ByteVector before;  // what was overwritten, or cut off
    bool truncates = false;
    State state = State::kUnsynced;
  };
  struct Redo;

  void resize(uint64_t size);
  std::vector<Redo> roll_back();
  uint64_t end_of(const Operation& operation) const;

  SimDevice* device_;
  bool named_ = false;
  base::ByteVector view_;
  std::set<uint64_t> cold_;
  std::vector<Operation> unsynced_;
  uint64_t first_ = 0;  // the number of the first of them
};

// What a simulated file has open, as the network of the same world sends it.
class SimSharedFile : public SharedFile {
 public:
  // What of the range is in the page cache, as it is now: nothing where it is not, less where the file ends.
  virtual std::optional<base::Bytes> peek(uint64_t offset, size_t bytes) const = 0;
};

struct SimDirectoryNode;

// A name's target: one of the two, or nothing.
struct SimNode {
  std::shared_ptr<SimFileNode> file;
  std::shared_ptr<SimDirectoryNode> directory;
  bool there() const { return file != nullptr || directory != nullptr; }
};

struct SimDirectoryNode {
  using Names = std::map<std::string, SimNode, std::less<>>;
  // One change: the name `gone` goes and `name` has a new target, each where it is not empty.
  struct Operation {
    std::string gone;
    std::string name;
    SimNode target;
  };

  Names view;
  Names durable;
  std::vector<Operation> unsynced;

  void apply(Operation operation);
  void sync();
};

class SimDisk {
 public:
  explicit SimDisk(uint64_t seed);
  SimDisk(const SimDisk&) = delete;
  SimDisk& operator=(const SimDisk&) = delete;

  // The port of shard.h.
  base::Task<base::Result<std::unique_ptr<Directory>>> open_directory(SimLoop& loop, std::string path, bool create);

  // For what lies below the path, from now on. A path that is named for the first time becomes a device of its own: the
  // longest such path above a file decides. Nothing is renamed from one device to another (EXDEV).
  void set_faults(const std::string& below, const DiskFaults& faults);
  // For the whole disk, on all devices.
  void set_faults(const DiskFaults& faults);
  const DiskFaults& faults(const std::string& path) { return device_of(path).faults; }
  uint64_t used_bytes(const std::string& path) { return device_of(path).used_bytes; }
  // Adds how often each kind of fault was asked for and came true, as "disk.write_error".
  void count(std::map<std::string, BranchCount>& counts) const;

  // What was not synced goes, in part or whole. No process runs on the host.
  void lose_power(const PowerLoss& how = {});
  // Damages what lies at rest, in view and on the disk alike. False where there is no such byte.
  bool flip_bit(const std::string& path, uint64_t offset, uint32_t bit);
  // The absolute paths of all files in view below a path, sorted.
  std::vector<std::string> files(const std::string& below = "/");
  // What a reader sees; nothing where there is no such file.
  std::optional<base::ByteVector> contents(const std::string& path);

  // Below are the calls of a kernel, on absolute paths.
  base::Result<std::shared_ptr<SimFileNode>> open(const std::string& path, OpenMode mode);
  base::Result<void> make_directory(const std::string& path, bool create);
  base::Result<std::vector<Entry>> list(const std::string& path);
  base::Result<void> rename(const std::string& from, const std::string& to);
  base::Result<void> remove(const std::string& path);
  base::Result<void> remove_tree(const std::string& path);
  base::Result<void> sync_directory(const std::string& path);
  // Files below a path with the number of operations that each has had.
  using Written = std::vector<std::pair<std::shared_ptr<SimFileNode>, uint64_t>>;
  Written written_below(const std::string& path);
  // Those operations, and the names of every directory below the path.
  base::Result<void> sync_all(const std::string& path, const Written& written);
  base::Result<void> lock(const std::string& path);
  void unlock(const std::string& path) { locked_.erase(path); }
  SimDevice& device_of(std::string_view path);

 private:
  // The directory that holds the last name of the path, and that name.
  struct Place {
    std::shared_ptr<SimDirectoryNode> parent;
    std::string name;
  };
  base::Result<Place> find_parent(const std::string& path);
  SimNode find(std::string_view path);
  // An error of the device that befalls a change of names (a read-only one too).
  base::Result<void> may_change(std::string_view operation, const std::string& path);
  base::Result<void> may_look(std::string_view operation, const std::string& path);

  uint64_t seed_;
  Chance power_loss_;
  std::vector<std::unique_ptr<SimDevice>> devices_;  // the longest prefix first; the last is the whole disk
  std::shared_ptr<SimDirectoryNode> root_ = std::make_shared<SimDirectoryNode>();
  std::set<std::string> locked_;
};

}  // namespace stele::io
