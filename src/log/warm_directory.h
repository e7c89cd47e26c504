// A log dir as the opening of one partition sees it: what the partition's directory holds was read in one go
// (io::Directory::read_directory), so that looking at unchanged files costs no further call. Everything else, and
// every change, goes to the log dir itself. For the one who owns the partition's directory, and no longer than the
// opening lasts: a file that it gave tells for ever what was read.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/file.h"

namespace stele::log {

class WarmDirectory final : public io::Directory {
 public:
  // Larger files are read where they are needed.
  static constexpr uint64_t kFileMax = 32 * 1024;

  // `name` is the partition's directory below `cold`, `found` what it holds.
  WarmDirectory(std::shared_ptr<io::Directory> cold, std::string name, std::vector<io::FoundFile> found);

  base::Task<base::Result<std::unique_ptr<io::File>>> open(std::string path, io::OpenMode mode) override;
  base::Task<base::Result<std::unique_ptr<io::Directory>>> open_directory(std::string path, bool create) override;
  base::Task<base::Result<std::vector<io::Entry>>> list(std::string path) override;
  base::Task<base::Result<void>> replace(std::string path, base::ByteVector content, bool synced) override;
  base::Task<base::Result<void>> rename(std::string from, std::string to) override;
  base::Task<base::Result<void>> remove(std::string path) override;
  base::Task<base::Result<void>> remove_tree(std::string path) override;
  base::Task<base::Result<void>> sync(std::string path) override { return cold_->sync(std::move(path)); }
  base::Task<base::Result<void>> sync_all() override { return cold_->sync_all(); }
  base::Result<std::unique_ptr<io::FileLock>> lock(std::string path) override { return cold_->lock(std::move(path)); }
  base::Result<io::Space> space() const override { return cold_->space(); }
  const std::string& path() const override { return cold_->path(); }

  const std::shared_ptr<io::Directory>& cold() const { return cold_; }
  // Names were made, changed or removed.
  bool names_changed() const { return names_changed_; }

 private:
  class WarmFile;
  // Shared with the files, which may be closed after this has gone.
  struct Known {
    std::shared_ptr<io::Directory> cold;
    std::map<std::string, std::shared_ptr<const base::ByteVector>, std::less<>> contents;  // by path; null: not read
  };

  bool is_below(const std::string& path) const { return path.starts_with(prefix_); }
  std::vector<io::Entry>::iterator place_of(const std::string& path);
  bool is_absent(const std::string& path);
  // A name below the partition's directory is made or replaced, or taken away; nothing where that failed: nobody knows.
  void made(const std::string& path, uint64_t size);
  void gone(const std::string& path);
  void unknown() { names_changed_ = entries_unknown_ = true; }

  std::shared_ptr<io::Directory> cold_;
  std::string name_;
  std::string prefix_;
  std::vector<io::Entry> entries_;
  std::shared_ptr<Known> known_;
  bool names_changed_ = false;
  bool entries_unknown_ = false;
};

}  // namespace stele::log
