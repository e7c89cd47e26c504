// The entries of one index file, as much of them as is in memory.
//
// Entries are only ever added at the end or cut from it. Those already in the file may be dropped from memory; what is
// needed to go on adding (count and last entry) stays. Not a file: its Segment reads and writes.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "base/check.h"

namespace stele::log {

template <class Entry>
class IndexEntries {
 public:
  size_t count() const { return dropped_ + entries_.size(); }
  const std::optional<Entry>& last() const { return last_; }
  bool loaded() const { return dropped_ == 0; }
  // All of them; requires loaded().
  std::span<const Entry> all() const {
    STELE_CHECK(loaded());
    return entries_;
  }

  void add(const Entry& entry) {
    entries_.push_back(entry);
    last_ = entry;
  }
  // Replaces everything by what the file holds.
  void assign(std::vector<Entry> entries) {
    written_ = entries.size();
    dropped_ = 0;
    entries_ = std::move(entries);
    last_ = entries_.empty() ? std::nullopt : std::optional{entries_.back()};
  }
  // Gives back what drop() let go: `front` holds at least that many entries, read from the file.
  void restore(std::vector<Entry> front) {
    STELE_CHECK(front.size() >= dropped_, "{} of {}", front.size(), dropped_);
    front.resize(dropped_);
    front.insert(front.end(), entries_.begin(), entries_.end());
    entries_ = std::move(front);
    dropped_ = 0;
  }
  // Lets go of what is in the file.
  void drop() {
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<ptrdiff_t>(written_ - dropped_));
    entries_.shrink_to_fit();
    dropped_ = written_;
  }
  // Keeps the first `count`; requires loaded().
  void cut(size_t count) {
    STELE_CHECK(loaded() && count <= entries_.size());
    entries_.resize(count);
    if (written_ > count) written_ = count;
    last_ = entries_.empty() ? std::nullopt : std::optional{entries_.back()};
  }

  size_t dropped() const { return dropped_; }
  size_t written() const { return written_; }
  std::span<const Entry> unwritten() const { return std::span{entries_}.subspan(written_ - dropped_); }
  void mark_written(size_t count) { written_ = count; }

 private:
  std::vector<Entry> entries_;
  std::optional<Entry> last_;
  size_t dropped_ = 0;  // in the file, not in entries_
  size_t written_ = 0;  // in the file
};

}  // namespace stele::log
