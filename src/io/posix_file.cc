#include "io/posix_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "io/off_loop.h"

namespace stele::io {
namespace {

using base::Error;
using base::Result;
using base::Task;

Error storage_error(std::string_view operation, const std::string& path, int os_error) {
  return Error{base::ErrorCode::kKafkaStorageError,
               fmt::format("cannot {} {}: {}", operation, path, std::generic_category().message(os_error)), os_error};
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }

 private:
  int fd_;
};

// Calls again while a signal interrupts.
template <class F>
auto restarting(F call) {
  while (true) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

// What an operation that is under way keeps open, though its File has gone.
class OpenFile final : public SharedFile, public std::enable_shared_from_this<OpenFile> {
 public:
  OpenFile(Descriptor opened, std::string at) : fd(std::move(opened)), path(std::move(at)) {}
  std::unique_ptr<File> file_on(Shard& shard) const override;
  using SharedFile::cut;
  using SharedFile::missed;

  const Descriptor fd;
  const std::string path;
};
using OpenFilePointer = std::shared_ptr<const OpenFile>;

// Reads until `into` is full or the file ends. A helper's half of read().
Result<size_t> read_fully(const OpenFile& file, uint64_t offset, base::MutableBytes into) {
  size_t done = 0;
  while (done < into.size()) {
    const ssize_t got = restarting([&] {
      return ::pread(file.fd.get(), into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    });
    if (got < 0) return storage_error("read", file.path, errno);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

struct CachedRead {
  size_t bytes = 0;
  int os_error = 0;  // EAGAIN: what follows `bytes` is not in the page cache
};

// Reads what needs no wait for the disk. A file system without RWF_NOWAIT has nothing to offer here.
CachedRead read_cached(const OpenFile& file, uint64_t offset, base::MutableBytes into) {
  CachedRead result;
  while (result.bytes < into.size()) {
    const iovec rest{into.data() + result.bytes, into.size() - result.bytes};
    const ssize_t got = restarting(
        [&] { return ::preadv2(file.fd.get(), &rest, 1, static_cast<off_t>(offset + result.bytes), RWF_NOWAIT); });
    if (got < 0) {
      result.os_error = errno == EOPNOTSUPP ? EAGAIN : errno;
      return result;
    }
    if (got == 0) return result;
    result.bytes += static_cast<size_t>(got);
  }
  return result;
}

// cachestat(2), of Linux 6.5, for which this C library has no name.
constexpr long kCachestat = 451;
struct CacheRange {
  uint64_t offset;
  uint64_t bytes;
};
struct CacheState {
  uint64_t cached;
  uint64_t dirty;
  uint64_t in_writeback;
  uint64_t evicted;
  uint64_t recently_evicted;
};

// Pages of the file's range that are in the page cache; -1 where the system does not tell.
int64_t pages_cached(const OpenFile& file, uint64_t offset, size_t bytes) {
  CacheRange range{offset, bytes};
  CacheState state{};
  if (::syscall(kCachestat, file.fd.get(), &range, &state, 0) != 0) return -1;
  return static_cast<int64_t>(state.cached);
}

Result<void> write_fully(const OpenFile& file, uint64_t offset, std::span<const iovec> from) {
  std::array<iovec, 64> parts;
  size_t skip = 0;  // bytes of from[0] that are written
  while (!from.empty()) {
    const size_t count = std::min(parts.size(), from.size());
    std::copy_n(from.begin(), count, parts.begin());
    parts[0].iov_base = static_cast<std::byte*>(parts[0].iov_base) + skip;
    parts[0].iov_len -= skip;
    const ssize_t put = restarting(
        [&] { return ::pwritev(file.fd.get(), parts.data(), static_cast<int>(count), static_cast<off_t>(offset)); });
    if (put < 0) return storage_error("write", file.path, errno);
    offset += static_cast<uint64_t>(put);
    skip += static_cast<size_t>(put);
    bool moved = put > 0;
    while (!from.empty() && skip >= from.front().iov_len) {
      skip -= from.front().iov_len;
      from = from.subspan(1);
      moved = true;
    }
    if (!moved) return storage_error("write", file.path, ENOSPC);
  }
  return {};
}

class PosixFile final : public File {
 public:
  PosixFile(Shard& shard, OpenFilePointer file) : shard_(shard), file_(std::move(file)) {}

  Task<Result<void>> write(uint64_t offset, std::span<const iovec> from) override {
    ++shard_.counts().file_writes;
    co_return write_fully(*file_, offset, from);
  }

  Task<Result<size_t>> read(uint64_t offset, base::MutableBytes into) override {
    ++shard_.counts().file_reads;
    const CachedRead cached = read_cached(*file_, offset, into);
    if (cached.os_error == 0) co_return cached.bytes;
    if (cached.os_error != EAGAIN) co_return storage_error("read", file_->path, cached.os_error);
    ++shard_.counts().file_reads_missed;
    file_->missed();
    // The helper reads into bytes of its own: `into` may be gone before it is done.
    auto bytes = std::make_shared<base::ByteVector>(into.size() - cached.bytes);
    const uint64_t from = offset + cached.bytes;
    STELE_CO_TRY_ASSIGN(const size_t got, co_await off_loop(shard_, [file = file_, bytes, from] {
                          return read_fully(*file, from, *bytes);
                        }));
    std::copy_n(bytes->begin(), got, into.begin() + static_cast<std::ptrdiff_t>(cached.bytes));
    co_return cached.bytes + got;
  }

  Result<size_t> try_read(uint64_t offset, base::MutableBytes into) override {
    ++shard_.counts().file_reads;
    const CachedRead cached = read_cached(*file_, offset, into);
    if (cached.os_error == EAGAIN) file_->missed();
    if (cached.os_error != 0) return storage_error("read", file_->path, cached.os_error);
    return cached.bytes;
  }

  std::shared_ptr<const SharedFile> share() override {
    if (!shareable_) shareable_ = pages_cached(*file_, 0, 1) >= 0;
    return *shareable_ ? file_ : nullptr;
  }

  Task<Result<void>> sync() override {
    return off_loop(shard_, [file = file_]() -> Result<void> {
      if (restarting([&] { return ::fdatasync(file->fd.get()); }) < 0) return storage_error("sync", file->path, errno);
      return {};
    });
  }

  Task<Result<void>> truncate(uint64_t size) override {
    file_->cut();
    return off_loop(shard_, [file = file_, size]() -> Result<void> {
      const int result = restarting([&] { return ::ftruncate(file->fd.get(), static_cast<off_t>(size)); });
      const int os_error = errno;
      file->cut();  // what was found meanwhile is void too
      if (result < 0) return storage_error("truncate", file->path, os_error);
      return {};
    });
  }

  Result<uint64_t> size() const override {
    struct stat status{};
    if (::fstat(file_->fd.get(), &status) < 0) return storage_error("look at", file_->path, errno);
    return static_cast<uint64_t>(status.st_size);
  }

 private:
  Shard& shard_;
  OpenFilePointer file_;
  std::optional<bool> shareable_;
};

std::unique_ptr<File> OpenFile::file_on(Shard& shard) const {
  return std::make_unique<PosixFile>(shard, shared_from_this());
}

int flags_of(OpenMode mode) {
  switch (mode) {
    case OpenMode::kRead:
      return O_RDONLY;
    case OpenMode::kReadWrite:
      return O_RDWR;
    case OpenMode::kCreate:
      return O_RDWR | O_CREAT;
    case OpenMode::kCreateNew:
      return O_RDWR | O_CREAT | O_EXCL;
  }
  return O_RDONLY;
}

Result<OpenFilePointer> open_file(const std::string& path, OpenMode mode) {
  Descriptor fd{restarting([&] { return ::open(path.c_str(), flags_of(mode) | O_CLOEXEC, 0644); })};
  if (!fd.open()) return storage_error("open", path, errno);
  struct stat status{};
  if (::fstat(fd.get(), &status) < 0) return storage_error("look at", path, errno);
  if (S_ISDIR(status.st_mode)) return storage_error("open", path, EISDIR);
  return OpenFilePointer{std::make_shared<OpenFile>(std::move(fd), path)};
}

// The whole of a file that has at most `bytes_max` bytes.
Result<base::ByteVector> read_file(const std::string& path, uint64_t bytes_max) {
  STELE_TRY_ASSIGN(const OpenFilePointer file, open_file(path, OpenMode::kRead));
  struct stat status{};
  if (::fstat(file->fd.get(), &status) < 0) return storage_error("look at", path, errno);
  const auto size = static_cast<uint64_t>(status.st_size);
  if (size > bytes_max) return storage_error("read", path, EFBIG);
  base::ByteVector content(size);
  STELE_TRY_ASSIGN(const size_t got, read_fully(*file, 0, content));
  content.resize(got);
  return content;
}

// The directory, open where that is allowed.
Result<Descriptor> make_directory(const std::string& path, bool create) {
  std::error_code failed;
  if (create) std::filesystem::create_directories(path, failed);
  if (failed) return storage_error("create directory", path, failed.value());
  struct stat status{};
  if (::stat(path.c_str(), &status) < 0) return storage_error("open directory", path, errno);
  if (!S_ISDIR(status.st_mode)) return storage_error("open directory", path, ENOTDIR);
  return Descriptor{restarting([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); })};
}

Result<std::vector<Entry>> list_directory(const std::string& path) {
  DIR* directory = ::opendir(path.c_str());
  if (directory == nullptr) return storage_error("list", path, errno);
  std::vector<Entry> entries;
  int os_error = 0;
  while (true) {
    errno = 0;
    const dirent* found = ::readdir(directory);  // NOLINT(concurrency-mt-unsafe): the stream is ours alone
    if (found == nullptr) {
      os_error = errno;
      break;
    }
    const std::string_view name{found->d_name};
    if (name == "." || name == "..") continue;
    struct stat status{};
    // Gone since it was listed: it is not there. A dangling link is listed as an empty file.
    if (::fstatat(::dirfd(directory), found->d_name, &status, 0) < 0 &&
        ::fstatat(::dirfd(directory), found->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
      continue;
    }
    const bool is_directory = S_ISDIR(status.st_mode);
    entries.push_back({std::string{name}, is_directory, is_directory ? 0 : static_cast<uint64_t>(status.st_size)});
  }
  ::closedir(directory);
  if (os_error != 0) return storage_error("list", path, os_error);
  std::ranges::sort(entries, {}, &Entry::name);
  return entries;
}

Result<void> sync_directory(const std::string& path) {
  const Descriptor fd{restarting([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); })};
  if (!fd.open()) return storage_error("open directory", path, errno);
  if (restarting([&] { return ::fsync(fd.get()); }) < 0) return storage_error("sync directory", path, errno);
  return {};
}

Result<void> replace_file(const std::string& path, const base::ByteVector& content, bool synced) {
  const std::string draft = path + ".tmp";
  {
    const Descriptor fd{
        restarting([&] { return ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644); })};
    if (!fd.open()) return storage_error("open", draft, errno);
    for (size_t done = 0; done < content.size();) {
      const ssize_t put = restarting([&] { return ::write(fd.get(), content.data() + done, content.size() - done); });
      if (put < 0) return storage_error("write", draft, errno);
      if (put == 0) return storage_error("write", draft, ENOSPC);
      done += static_cast<size_t>(put);
    }
    if (synced && restarting([&] { return ::fdatasync(fd.get()); }) < 0) return storage_error("sync", draft, errno);
  }
  if (::rename(draft.c_str(), path.c_str()) < 0) {
    return storage_error("rename", fmt::format("{} to {}", draft, path), errno);
  }
  return synced ? sync_directory(std::filesystem::path{path}.parent_path().string()) : Result<void>{};
}

Result<void> sync_file_system(int fd, const std::string& path) {
  // It tells of every write of this file system that failed since `fd` was opened, or was told to nobody (Linux 5.8).
  if (restarting([&] { return ::syncfs(fd); }) < 0) return storage_error("sync", path, errno);
  return {};
}

// A link below the directory may lead to another file system.
Result<void> sync_all_below(int fd, const std::string& path) {
  STELE_TRY(sync_file_system(fd, path));
  std::error_code failed;
  for (std::filesystem::directory_iterator at{path, failed}, end; !failed && at != end; at.increment(failed)) {
    if (!at->is_symlink(failed)) continue;
    const std::string target = at->path().string();
    const Descriptor link{restarting([&] { return ::open(target.c_str(), O_RDONLY | O_CLOEXEC); })};
    if (link.open()) STELE_TRY(sync_file_system(link.get(), target));
  }
  if (failed) return storage_error("list", path, failed.value());
  return {};
}

class PosixLock final : public FileLock {
 public:
  PosixLock(Descriptor guard, Descriptor file) : guard_(std::move(guard)), file_(std::move(file)) {}

 private:
  Descriptor guard_;
  Descriptor file_;
};

// A POSIX lock, which is what Java takes, belongs to the process: taken twice in one process it succeeds, and closing
// any descriptor of the file gives it up. A flock on the directory, taken first, keeps a second taker of this process
// from touching the file.
Result<std::unique_ptr<FileLock>> take_lock(const std::string& path) {
  const std::string parent = std::filesystem::path{path}.parent_path().string();
  Descriptor guard{restarting([&] { return ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); })};
  if (!guard.open()) return storage_error("open directory", parent, errno);
  if (::flock(guard.get(), LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
    return Error{base::ErrorCode::kKafkaStorageError, fmt::format("{} is held by another broker", path), EAGAIN};
  }
  Descriptor file{restarting([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644); })};
  if (!file.open()) return storage_error("open", path, errno);
  struct flock whole{};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(file.get(), F_SETLK, &whole) < 0) {
    const int os_error = errno;
    if (os_error == EACCES || os_error == EAGAIN) {
      return Error{base::ErrorCode::kKafkaStorageError, fmt::format("{} is held by another process", path), EAGAIN};
    }
    return storage_error("lock", path, os_error);
  }
  return std::unique_ptr<FileLock>{std::make_unique<PosixLock>(std::move(guard), std::move(file))};
}

class PosixDirectory final : public Directory {
 public:
  PosixDirectory(Shard& shard, std::string path, Descriptor fd)
      : shard_(shard), path_(std::move(path)), fd_(std::make_shared<const Descriptor>(std::move(fd))) {}

