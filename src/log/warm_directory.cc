#include "log/warm_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

namespace stele::log {

using base::Result;
using base::Task;

namespace {

base::Error absent(std::string_view operation, const std::string& path) {
  return {base::ErrorCode::kKafkaStorageError, fmt::format("cannot {} {}: No such file or directory", operation, path),
          ENOENT};
}

}  // namespace

// Bytes that were read before, until it is changed.
class WarmDirectory::WarmFile final : public io::File {
 public:
  WarmFile(std::shared_ptr<Known> known, std::string path, io::OpenMode mode,
           std::shared_ptr<const base::ByteVector> bytes)
      : known_(std::move(known)), path_(std::move(path)), mode_(mode), bytes_(std::move(bytes)) {}

  Task<Result<void>> write(uint64_t offset, std::span<const iovec> from) override {
    STELE_CO_TRY(co_await go_cold());
    co_return co_await cold_->write(offset, from);
  }
  Task<Result<size_t>> read(uint64_t offset, base::MutableBytes into) override {
    if (cold_) co_return co_await cold_->read(offset, into);
    co_return copy(offset, into);
  }
  Result<size_t> try_read(uint64_t offset, base::MutableBytes into) override {
    return cold_ ? cold_->try_read(offset, into) : copy(offset, into);
  }
  Task<Result<void>> sync() override {
    STELE_CO_TRY(co_await go_cold());
    co_return co_await cold_->sync();
  }
  Task<Result<void>> truncate(uint64_t size) override {
    STELE_CO_TRY(co_await go_cold());
    co_return co_await cold_->truncate(size);
  }
  Result<uint64_t> size() const override { return cold_ ? cold_->size() : Result<uint64_t>{bytes_->size()}; }

 private:
  Result<size_t> copy(uint64_t offset, base::MutableBytes into) const {
    if (offset >= bytes_->size()) return size_t{0};
    const size_t bytes = std::min<size_t>(into.size(), bytes_->size() - offset);
    std::copy_n(bytes_->begin() + static_cast<std::ptrdiff_t>(offset), bytes, into.begin());
    return bytes;
  }

  Task<Result<void>> go_cold() {
    known_->contents.erase(path_);
    if (cold_) co_return Result<void>{};
    STELE_CO_TRY_ASSIGN(cold_, co_await known_->cold->open(path_, mode_));
    co_return Result<void>{};
  }

  std::shared_ptr<Known> known_;
  std::string path_;
  io::OpenMode mode_;
  std::shared_ptr<const base::ByteVector> bytes_;
  std::unique_ptr<io::File> cold_;
};

WarmDirectory::WarmDirectory(std::shared_ptr<io::Directory> cold, std::string name, std::vector<io::FoundFile> found)
    : cold_(std::move(cold)), name_(std::move(name)), prefix_(name_ + "/"), known_(std::make_shared<Known>()) {
  known_->cold = cold_;
  for (io::FoundFile& file : found) {
    if (file.bytes) {
      known_->contents.emplace(prefix_ + file.entry.name,
                               std::make_shared<const base::ByteVector>(*std::move(file.bytes)));
    }
    entries_.push_back(std::move(file.entry));
  }
}

std::vector<io::Entry>::iterator WarmDirectory::place_of(const std::string& path) {
  return std::ranges::lower_bound(entries_, std::string_view{path}.substr(prefix_.size()), {}, &io::Entry::name);
}

bool WarmDirectory::is_absent(const std::string& path) {
  if (!is_below(path) || entries_unknown_) return false;
  const auto at = place_of(path);
  return at == entries_.end() || std::string_view{path}.substr(prefix_.size()) != at->name;
}

void WarmDirectory::made(const std::string& path, uint64_t size) {
  known_->contents.erase(path);
  if (!is_below(path)) return;
  names_changed_ = true;
  if (is_absent(path)) {
    entries_.insert(place_of(path), io::Entry{path.substr(prefix_.size()), false, size});
  } else if (!entries_unknown_) {
    place_of(path)->size = size;
  }
}

void WarmDirectory::gone(const std::string& path) {
  known_->contents.erase(path);
  if (!is_below(path)) return;
  names_changed_ = true;
  if (!entries_unknown_ && !is_absent(path)) entries_.erase(place_of(path));
}

Task<Result<std::unique_ptr<io::File>>> WarmDirectory::open(std::string path, io::OpenMode mode) {
  if (mode == io::OpenMode::kCreate || mode == io::OpenMode::kCreateNew) {
    known_->contents.erase(path);
    if (entries_unknown_ || is_absent(path)) made(path, 0);
    auto opened = co_await cold_->open(path, mode);
    if (!opened.ok()) unknown();
    co_return opened;
  }
  const auto known = known_->contents.find(path);
  if (known != known_->contents.end()) {
    co_return std::unique_ptr<io::File>{std::make_unique<WarmFile>(known_, path, mode, known->second)};
  }
  if (is_absent(path)) co_return absent("open", path);
  co_return co_await cold_->open(std::move(path), mode);
}

Task<Result<std::unique_ptr<io::Directory>>> WarmDirectory::open_directory(std::string path, bool create) {
  unknown();
  return cold_->open_directory(std::move(path), create);
}

Task<Result<std::vector<io::Entry>>> WarmDirectory::list(std::string path) {
  if (path == name_ && !entries_unknown_) co_return entries_;
  co_return co_await cold_->list(std::move(path));
}

Task<Result<void>> WarmDirectory::replace(std::string path, base::ByteVector content, bool synced) {
  made(path, content.size());
  gone(path + ".tmp");  // where an earlier try had left its draft
  auto replaced = co_await cold_->replace(std::move(path), std::move(content), synced);
  if (!replaced.ok()) unknown();
  co_return replaced;
}

Task<Result<void>> WarmDirectory::rename(std::string from, std::string to) {
  if (is_absent(from)) co_return absent("rename", from);
  const uint64_t size = is_below(from) && !entries_unknown_ ? place_of(from)->size : 0;
  gone(from);
  made(to, size);
  auto renamed = co_await cold_->rename(std::move(from), std::move(to));
  if (!renamed.ok()) unknown();
  co_return renamed;
}

Task<Result<void>> WarmDirectory::remove(std::string path) {
  if (is_absent(path)) co_return absent("remove", path);
  gone(path);
  auto removed = co_await cold_->remove(std::move(path));
  if (!removed.ok()) unknown();
  co_return removed;
}

Task<Result<void>> WarmDirectory::remove_tree(std::string path) {
  known_->contents.clear();
  unknown();
  return cold_->remove_tree(std::move(path));
}

}  // namespace stele::log
