// The picture that `stele top` draws of two looks at a broker.
#pragma once

#include <string>

#include "app/stats.h"

namespace stele::app {

struct TopOptions {
  size_t rows = 10;  // of topics and of slow partitions
};

// For a terminal: a header, then tables of shards, APIs, topics and slow partitions. `later` is of the same start of
// the broker as `earlier`, and came after it.
std::string top_text(const Stats& earlier, const Stats& later, const TopOptions& options);
// The same numbers in one line of JSON.
std::string top_json(const Stats& earlier, const Stats& later, const TopOptions& options);
// False where the broker was started anew between them, or they are of two brokers.
bool comparable(const Stats& earlier, const Stats& later);

}  // namespace stele::app
