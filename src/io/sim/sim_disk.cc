#include "io/sim/sim_disk.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "io/sim/seeds.h"

namespace stele::io {

using base::Error;
using base::Result;

namespace {

Error storage_error(std::string_view operation, std::string_view path, int os_error) {
  return Error{base::ErrorCode::kKafkaStorageError,
               fmt::format("cannot {} {}: {}", operation, path, std::generic_category().message(os_error)), os_error};
}

// Takes the first name off the path; empty at its end.
std::string_view take_name(std::string_view& path) {
  const size_t start = std::min(path.find_first_not_of('/'), path.size());
  const size_t end = std::min(path.find('/', start), path.size());
  const std::string_view name = path.substr(start, end - start);
  path.remove_prefix(end);
  return name;
}

bool is_below(std::string_view path, std::string_view prefix) {
  return prefix == "/" || (path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/'));
}

void set_named(const SimNode& node, bool named) {
  if (node.file) node.file->set_named(named);
}

template <class F>
void each_file(const SimDirectoryNode& directory, const std::string& path, const F& call) {
  for (const auto& [name, node] : directory.view) {
    const std::string full = path + "/" + name;
    if (node.file) call(full, node.file);
    if (node.directory) each_file(*node.directory, full, call);
  }
}

template <class F>
void each_directory(SimDirectoryNode& directory, const F& call) {
  call(directory);
  for (const auto& [name, node] : directory.view) {
    if (node.directory) each_directory(*node.directory, call);
  }
}

void lose_names(SimDirectoryNode& directory, const PowerLoss& how, Chance& draws) {
  if (how.keeps_names) {
    directory.unsynced.resize(draws.below(directory.unsynced.size() + 1));
  } else {
    directory.unsynced.clear();
  }
  directory.sync();
  directory.view = directory.durable;
  for (const auto& [name, node] : directory.view) {
    if (node.directory) lose_names(*node.directory, how, draws);
    if (node.file) node.file->lose_power(how, draws);
  }
}

}  // namespace

SimDevice::SimDevice(std::string below, uint64_t seed)
    : prefix(std::move(below)),
      write_error(derive_seed(seed, 1)),
      short_write(derive_seed(seed, 2)),
      sync_error(derive_seed(seed, 3)),
      directory_error(derive_seed(seed, 4)),
      read_error(derive_seed(seed, 5)),
      flipped_read(derive_seed(seed, 6)),
      cache_miss(derive_seed(seed, 7)),
      send_miss(derive_seed(seed, 10)),
      slow(derive_seed(seed, 8)),
      stuck(derive_seed(seed, 9)) {}

base::Duration SimDevice::delay() {
  if (stuck.comes_true(faults.stuck)) return faults.stuck_for;
  if (slow.comes_true(faults.slow)) return slow.up_to(faults.slow_longest);
  return {};
}

uint64_t SimDevice::room() const {
  if (!faults.capacity_bytes) return UINT64_MAX;
  return *faults.capacity_bytes - std::min(*faults.capacity_bytes, used_bytes);
}

void SimDirectoryNode::apply(Operation operation) {
  if (!operation.gone.empty()) view.erase(operation.gone);
  if (!operation.name.empty()) view.insert_or_assign(operation.name, operation.target);
  unsynced.push_back(std::move(operation));
}

void SimDirectoryNode::sync() {
  for (Operation& operation : unsynced) {
    if (!operation.gone.empty()) durable.erase(operation.gone);
    if (!operation.name.empty()) durable.insert_or_assign(std::move(operation.name), std::move(operation.target));
  }
  unsynced.clear();
}

SimDisk::SimDisk(uint64_t seed) : seed_(seed), power_loss_(derive_seed(seed, 1)) {
  devices_.push_back(std::make_unique<SimDevice>("/", derive_seed(seed, 2)));
}

SimDevice& SimDisk::device_of(std::string_view path) {
  return **std::ranges::find_if(devices_, [path](const auto& device) { return is_below(path, device->prefix); });
}

void SimDisk::set_faults(const std::string& below, const DiskFaults& faults) {
  const auto known = std::ranges::find(devices_, below, [](const auto& device) { return device->prefix; });
  if (known != devices_.end()) {
    (*known)->faults = faults;
    return;
  }
  auto device = std::make_unique<SimDevice>(below, derive_seed(seed_, hash_of(below)));
  device->faults = faults;
  devices_.push_back(std::move(device));
  std::ranges::sort(devices_, std::greater<>{}, [](const auto& at) { return at->prefix.size(); });
  each_file(*root_, "", [this](const std::string& path, const auto& file) { file->move_to(device_of(path)); });
}

void SimDisk::set_faults(const DiskFaults& faults) {
  for (const auto& device : devices_) device->faults = faults;
}

void SimDisk::count(std::map<std::string, BranchCount>& counts) const {
  const auto add = [&counts](const char* name, const Chance& chance) { counts[name] += chance.count(); };
  add("disk.power_loss", power_loss_);
  for (const auto& device : devices_) {
    add("disk.write_error", device->write_error);
    add("disk.short_write", device->short_write);
    add("disk.sync_error", device->sync_error);
    add("disk.directory_error", device->directory_error);
    add("disk.read_error", device->read_error);
    add("disk.flipped_read", device->flipped_read);
    add("disk.cache_miss", device->cache_miss);
    add("disk.send_miss", device->send_miss);
    add("disk.slow", device->slow);
    add("disk.stuck", device->stuck);
    counts["disk.no_space"] += device->no_space;
  }
}

void SimDisk::lose_power(const PowerLoss& how) {
  power_loss_.comes_true(kAlways);
  locked_.clear();
  each_file(*root_, "", [](const std::string&, const auto& file) { file->set_named(false); });
  lose_names(*root_, how, power_loss_);
  each_file(*root_, "", [](const std::string&, const auto& file) { file->set_named(true); });
}

bool SimDisk::flip_bit(const std::string& path, uint64_t offset, uint32_t bit) {
  const SimNode node = find(path);
  return node.file && node.file->flip_bit(offset, bit);
}

std::vector<std::string> SimDisk::files(const std::string& below) {
  std::vector<std::string> paths;
  each_file(*root_, "", [&](const std::string& path, const auto&) {
    if (is_below(path, below)) paths.push_back(path);
  });
  return paths;
}

std::optional<base::ByteVector> SimDisk::contents(const std::string& path) {
  const SimNode node = find(path);
  if (!node.file) return std::nullopt;
  return node.file->view();
}

SimNode SimDisk::find(std::string_view path) {
  SimNode at{.file = nullptr, .directory = root_};
  for (std::string_view name = take_name(path); !name.empty(); name = take_name(path)) {
    if (!at.directory) return {};
    const auto found = at.directory->view.find(name);
    if (found == at.directory->view.end()) return {};
    at = SimNode{found->second};
  }
  return at;
}

Result<SimDisk::Place> SimDisk::find_parent(const std::string& path) {
  const size_t cut = path.rfind('/');
  const SimNode parent = find(std::string_view{path}.substr(0, cut));
  if (!parent.there()) return storage_error("find", path, ENOENT);
  if (!parent.directory) return storage_error("find", path, ENOTDIR);
  return Place{parent.directory, path.substr(cut + 1)};
}

Result<void> SimDisk::may_look(std::string_view operation, const std::string& path) {
  SimDevice& device = device_of(path);
  if (device.directory_error.comes_true(device.faults.directory_error)) return storage_error(operation, path, EIO);
  return {};
}

Result<void> SimDisk::may_change(std::string_view operation, const std::string& path) {
  if (device_of(path).faults.read_only) return storage_error(operation, path, EROFS);
  return may_look(operation, path);
}

Result<std::shared_ptr<SimFileNode>> SimDisk::open(const std::string& path, OpenMode mode) {
  STELE_TRY_ASSIGN(const Place place, find_parent(path));
  const auto found = place.parent->view.find(place.name);
  SimDevice& device = device_of(path);
  if (found != place.parent->view.end()) {
    if (mode == OpenMode::kCreateNew) return storage_error("open", path, EEXIST);
    if (!found->second.file) return storage_error("open", path, EISDIR);
    if (mode != OpenMode::kRead && device.faults.read_only) return storage_error("open", path, EROFS);
    return found->second.file;
  }
  if (mode == OpenMode::kRead || mode == OpenMode::kReadWrite) return storage_error("open", path, ENOENT);
  STELE_TRY(may_change("create", path));
  if (device.full()) {
    device.no_space.happened();
    return storage_error("create", path, ENOSPC);
  }
  auto file = std::make_shared<SimFileNode>(device);
  file->set_named(true);
  place.parent->apply({.gone = {}, .name = place.name, .target = {.file = file, .directory = nullptr}});
  return file;
}

Result<void> SimDisk::make_directory(const std::string& path, bool create) {
  std::shared_ptr<SimDirectoryNode> at = root_;
  std::string_view rest = path;
  for (std::string_view name = take_name(rest); !name.empty(); name = take_name(rest)) {
    const auto found = at->view.find(name);
    if (found != at->view.end()) {
      if (!found->second.directory) return storage_error("open directory", path, ENOTDIR);
      at = std::shared_ptr{found->second.directory};
      continue;
    }
    if (!create) return storage_error("open directory", path, ENOENT);
    STELE_TRY(may_change("create directory", path));
    if (device_of(path).full()) return storage_error("create directory", path, ENOSPC);
    auto made = std::make_shared<SimDirectoryNode>();
    at->apply({.gone = {}, .name = std::string{name}, .target = {.file = nullptr, .directory = made}});
    at = std::move(made);
  }
  return {};
}

Result<std::vector<Entry>> SimDisk::list(const std::string& path) {
  STELE_TRY(may_look("list", path));
  const SimNode node = find(path);
  if (!node.directory) return storage_error("list", path, node.there() ? ENOTDIR : ENOENT);
  std::vector<Entry> entries;
  for (const auto& [name, child] : node.directory->view) {
    entries.push_back({name, child.directory != nullptr, child.file ? child.file->view().size() : 0});
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
  if (&device_of(from) != &device_of(to)) return storage_error("rename", from, EXDEV);
  STELE_TRY(may_change("rename", from));
  set_named(replaced, false);
  if (source.parent == target.parent) {
    source.parent->apply({.gone = source.name, .name = target.name, .target = moved});
    return {};
  }
  // A journal writes both directories in one transaction, after all that came before.
  source.parent->apply({.gone = source.name, .name = {}, .target = {}});
  target.parent->apply({.gone = {}, .name = target.name, .target = moved});
  source.parent->sync();
  target.parent->sync();
  return {};
}

Result<void> SimDisk::remove(const std::string& path) {
  STELE_TRY_ASSIGN(const Place place, find_parent(path));
  const SimNode node = find(path);
  if (!node.file) return storage_error("remove", path, node.there() ? EISDIR : ENOENT);
  STELE_TRY(may_change("remove", path));
  set_named(node, false);
  place.parent->apply({.gone = place.name, .name = {}, .target = {}});
  return {};
}

Result<void> SimDisk::remove_tree(const std::string& path) {
  const SimNode node = find(path);
  if (!node.there()) return {};
  if (node.file) return remove(path);
  while (!node.directory->view.empty()) STELE_TRY(remove_tree(path + "/" + node.directory->view.begin()->first));
  STELE_TRY(may_change("remove", path));
  STELE_TRY_ASSIGN(const Place place, find_parent(path));
  place.parent->apply({.gone = place.name, .name = {}, .target = {}});
  return {};
}

Result<void> SimDisk::sync_directory(const std::string& path) {
  const SimNode node = find(path);
  if (!node.directory) return storage_error("sync directory", path, node.there() ? ENOTDIR : ENOENT);
  SimDevice& device = device_of(path);
  if (device.faults.read_only && !node.directory->unsynced.empty()) return storage_error("sync directory", path, EROFS);
  STELE_TRY(may_look("sync directory", path));
  node.directory->sync();
  return {};
}

SimDisk::Written SimDisk::written_below(const std::string& path) {
  Written written;
  const SimNode node = find(path);
  if (!node.directory) return written;
  each_file(*node.directory, path, [&](const std::string&, const std::shared_ptr<SimFileNode>& file) {
    if (file->unsynced()) written.emplace_back(file, file->operations());
  });
  return written;
}

// A file whose sync fails does not keep the others from the disk.
Result<void> SimDisk::sync_all(const std::string& path, const Written& written) {
  const SimNode node = find(path);
  if (!node.directory) return storage_error("sync", path, node.there() ? ENOTDIR : ENOENT);
  Result<void> done;
  for (const auto& [file, operations] : written) {
    SimDevice& device = file->device();
    if (!device.faults.read_only && !device.sync_error.comes_true(device.faults.sync_error)) {
      file->sync_up_to(operations);
      continue;
    }
    if (!device.faults.read_only) file->lose_up_to(operations, device.sync_error);
    done = storage_error("sync", path, device.faults.read_only ? EROFS : EIO);
  }
  if (!done.ok()) return done;
  bool unsynced = false;
  each_directory(*node.directory, [&](const SimDirectoryNode& directory) { unsynced |= !directory.unsynced.empty(); });
  if (unsynced && device_of(path).faults.read_only) return storage_error("sync", path, EROFS);
  STELE_TRY(may_look("sync", path));
  each_directory(*node.directory, [](SimDirectoryNode& directory) { directory.sync(); });
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