  Task<Result<std::unique_ptr<File>>> open(std::string path, OpenMode mode) override {
    Shard& shard = shard_;
    STELE_CO_TRY_ASSIGN(OpenFilePointer file,
                        co_await off_loop(shard, [full = below(path), mode] { return open_file(full, mode); }));
    co_return std::unique_ptr<File>{std::make_unique<PosixFile>(shard, std::move(file))};
  }

  Task<Result<std::unique_ptr<Directory>>> open_directory(std::string path, bool create) override {
    return open_posix_directory(shard_, below(path), create);
  }

  Task<Result<std::vector<Entry>>> list(std::string path) override {
    return off_loop(shard_, [full = below(path)] { return list_directory(full); });
  }

  Task<Result<std::vector<FoundFile>>> read_directory(std::string path, uint64_t bytes_max) override {
    return off_loop(shard_, [full = below(path), bytes_max]() -> Result<std::vector<FoundFile>> {
      STELE_TRY_ASSIGN(std::vector<Entry> entries, list_directory(full));
      std::vector<FoundFile> found;
      found.reserve(entries.size());
      for (Entry& entry : entries) {
        FoundFile file{.entry = std::move(entry), .bytes = std::nullopt};
        if (!file.entry.directory && file.entry.size <= bytes_max) {
          auto bytes = read_file(full + "/" + file.entry.name, bytes_max);
          if (bytes.ok()) file.bytes = *std::move(bytes);
        }
        found.push_back(std::move(file));
      }
      return found;
    });
  }

