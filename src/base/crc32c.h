// CRC-32C (Castagnoli), as record batches and producer snapshots carry it.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace stele::base {

// crc32c(b) of a whole; crc32c(b, crc32c(a)) of a followed by b.
uint32_t crc32c(Bytes bytes, uint32_t seed = 0);

}  // namespace stele::base
