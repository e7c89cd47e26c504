// A file's bytes, and what a power loss leaves of them.
#include <algorithm>
#include <array>
#include <utility>

#include "io/sim/sim_disk.h"

namespace stele::io {

// An operation with what does it again.
struct SimFileNode::Redo {
  uint64_t offset = 0;
  uint64_t size_before = 0;
  base::ByteVector bytes;
  bool truncates = false;
  State state = State::kUnsynced;
};

namespace {

enum class Survival { kNone, kPrefix, kSubset, kTorn, kZeroTail };

Survival draw_survival(const PowerLoss& how, Chance& draws) {
  const std::array<uint32_t, 5> weights{how.none, how.prefix, how.subset, how.torn, how.zero_tail};
  uint64_t sum = 0;
  for (const uint32_t weight : weights) sum += weight;
  if (sum == 0) return Survival::kNone;
  uint64_t drawn = draws.below(sum);
  size_t chosen = 0;
  while (drawn >= weights[chosen]) drawn -= weights[chosen++];
  return static_cast<Survival>(chosen);
}

// What stands of one operation.
struct Keep {
  bool data = false;
  bool size = false;
  uint32_t sector = 0;  // not 0: of the data, any sectors of this size
};

// Decides for one operation after the other.
class Survivors {
 public:
  Survivors(const PowerLoss& how, Chance& draws, size_t operations)
      : draws_(draws), survival_(draw_survival(how, draws)), whole_(draws.below(operations + 1)) {}

  Keep next() {
    const size_t number = number_++;
    switch (survival_) {
      case Survival::kNone:
        return {};
      case Survival::kPrefix:
        return {.data = number < whole_, .size = number < whole_};
      case Survival::kSubset:
        return {.data = coin(), .size = coin()};
      case Survival::kTorn:
        if (number == whole_) return {.data = true, .size = coin(), .sector = coin() ? 512U : 4096U};
        return {.data = number < whole_, .size = number < whole_};
      case Survival::kZeroTail:
        return {.data = number < whole_, .size = true};
    }
    return {};
  }
  bool coin() { return draws_.below(2) == 0; }

