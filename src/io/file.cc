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
  const std::string draft = path + ".tmp";
  {
    STELE_CO_TRY_ASSIGN(const std::unique_ptr<File> file, co_await directory.open(draft, OpenMode::kCreate));
    STELE_CO_TRY(co_await file->truncate(0));
    const iovec whole{content.data(), content.size()};
    STELE_CO_TRY(co_await file->write(0, {&whole, 1}));
    STELE_CO_TRY(co_await file->sync());
  }
  STELE_CO_TRY(co_await directory.rename(draft, path));
  const size_t slash = path.rfind('/');
  co_return co_await directory.sync(slash == std::string::npos ? "" : path.substr(0, slash));
}

}  // namespace stele::io