  Task<std::vector<Result<base::ByteVector>>> read_each(std::vector<std::string> paths, uint64_t bytes_max) override {
    for (std::string& path : paths) path = below(path);
    return off_loop(shard_, [paths = std::move(paths), bytes_max] {
      std::vector<Result<base::ByteVector>> contents;
      contents.reserve(paths.size());
      for (const std::string& path : paths) contents.push_back(read_file(path, bytes_max));
      return contents;
    });
  }

  Task<Result<void>> replace(std::string path, base::ByteVector content, bool synced) override {
    return off_loop(shard_, [full = below(path), content = std::move(content), synced] {
      return replace_file(full, content, synced);
    });
  }

  Task<Result<void>> rename(std::string from, std::string to) override {
    return off_loop(shard_, [old_path = below(from), new_path = below(to)]() -> Result<void> {
      if (::rename(old_path.c_str(), new_path.c_str()) < 0) {
        return storage_error("rename", fmt::format("{} to {}", old_path, new_path), errno);
      }
      return {};
    });
  }

  Task<Result<void>> remove(std::string path) override {
    return off_loop(shard_, [full = below(path)]() -> Result<void> {
      if (::unlink(full.c_str()) < 0) return storage_error("remove", full, errno);
      return {};
    });
  }

  Task<Result<void>> remove_tree(std::string path) override {
    return off_loop(shard_, [full = below(path)]() -> Result<void> {
      std::error_code failed;
      std::filesystem::remove_all(full, failed);
      if (failed) return storage_error("remove", full, failed.value());
      return {};
    });
  }