 private:
  Chance& draws_;
  Survival survival_;
  size_t whole_;
  size_t number_ = 0;
};

void put(base::ByteVector& image, uint64_t offset, base::Bytes bytes) {
  if (bytes.empty()) return;
  image.resize(std::max<size_t>(image.size(), offset + bytes.size()));
  std::ranges::copy(bytes, image.begin() + static_cast<std::ptrdiff_t>(offset));
}

void put_sectors(base::ByteVector& image, uint64_t offset, base::Bytes bytes, uint32_t sector, Survivors& survivors) {
  while (!bytes.empty()) {
    const size_t part = std::min<size_t>(bytes.size(), sector - offset % sector);
    if (survivors.coin()) put(image, offset, bytes.first(part));
    bytes = bytes.subspan(part);
    offset += part;
  }
}

}  // namespace

void SimFileNode::resize(uint64_t size) {
  if (named_) device_->used_bytes += size - view_.size();
  view_.resize(size);
}

void SimFileNode::write(uint64_t offset, base::Bytes bytes) {
  if (bytes.empty()) return;
  Operation operation{.offset = offset, .bytes = bytes.size(), .size_before = view_.size(), .before = {}};
  const auto at = static_cast<std::ptrdiff_t>(offset);
  if (offset < view_.size()) {
    const auto end = static_cast<std::ptrdiff_t>(std::min<uint64_t>(view_.size(), offset + bytes.size()));
    operation.before.assign(view_.begin() + at, view_.begin() + end);
  }
  if (offset + bytes.size() > view_.size()) resize(offset + bytes.size());
  std::ranges::copy(bytes, view_.begin() + at);
  unsynced_.push_back(std::move(operation));
}

void SimFileNode::truncate(uint64_t size) {
  Operation operation{.offset = size, .size_before = view_.size(), .before = {}, .truncates = true};
  if (size < view_.size()) operation.before.assign(view_.begin() + static_cast<std::ptrdiff_t>(size), view_.end());
  resize(size);
  unsynced_.push_back(std::move(operation));
}

void SimFileNode::sync_up_to(uint64_t operation) {
  const size_t covered = operation <= first_ ? 0 : std::min<size_t>(operation - first_, unsynced_.size());
  for (size_t i = 0; i < covered; ++i) {
    if (unsynced_[i].state == State::kUnsynced) unsynced_[i].state = State::kSynced;
  }
  // What stands for good needs no undoing, unless it stands on something lost.
  const auto kept = std::ranges::find_if_not(unsynced_, [](const Operation& at) { return at.state == State::kSynced; });
  first_ += static_cast<uint64_t>(kept - unsynced_.begin());
  unsynced_.erase(unsynced_.begin(), kept);
}

void SimFileNode::lose_up_to(uint64_t operation, Chance& coins) {
  const size_t covered = operation <= first_ ? 0 : std::min<size_t>(operation - first_, unsynced_.size());
  const bool all = coins.below(2) == 0;
  for (size_t i = 0; i < covered; ++i) {
    if (unsynced_[i].state != State::kUnsynced) continue;
    unsynced_[i].state = all || coins.below(2) == 0 ? State::kLost : State::kSynced;
  }
}

std::vector<SimFileNode::Redo> SimFileNode::roll_back() {
  std::vector<Redo> redo(unsynced_.size());
  for (size_t i = unsynced_.size(); i-- > 0;) {
    Operation& done = unsynced_[i];
    const auto at = static_cast<std::ptrdiff_t>(done.offset);
    redo[i] = {done.offset, done.size_before, {}, done.truncates, done.state};
    if (!done.truncates)
      redo[i].bytes.assign(view_.begin() + at, view_.begin() + at + static_cast<std::ptrdiff_t>(done.bytes));
    view_.resize(done.size_before);
    if (!done.before.empty()) std::ranges::copy(done.before, view_.begin() + at);
  }
  first_ += unsynced_.size();
  unsynced_.clear();
  return redo;
}

void SimFileNode::lose_power(const PowerLoss& how, Chance& draws) {
  if (unsynced_.empty()) return;
  const std::vector<Redo> operations = roll_back();
  Survivors survivors{how, draws, operations.size()};
  uint64_t size = view_.size();
  for (const Redo& operation : operations) {
    Keep keep = survivors.next();
    if (operation.state == State::kSynced) keep = {.data = true, .size = true};
    if (operation.state == State::kLost) keep = {};
    if (operation.truncates) {
      if (keep.size) {
        view_.resize(std::min<uint64_t>(view_.size(), operation.offset));
        size = operation.offset;
      }
      continue;
    }
    if (keep.size) size = std::max<uint64_t>(size, operation.offset + operation.bytes.size());
    if (!keep.data) continue;
    if (keep.sector == 0) put(view_, operation.offset, operation.bytes);
    if (keep.sector != 0) put_sectors(view_, operation.offset, operation.bytes, keep.sector, survivors);
  }
  view_.resize(size);
}

bool SimFileNode::flip_bit(uint64_t offset, uint32_t bit) {
  if (offset >= view_.size()) return false;
  view_[offset] ^= std::byte{1} << (bit % 8);
  cold_.insert(offset);
  return true;
}

bool SimFileNode::has_cold(uint64_t offset, size_t bytes) const {
  const auto at = cold_.lower_bound(offset);
  return at != cold_.end() && *at < offset + bytes;
}

void SimFileNode::brought_back(uint64_t offset, size_t bytes) {
  cold_.erase(cold_.lower_bound(offset), cold_.lower_bound(offset + bytes));
}

void SimFileNode::set_named(bool named) {
  if (named_ == named) return;
  named_ = named;
  device_->used_bytes += named ? view_.size() : 0 - view_.size();
}

void SimFileNode::move_to(SimDevice& device) {
  const bool named = named_;
  set_named(false);
  device_ = &device;
  set_named(named);
}

}  // namespace stele::io
