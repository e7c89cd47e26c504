#include "base/crc32c.h"

#include <isa-l/crc.h>

#include <algorithm>

namespace stele::base {

uint32_t crc32c(Bytes bytes, uint32_t seed) {
  // ISA-L takes an int length and neither inverts the seed nor the result.
  constexpr size_t kStep = size_t{1} << 30;
  uint32_t crc = ~seed;
  while (!bytes.empty()) {
    const size_t step = std::min(bytes.size(), kStep);
    auto* data = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes.data()));  // NOLINT: it only reads
    crc = crc32_iscsi(data, static_cast<int>(step), crc);
    bytes = bytes.subspan(step);
  }
  return ~crc;
}

}  // namespace stele::base
