// The file ports over a SimDisk: calls that production hands to a helper thread take virtual time here, and those that
// it makes inline hold up the shard where they are slow.
#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include "io/sim/sim_disk.h"

namespace stele::io {
namespace {

using base::Result;
using base::Task;

// off_loop() that takes `more`.
template <class F, class R = std::invoke_result_t<F&>>
Task<R> off_loop_for(SimLoop& loop, base::Duration more, F work) {
  auto result = std::make_shared<std::optional<R>>();
  std::move_only_function<void()> run = [result, work = std::move(work)]() mutable { result->emplace(work()); };
  co_await loop.offload_for(more, std::move(run));
  co_return std::move(**result);
}

base::Error storage_error(std::string_view operation, const std::string& path, int os_error) {
  return base::Error{base::ErrorCode::kKafkaStorageError,
                     fmt::format("cannot {} {}: {}", operation, path, std::generic_category().message(os_error)),
                     os_error};
}

// What an operation that is under way keeps, though its File has gone.
class OpenFile final : public SimSharedFile, public std::enable_shared_from_this<OpenFile> {
 public:
  OpenFile(std::shared_ptr<SimFileNode> opened, std::string at, bool for_writes)
      : node(std::move(opened)), path(std::move(at)), writable(for_writes) {}
  std::unique_ptr<File> file_on(Shard& shard) const override;
  using SharedFile::cut;
  using SharedFile::missed;

  const std::shared_ptr<SimFileNode> node;
  const std::string path;
  const bool writable;

  SimDevice& device() const { return node->device(); }
  base::Error error(std::string_view operation, int os_error) const { return storage_error(operation, path, os_error); }

  Result<size_t> read(uint64_t offset, base::MutableBytes into) const {
    SimDevice& on = device();
    if (on.read_error.comes_true(on.faults.read_error)) return error("read", EIO);
    const base::ByteVector& view = node->view();
    node->brought_back(offset, into.size());
    if (offset >= view.size()) return size_t{0};
    const size_t bytes = std::min<size_t>(into.size(), view.size() - offset);
    std::copy_n(view.begin() + static_cast<std::ptrdiff_t>(offset), bytes, into.begin());
    if (bytes > 0 && on.flipped_read.comes_true(on.faults.flipped_read)) {
      into[on.flipped_read.below(bytes)] ^= std::byte{1} << on.flipped_read.below(8);
    }
    return bytes;
  }

  std::optional<base::Bytes> peek(uint64_t offset, size_t bytes) const override {
    SimDevice& on = device();
    if (on.send_miss.comes_true(on.faults.cache_miss) || node->has_cold(offset, bytes)) {
      missed();
      return {};
    }
    const base::Bytes view{node->view()};
    const base::Bytes rest = view.subspan(std::min<size_t>(offset, view.size()));
    return rest.first(std::min(bytes, rest.size()));
  }

  Result<void> write(uint64_t offset, base::Bytes bytes) const {
    SimDevice& on = device();
    if (!writable) return error("write", EBADF);
    if (on.faults.read_only) return error("write", EROFS);
    if (on.write_error.comes_true(on.faults.write_error)) return error("write", EIO);
    int os_error = 0;
    if (on.short_write.comes_true(on.faults.short_write)) {
      bytes = bytes.first(on.short_write.below(bytes.size() + 1));
      os_error = EIO;
    }
    const uint64_t room = on.room();
    const uint64_t before = node->view().size();
    const uint64_t room_end = room > UINT64_MAX - before ? UINT64_MAX : before + room;
    if (offset + bytes.size() > std::max(before, room_end)) {
      bytes = bytes.first(offset >= room_end ? 0 : room_end - offset);
      os_error = ENOSPC;
      on.no_space.happened();
    }
    node->write(offset, bytes);
    if (os_error != 0) return error("write", os_error);
    return {};
  }

  // Those before this number.
  Result<void> sync(uint64_t operations) const {
    SimDevice& on = device();
    if (on.faults.read_only && node->unsynced()) return error("sync", EROFS);
    if (on.sync_error.comes_true(on.faults.sync_error)) {
      node->lose_up_to(operations, on.sync_error);
      return error("sync", EIO);
    }
    node->sync_up_to(operations);
    return {};
  }

  Result<void> truncate(uint64_t size) const {
    SimDevice& on = device();
    if (!writable) return error("truncate", EINVAL);
    if (on.faults.read_only) return error("truncate", EROFS);
    if (on.write_error.comes_true(on.faults.write_error)) return error("truncate", EIO);
    const uint64_t before = node->view().size();
    if (size > before && size - before > on.room()) {
      on.no_space.happened();
      return error("truncate", ENOSPC);
    }
    node->truncate(size);
    return {};
  }
};

using OpenFilePointer = std::shared_ptr<const OpenFile>;

class SimFile final : public File {
 public:
  SimFile(SimLoop& loop, OpenFilePointer file) : loop_(loop), file_(std::move(file)) {}

  Task<Result<void>> write(uint64_t offset, std::span<const iovec> from) override {
    if (const base::Duration delay = file_->device().delay(); delay > base::Duration{}) loop_.hold_up(delay);
    if (from.size() == 1) co_return file_->write(offset, bytes_of(from[0]));
    base::ByteVector bytes;
    for (const iovec& part : from) base::append(bytes, bytes_of(part));
    co_return file_->write(offset, bytes);
  }

