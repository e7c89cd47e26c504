// Compression of a batch's records, in the forms that Kafka's clients read: gzip; snappy in xerial framing of 32 KiB
// blocks; one lz4 frame of independent 64 KiB blocks; one zstd frame.
#pragma once

#include <cstdint>
#include <limits>

#include "base/bytes.h"
#include "record/batch.h"

namespace stele::record {

// Stands for the codec's own default: gzip 6, lz4 fast, zstd 3. Snappy has no levels.
inline constexpr int32_t kDefaultLevel = std::numeric_limits<int32_t>::min();
// Kafka's default of `compression.lz4.level`, at which it compresses with the fast method; any other level uses the
// slow one.
inline constexpr int32_t kLz4FastLevel = 9;

// Appends the compressed form of `records` to `out`. `codec` is known and not kNone; `level` is one that the topic
// config of that codec allows (compression.gzip.level and its like), or kDefaultLevel.
void compress(Codec codec, int32_t level, base::Bytes records, base::ByteVector& out);

}  // namespace stele::record
