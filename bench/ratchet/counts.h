// What a broker's threads ask of the heap, and how many bytes they copy: this program's operator new and memcpy count.
#pragma once

#include <cstdint>

namespace stele::bench {

struct HeapCounts {
  uint64_t allocations = 0;
  uint64_t bytes_copied = 0;  // by memcpy and memmove that the compiler did not make instructions of
};

// Of all threads but those that were left out.
HeapCounts heap_counts();
// The calling thread is the load, not the broker.
void leave_this_thread_out();

}  // namespace stele::bench