  Task<Result<size_t>> read(uint64_t offset, base::MutableBytes into) override {
    SimDevice& on = file_->device();
    if (!misses(offset, into.size())) co_return file_->read(offset, into);
    auto bytes = std::make_shared<base::ByteVector>(into.size());
    STELE_CO_TRY_ASSIGN(const size_t got, co_await off_loop_for(loop_, on.delay(), [file = file_, bytes, offset] {
                          return file->read(offset, *bytes);
                        }));
    std::copy_n(bytes->begin(), got, into.begin());
    co_return got;
  }

  Result<size_t> try_read(uint64_t offset, base::MutableBytes into) override {
    if (misses(offset, into.size())) return file_->error("read", EAGAIN);
    return file_->read(offset, into);
  }

  std::shared_ptr<const SharedFile> share() override { return file_; }

  Task<Result<void>> sync() override {
    return off_loop_for(loop_, file_->device().delay(),
                        [file = file_, covered = file_->node->operations()] { return file->sync(covered); });
  }

  Task<Result<void>> truncate(uint64_t size) override {
    file_->cut();
    return off_loop_for(loop_, file_->device().delay(), [file = file_, size] {
      auto result = file->truncate(size);
      file->cut();
      return result;
    });
  }

  Result<uint64_t> size() const override { return file_->node->view().size(); }

 private:
  static base::Bytes bytes_of(const iovec& part) {
    return {static_cast<const std::byte*>(part.iov_base), part.iov_len};
  }
  bool misses(uint64_t offset, size_t bytes) const {
    SimDevice& on = file_->device();
    if (!on.cache_miss.comes_true(on.faults.cache_miss) && !file_->node->has_cold(offset, bytes)) return false;
    file_->missed();
    return true;
  }

  SimLoop& loop_;
  OpenFilePointer file_;
};

std::unique_ptr<File> OpenFile::file_on(Shard& shard) const {
  return std::make_unique<SimFile>(static_cast<SimLoop&>(shard), shared_from_this());
}

class SimLock final : public FileLock {
 public:
  SimLock(SimDisk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
  ~SimLock() override { disk_.unlock(path_); }

 private:
  SimDisk& disk_;
  std::string path_;
};

class SimDirectory final : public Directory {
  std::string below(const std::string& path) const { return path.empty() ? path_ : path_ + "/" + path; }
  base::Duration delay(const std::string& full) const { return disk_.device_of(full).delay(); }
  template <class F>
  auto at(std::string full, F call) {
    const base::Duration more = delay(full);
    return off_loop_for(loop_, more, [&disk = disk_, full = std::move(full), call] { return call(disk, full); });
  }

 public:
  SimDirectory(SimLoop& loop, SimDisk& disk, std::string path) : loop_(loop), disk_(disk), path_(std::move(path)) {}

  Task<Result<std::unique_ptr<File>>> open(std::string path, OpenMode mode) override {
    SimLoop& loop = loop_;
    const std::string full = below(path);
    STELE_CO_TRY_ASSIGN(
        std::shared_ptr<SimFileNode> node,
        co_await at(full, [mode](SimDisk& disk, const std::string& at) { return disk.open(at, mode); }));
    co_return std::unique_ptr<File>{
        std::make_unique<SimFile>(loop, std::make_shared<OpenFile>(std::move(node), full, mode != OpenMode::kRead))};
  }
  Task<Result<std::unique_ptr<Directory>>> open_directory(std::string path, bool create) override {
    return disk_.open_directory(loop_, below(path), create);
  }
  Task<Result<std::vector<Entry>>> list(std::string path) override {
    return at(below(path), [](SimDisk& disk, const std::string& full) { return disk.list(full); });
  }
  Task<Result<void>> rename(std::string from, std::string to) override {
    return at(below(from), [to = below(to)](SimDisk& disk, const std::string& full) { return disk.rename(full, to); });
  }
  Task<Result<void>> remove(std::string path) override {
    return at(below(path), [](SimDisk& disk, const std::string& full) { return disk.remove(full); });
  }
  Task<Result<void>> remove_tree(std::string path) override {
    return at(below(path), [](SimDisk& disk, const std::string& full) { return disk.remove_tree(full); });
  }
  Task<Result<void>> sync(std::string path) override {
    return at(below(path), [](SimDisk& disk, const std::string& full) { return disk.sync_directory(full); });
  }
  Task<Result<void>> sync_all() override {
    return at(path_, [written = disk_.written_below(path_)](SimDisk& disk, const std::string& full) {
      return disk.sync_all(full, written);
    });
  }
  Result<std::unique_ptr<FileLock>> lock(std::string path) override {
    const std::string full = below(path);
    STELE_TRY(disk_.lock(full));
    return std::unique_ptr<FileLock>{std::make_unique<SimLock>(disk_, full)};
  }
  Result<Space> space() const override {
    const SimDevice& on = disk_.device_of(path_);
    if (!on.faults.capacity_bytes) return Space{.total_bytes = 1ULL << 40, .usable_bytes = 1ULL << 39};
    return Space{.total_bytes = *on.faults.capacity_bytes, .usable_bytes = on.room()};
  }
  const std::string& path() const override { return path_; }

 private:
  SimLoop& loop_;
  SimDisk& disk_;
  std::string path_;
};

}  // namespace

Task<Result<std::unique_ptr<Directory>>> SimDisk::open_directory(SimLoop& loop, std::string path, bool create) {
  std::string full = path.starts_with('/') ? path : "/" + path;
  while (full.size() > 1 && full.ends_with('/')) full.pop_back();
  STELE_CO_TRY(co_await off_loop_for(loop, {}, [this, full, create] { return make_directory(full, create); }));
  co_return std::unique_ptr<Directory>{std::make_unique<SimDirectory>(loop, *this, full)};
}

}  // namespace stele::io