  Task<Result<void>> sync(std::string path) override {
    return off_loop(shard_, [full = below(path)] { return sync_directory(full); });
  }

  Task<Result<void>> sync_all() override {
    return off_loop(shard_, [path = path_, fd = fd_]() -> Result<void> {
      if (fd->open()) return sync_all_below(fd->get(), path);
      const Descriptor now{restarting([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); })};
      if (!now.open()) return storage_error("open directory", path, errno);
      return sync_all_below(now.get(), path);
    });
  }

  Result<std::unique_ptr<FileLock>> lock(std::string path) override { return take_lock(below(path)); }

  Result<Space> space() const override {
    struct statvfs status{};
    if (::statvfs(path_.c_str(), &status) < 0) return storage_error("look at", path_, errno);
    return Space{.total_bytes = uint64_t{status.f_blocks} * status.f_frsize,
                 .usable_bytes = uint64_t{status.f_bavail} * status.f_frsize};
  }

  const std::string& path() const override { return path_; }

 private:
  std::string below(const std::string& path) const { return path.empty() ? path_ : path_ + "/" + path; }

  Shard& shard_;
  std::string path_;
  std::shared_ptr<const Descriptor> fd_;  // for sync_all(), which tells of what failed since; may be none
};

}  // namespace

bool in_page_cache(const SharedFile& file, uint64_t offset, size_t bytes) {
  const auto& open = static_cast<const OpenFile&>(file);
  const auto page_bytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const uint64_t pages = (offset + bytes + page_bytes - 1) / page_bytes - offset / page_bytes;
  const int64_t cached = bytes == 0 ? 0 : pages_cached(open, offset, bytes);
  if (cached >= 0 && static_cast<uint64_t>(cached) >= pages) return true;
  open.missed();
  return false;
}

int descriptor_of(const SharedFile& file) { return static_cast<const OpenFile&>(file).fd.get(); }

Task<Result<std::unique_ptr<Directory>>> open_posix_directory(Shard& shard, std::string path, bool create) {
  std::error_code failed;
  std::filesystem::path absolute = std::filesystem::absolute(path, failed).lexically_normal();
  if (failed) co_return storage_error("open directory", path, failed.value());
  if (!absolute.has_filename() && absolute.has_relative_path()) absolute = absolute.parent_path();
  const std::string full = absolute.string();
  STELE_CO_TRY_ASSIGN(Descriptor fd, co_await off_loop(shard, [full, create] { return make_directory(full, create); }));
  co_return std::unique_ptr<Directory>{std::make_unique<PosixDirectory>(shard, full, std::move(fd))};
}

}  // namespace stele::io
