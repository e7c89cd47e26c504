#include "io/file.h"

#include <fmt/format.h>

#include <cerrno>

namespace stele::io {

base::Task<base::Result<base::ByteVector>> read_whole(Directory& directory, std::string path, uint64_t bytes_max) {
  STELE_CO_TRY_ASSIGN(const std::unique_ptr<File> file, co_await directory.open(path, OpenMode::kRead));
  STELE_CO_TRY_ASSIGN(const uint64_t size, file->size());
  if (size > bytes_max) {
    co_return base::Error{
        base::ErrorCode::kKafkaStorageError,
        fmt::format("{}/{} has {} bytes, more than the {} allowed", directory.path(), path, size, bytes_max), EFBIG};
  }
  base::ByteVector content(size);
  STELE_CO_TRY_ASSIGN(const size_t got, co_await file->read(0, content));
  content.resize(got);
  co_return content;
}

base::Task<base::Result<void>> write_atomically(Directory& directory, std::string path, base::ByteVector content) {
  return directory.replace(std::move(path), std::move(content), true);
}

base::Task<base::Result<std::vector<FoundFile>>> Directory::read_directory(std::string path, uint64_t bytes_max) {
  STELE_CO_TRY_ASSIGN(const std::vector<Entry> entries, co_await list(path));
  std::vector<FoundFile> found;
  for (const Entry& entry : entries) {
    FoundFile file{.entry = entry, .bytes = std::nullopt};
    if (!entry.directory && entry.size <= bytes_max) {
      const std::string below = path.empty() ? entry.name : path + "/" + entry.name;
      auto bytes = co_await read_whole(*this, below, bytes_max);
      if (bytes.ok()) file.bytes = *std::move(bytes);
    }
    found.push_back(std::move(file));
  }
  co_return found;
}

base::Task<std::vector<base::Result<base::ByteVector>>> Directory::read_each(std::vector<std::string> paths,
                                                                             uint64_t bytes_max) {
  std::vector<base::Result<base::ByteVector>> contents;
  for (const std::string& path : paths) contents.push_back(co_await read_whole(*this, path, bytes_max));
  co_return contents;
}

base::Task<base::Result<void>> Directory::replace(std::string path, base::ByteVector content, bool synced) {
  const std::string draft = path + ".tmp";
  {
    STELE_CO_TRY_ASSIGN(const std::unique_ptr<File> file, co_await open(draft, OpenMode::kCreate));
    STELE_CO_TRY(co_await file->truncate(0));
    const iovec whole{content.data(), content.size()};
    STELE_CO_TRY(co_await file->write(0, {&whole, 1}));
    if (synced) STELE_CO_TRY(co_await file->sync());
  }
  STELE_CO_TRY(co_await rename(draft, path));
  if (!synced) co_return base::Result<void>{};
  const size_t slash = path.rfind('/');
  co_return co_await sync(slash == std::string::npos ? "" : path.substr(0, slash));
}

}  // namespace stele::io
