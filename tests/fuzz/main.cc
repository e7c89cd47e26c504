// Under libFuzzer: one program for each target, which STELE_FUZZ_TARGET names.
#include <cstdint>

#include "base/check.h"
#include "fuzz/memory_watch.h"
#include "fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const stele::fuzz::MemoryWatch memory;
  stele::fuzz::STELE_FUZZ_TARGET({reinterpret_cast<const std::byte*>(data), size});  // NOLINT: bytes as they came
  const size_t allowed = stele::fuzz::memory_allowed(size);
  STELE_CHECK(memory.peak() <= allowed, "{} bytes held for an input of {}, {} are allowed", memory.peak(), size,
              allowed);
  return 0;
}
