// Ports for files and directories. Paths are relative to the Directory they are given to, with '/' between names.
// Calls are made on one shard; a call of one File may overlap another's. Errors carry KAFKA_STORAGE_ERROR, the path and
// errno; "not found" is os_error ENOENT. Every Task runs the operation to its end even when its awaiting frame is
// destroyed.
#pragma once

#include <sys/uio.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/task.h"

namespace stele::io {

class File;
class Shard;

// What a File has open, for the streams of every shard to send from (Stream::try_send). Keeps it open, under whatever
// name. Its counts may be read on any shard.
class SharedFile {
 public:
  virtual ~SharedFile() = default;
  // The same open file, for calls on `shard`, which is the one that asks.
  virtual std::unique_ptr<File> file_on(Shard& shard) const = 0;
  // How often bytes were looked for in the page cache, through this open file, and were not there.
  uint64_t misses() const { return misses_.load(std::memory_order_acquire); }
  // How often it was truncated: bytes behind the cut may be others now.
  uint64_t cuts() const { return cuts_.load(std::memory_order_acquire); }

 protected:
  void missed() const { misses_.fetch_add(1, std::memory_order_acq_rel); }
  void cut() const { cuts_.fetch_add(1, std::memory_order_acq_rel); }

 private:
  mutable std::atomic<uint64_t> misses_{0};
  mutable std::atomic<uint64_t> cuts_{0};
};

// Bytes of a file that are to be sent as they are.
struct FileRange {
  std::shared_ptr<const SharedFile> file;  // null: nothing
  uint64_t offset = 0;
  size_t bytes = 0;
  uint64_t cuts = 0;  // of the file when the range was found: it is void once it has more
};

enum class OpenMode {
  kRead,       // must exist
  kReadWrite,  // must exist
  kCreate,     // read and write; made if absent
  kCreateNew,  // read and write; must not exist
};

class File {
 public:
  // Closes. Data not synced stays in the kernel (or, in a simulated crash, is lost).
  virtual ~File() = default;

  // Writes all of it at `offset` into the page cache, inline on the shard. After an error any prefix may be there.
  virtual base::Task<base::Result<void>> write(uint64_t offset, std::span<const iovec> from) = 0;
  // Reads up to into.size() bytes; fewer only at the end of the file.
  virtual base::Task<base::Result<size_t>> read(uint64_t offset, base::MutableBytes into) = 0;
  // The same, but answers EAGAIN in os_error at once where the bytes are not in the page cache.
  virtual base::Result<size_t> try_read(uint64_t offset, base::MutableBytes into) = 0;
  // Null where its bytes cannot be sent: the system does not tell what of a file is in the page cache.
  virtual std::shared_ptr<const SharedFile> share() { return nullptr; }
  // Data, and the metadata needed to read it back, are on stable storage on return. After an error the state of every
  // write since the last good sync is unknown, and a later success says nothing about them: never retry.
  virtual base::Task<base::Result<void>> sync() = 0;
  // Cuts or extends with zeros.
  virtual base::Task<base::Result<void>> truncate(uint64_t size) = 0;
  virtual base::Result<uint64_t> size() const = 0;
};

struct Entry {
  std::string name;
  bool directory = false;
  uint64_t size = 0;
};

// An entry with its content.
struct FoundFile {
  Entry entry;
  std::optional<base::ByteVector> bytes;  // nothing: a directory, a file that is too large or cannot be read
};

struct Space {
  uint64_t total_bytes = 0;
  uint64_t usable_bytes = 0;
};

// A held lock file; gives the lock back when destroyed.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class Directory {
 public:
  virtual ~Directory() = default;

  virtual base::Task<base::Result<std::unique_ptr<File>>> open(std::string path, OpenMode mode) = 0;
  // A directory below this one; made (with its parents) where `create` says so.
  virtual base::Task<base::Result<std::unique_ptr<Directory>>> open_directory(std::string path, bool create) = 0;
  // Sorted by name, without "." and "..".
  virtual base::Task<base::Result<std::vector<Entry>>> list(std::string path = "") = 0;
  // What list() answers, with the content of each file of at most `bytes_max` bytes. In production it costs one turn of
  // a helper thread, whatever there is: a start opens thousands of directories that hold a handful of small files.
  virtual base::Task<base::Result<std::vector<FoundFile>>> read_directory(std::string path, uint64_t bytes_max);
  // read_whole() of each, in their order; one turn of a helper thread in production.
  virtual base::Task<std::vector<base::Result<base::ByteVector>>> read_each(std::vector<std::string> paths,
                                                                            uint64_t bytes_max);
  // Writes `<path>.tmp` and renames it over `path`. Synced: content, then name, so that after a crash the old or the
  // new content stands. Not synced: so after a crash of the process; a power loss may leave anything at `path` until
  // sync_all() has returned.
  virtual base::Task<base::Result<void>> replace(std::string path, base::ByteVector content, bool synced);
  // Replaces an existing file. On stable storage only after sync() of the directories concerned.
  virtual base::Task<base::Result<void>> rename(std::string from, std::string to) = 0;
  virtual base::Task<base::Result<void>> remove(std::string path) = 0;  // a file; absent is ENOENT
  virtual base::Task<base::Result<void>> remove_tree(std::string path) = 0;
  // The entries of this directory (or of the one at `path`) are on stable storage on return.
  virtual base::Task<base::Result<void>> sync(std::string path = "") = 0;
  // Contents and names of everything below this directory that were written before the call are on stable storage on
  // return; so may be what else the file system holds. One call for thousands of files. An error means what it means of
  // File::sync().
  virtual base::Task<base::Result<void>> sync_all() = 0;
  // Takes an exclusive lock as java.nio's FileChannel.tryLock does (fcntl); an error where another process holds it.
  virtual base::Result<std::unique_ptr<FileLock>> lock(std::string path) = 0;
  virtual base::Result<Space> space() const = 0;
  virtual const std::string& path() const = 0;  // for messages: absolute in production
};

// Whole-file conveniences over the ports.
base::Task<base::Result<base::ByteVector>> read_whole(Directory& directory, std::string path, uint64_t bytes_max);
// replace(), synced.
base::Task<base::Result<void>> write_atomically(Directory& directory, std::string path, base::ByteVector content);

}  // namespace stele::io
