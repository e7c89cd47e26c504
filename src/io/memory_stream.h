// A connection inside one shard: what one end writes, the other reads at once.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "io/stream.h"

namespace stele::io {

struct MemoryPipe {
  std::unique_ptr<Stream> first;
  std::unique_ptr<Stream> second;
};

// Each direction holds up to bytes_max. The ends may go in any order, and belong to one shard: they can't be detached.
MemoryPipe make_memory_pipe(size_t bytes_max);

}  // namespace stele::io
