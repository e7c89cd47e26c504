// The file ports over a SimDisk: calls that production hands to a helper thread take virtual time here.
#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "io/off_loop.h"
#include "io/sim/sim_disk.h"

namespace stele::io {
namespace {

using base::Result;
using base::Task;

class SimFile final : public File {
 public:
  SimFile(Shard& shard, SimDisk& disk, std::shared_ptr<SimFileNode> node, std::string path, bool writable)
      : shard_(shard), disk_(disk), node_(std::move(node)), path_(std::move(path)), writable_(writable) {}

  Task<Result<void>> write(uint64_t offset, std::span<const iovec> from) override {
    if (!writable_) co_return error("write", EBADF);
    SimFileNode::Operation operation{.offset = offset, .bytes = {}};
    for (const iovec& part : from) {
      base::append(operation.bytes, {static_cast<const std::byte*>(part.iov_base), part.iov_len});
    }
    node_->apply(std::move(operation));
    co_return Result<void>{};
  }

  Task<Result<size_t>> read(uint64_t offset, base::MutableBytes into) override {
    if (!disk_.misses_page_cache()) co_return copy(*node_, offset, into);
    auto bytes = std::make_shared<base::ByteVector>(into.size());
    const size_t got = co_await off_loop(shard_, [node = node_, bytes, offset] { return copy(*node, offset, *bytes); });
    std::copy_n(bytes->begin(), got, into.begin());
    co_return got;
  }

  Result<size_t> try_read(uint64_t offset, base::MutableBytes into) override {
    if (disk_.misses_page_cache()) return error("read", EAGAIN);
    return copy(*node_, offset, into);
  }

  Task<Result<void>> sync() override {
    return off_loop(shard_, [node = node_, covered = node_->operations()]() -> Result<void> {
      node->sync_up_to(covered);
      return {};
    });
  }

  Task<Result<void>> truncate(uint64_t size) override {
    return off_loop(shard_, [node = node_, size, refused = writable_ ? Result<void>{} : error("truncate", EINVAL)] {
      if (refused.ok()) node->apply({.offset = size, .bytes = {}, .truncates = true});
      return refused;
    });
  }

  Result<uint64_t> size() const override { return node_->view.size(); }

 private:
  static size_t copy(const SimFileNode& node, uint64_t offset, base::MutableBytes into) {
    if (offset >= node.view.size()) return 0;
    const size_t bytes = std::min<size_t>(into.size(), node.view.size() - offset);
    std::copy_n(node.view.begin() + static_cast<std::ptrdiff_t>(offset), bytes, into.begin());
    return bytes;
  }

  base::Error error(std::string_view operation, int os_error) const {
    return base::Error{base::ErrorCode::kKafkaStorageError,
                       fmt::format("cannot {} {}: errno {}", operation, path_, os_error), os_error};
  }

  Shard& shard_;
  SimDisk& disk_;
  std::shared_ptr<SimFileNode> node_;
  std::string path_;
  bool writable_;
};

class SimLock final : public FileLock {
 public:
  SimLock(SimDisk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
  ~SimLock() override { disk_.unlock(path_); }

 private:
  SimDisk& disk_;
  std::string path_;
};

class SimDirectory final : public Directory {
 public:
  SimDirectory(Shard& shard, SimDisk& disk, std::string path) : shard_(shard), disk_(disk), path_(std::move(path)) {}

  Task<Result<std::unique_ptr<File>>> open(std::string path, OpenMode mode) override {
    Shard& shard = shard_;
    SimDisk& disk = disk_;
    const std::string full = below(path);
    STELE_CO_TRY_ASSIGN(std::shared_ptr<SimFileNode> node,
                        co_await off_loop(shard, [&disk, full, mode] { return disk.open(full, mode); }));
    co_return std::unique_ptr<File>{
        std::make_unique<SimFile>(shard, disk, std::move(node), full, mode != OpenMode::kRead)};
  }
  Task<Result<std::unique_ptr<Directory>>> open_directory(std::string path, bool create) override {
    return disk_.open_directory(shard_, below(path), create);
  }
  Task<Result<std::vector<Entry>>> list(std::string path) override {
    return off_loop(shard_, [&disk = disk_, full = below(path)] { return disk.list(full); });
  }
  Task<Result<void>> rename(std::string from, std::string to) override {
    return off_loop(shard_, [&disk = disk_, old_path = below(from), new_path = below(to)] {
      return disk.rename(old_path, new_path);
    });
  }
  Task<Result<void>> remove(std::string path) override {
    return off_loop(shard_, [&disk = disk_, full = below(path)] { return disk.remove(full); });
  }
  Task<Result<void>> remove_tree(std::string path) override {
    return off_loop(shard_, [&disk = disk_, full = below(path)] { return disk.remove_tree(full); });
  }
  Task<Result<void>> sync(std::string path) override {
    return off_loop(shard_, [&disk = disk_, full = below(path)] { return disk.sync_directory(full); });
  }
  Result<std::unique_ptr<FileLock>> lock(std::string path) override {
    const std::string full = below(path);
    STELE_TRY(disk_.lock(full));
    return std::unique_ptr<FileLock>{std::make_unique<SimLock>(disk_, full)};
  }
  Result<Space> space() const override { return Space{.total_bytes = 1ULL << 40, .usable_bytes = 1ULL << 39}; }
  const std::string& path() const override { return path_; }

 private:
  std::string below(const std::string& path) const { return path.empty() ? path_ : path_ + "/" + path; }

  Shard& shard_;
  SimDisk& disk_;
  std::string path_;
};

}  // namespace

Task<Result<std::unique_ptr<Directory>>> SimDisk::open_directory(Shard& shard, std::string path, bool create) {
  const std::string full = path.starts_with('/') ? path : "/" + path;
  STELE_CO_TRY(co_await off_loop(shard, [this, full, create] { return make_directory(full, create); }));
  co_return std::unique_ptr<Directory>{std::make_unique<SimDirectory>(shard, *this, full)};
}

}  // namespace stele::io
