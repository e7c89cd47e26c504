#include "io/sim/sim_disk.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

namespace stele::io {

using base::Error;
using base::Result;

namespace {

Error storage_error(std::string_view operation, const std::string& path, int os_error) {
  return Error{base::ErrorCode::kKafkaStorageError,
               fmt::format("cannot {} {}: {}", operation, path, std::generic_category().message(os_error)), os_error};
}

void apply_to(base::ByteVector& image, const SimFileNode::Operation& operation) {
  if (operation.truncates) {
    image.resize(operation.offset);
    return;
  }
  if (operation.bytes.empty()) return;
  image.resize(std::max<size_t>(image.size(), operation.offset + operation.bytes.size()));
  std::ranges::copy(operation.bytes, image.begin() + static_cast<std::ptrdiff_t>(operation.offset));
}

void lose_unsynced(SimDirectoryNode& directory) {
  directory.view = directory.durable;
  directory.unsynced.clear();
  for (auto& [name, node] : directory.view) {
    if (node.directory) lose_unsynced(*node.directory);
    if (node.file) {
      node.file->view = node.file->durable;
      node.file->synced_operations = node.file->operations();
      node.file->unsynced.clear();
    }
  }
}

}  // namespace

void SimFileNode::apply(Operation operation) {
  apply_to(view, operation);
  unsynced.push_back(std::move(operation));
}

void SimFileNode::sync_up_to(uint64_t operation) {
  while (synced_operations < operation && !unsynced.empty()) {
    apply_to(durable, unsynced.front());
    unsynced.pop_front();
    ++synced_operations;
  }
}

void SimDirectoryNode::set(const std::string& name, SimNode target) {
  if (target.there()) {
    view[name] = target;
  } else {
    view.erase(name);
  }
  unsynced.push_back({name, std::move(target)});
}

void SimDirectoryNode::sync() {
  durable = view;
  unsynced.clear();
}

void SimDisk::lose_power() {
  locked_.clear();
  lose_unsynced(*root_);
}

SimNode SimDisk::find(const std::string& path) {
  SimNode at{.file = nullptr, .directory = root_};
  for (const auto& part : std::filesystem::path{path}.relative_path()) {
    if (part.empty()) continue;
    if (!at.directory) return {};
    const auto found = at.directory->view.find(part.string());
    if (found == at.directory->view.end()) return {};
    at = found->second;
  }
  return at;
}

Result<SimDisk::Place> SimDisk::find_parent(const std::string& path) {
  const std::filesystem::path whole{path};
  const SimNode parent = find(whole.parent_path().string());
  if (!parent.there()) return storage_error("find", path, ENOENT);
  if (!parent.directory) return storage_error("find", path, ENOTDIR);
  return Place{parent.directory, whole.filename().string()};
}

Result<std::shared_ptr<SimFileNode>> SimDisk::open(const std::string& path, OpenMode mode) {
  STELE_TRY_ASSIGN(const Place place, find_parent(path));
  const auto found = place.parent->view.find(place.name);
  if (found != place.parent->view.end()) {
    if (mode == OpenMode::kCreateNew) return storage_error("open", path, EEXIST);
    if (!found->second.file) return storage_error("open", path, EISDIR);
    return found->second.file;
  }
  if (mode == OpenMode::kRead || mode == OpenMode::kReadWrite) return storage_error("open", path, ENOENT);
  auto file = std::make_shared<SimFileNode>();
  place.parent->set(place.name, {.file = file, .directory = nullptr});
  return file;
}

Result<void> SimDisk::make_directory(const std::string& path, bool create) {
  std::shared_ptr<SimDirectoryNode> at = root_;
  for (const auto& part : std::filesystem::path{path}.relative_path()) {
    if (part.empty()) continue;
    SimNode next = at->view[part.string()];
    if (!next.there()) {
      at->view.erase(part.string());
      if (!create) return storage_error("open directory", path, ENOENT);
      next.directory = std::make_shared<SimDirectoryNode>();
      at->set(part.string(), next);
    }
    if (!next.directory) return storage_error("open directory", path, ENOTDIR);
    at = next.directory;
  }
  return {};
}

Result<std::vector<Entry>> SimDisk::list(const std::string& path) {
  const SimNode node = find(path);
  if (!node.directory) return storage_error("list", path, node.there() ? ENOTDIR : ENOENT);
  std::vector<Entry> entries;
  for (const auto& [name, child] : node.directory->view) {
    entries.push_back({name, child.directory != nullptr, child.file ? child.file->view.size() : 0});
  }
  return entries;
}

Result<void> SimDisk::rename(const std::string& from, const std::string& to) {
  STELE_TRY_ASSIGN(const Place source, find_parent(from));
  STELE_TRY_ASSIGN(const Place target, find_parent(to));
  const SimNode moved = find(from);
  const SimNode replaced = find(to);
  if (!moved.there()) return storage_error("rename", from, ENOENT);
  if (replaced.directory && !moved.directory) return storage_error("rename", to, EISDIR);
  if (replaced.file && moved.directory) return storage_error("rename", to, ENOTDIR);
  if (replaced.directory && !replaced.directory->view.empty()) return storage_error("rename", to, ENOTEMPTY);
  if (from == to) return {};
  source.parent->set(source.name, {});
  target.parent->set(target.name, moved);
  return {};
}

Result<void> SimDisk::remove(const std::string& path) {
  STELE_TRY_ASSIGN(const Place place, find_parent(path));
  const SimNode node = find(path);
  if (!node.file) return storage_error("remove", path, node.there() ? EISDIR : ENOENT);
  place.parent->set(place.name, {});
  return {};
}

Result<void> SimDisk::remove_tree(const std::string& path) {
  if (!find(path).there()) return {};
  STELE_TRY_ASSIGN(const Place place, find_parent(path));
  place.parent->set(place.name, {});
  return {};
}

Result<void> SimDisk::sync_directory(const std::string& path) {
  const SimNode node = find(path);
  if (!node.directory) return storage_error("sync directory", path, node.there() ? ENOTDIR : ENOENT);
  node.directory->sync();
  return {};
}

Result<void> SimDisk::lock(const std::string& path) {
  STELE_TRY(open(path, OpenMode::kCreate));
  if (!locked_.insert(path).second) {
    return Error{base::ErrorCode::kKafkaStorageError, fmt::format("{} is held by another process", path), EAGAIN};
  }
  return {};
}

}  // namespace stele::io
