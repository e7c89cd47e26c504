// How much memory the code under test holds at its peak.
#pragma once

#include <cstddef>

namespace stele::fuzz {

// Counts every allocation of the process while it lives; one at a time.
class MemoryWatch {
 public:
  MemoryWatch();
  ~MemoryWatch();
  MemoryWatch(const MemoryWatch&) = delete;
  MemoryWatch& operator=(const MemoryWatch&) = delete;
  // The most that was allocated at a time since it was made, beyond what was there before.
  size_t peak() const;
};

}  // namespace stele::fuzz
