// Seeds that belong to one: each stream of draws has its own.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/random.h"

namespace stele::io {

// The n-th of the seeds that belong to one.
inline uint64_t derive_seed(uint64_t seed, uint64_t n) {
  return base::SeededRandom{seed + n * 0x632be59bd9b4e019ULL}.next();
}

// FNV-1a: a number for a name.
inline uint64_t hash_of(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

}  // namespace stele::io
