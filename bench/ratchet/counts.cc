#include "ratchet/counts.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace stele::bench {

namespace {

std::atomic<uint64_t> allocations{0};
std::atomic<uint64_t> bytes_copied{0};
thread_local bool left_out = false;

void* counted(size_t bytes, size_t alignment) {
  if (!left_out) allocations.fetch_add(1, std::memory_order_relaxed);
  void* const at = alignment > __STDCPP_DEFAULT_NEW_ALIGNMENT__
                       ? std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment)
                       : std::malloc(bytes == 0 ? 1 : bytes);
  if (at == nullptr) std::abort();
  return at;
}

}  // namespace

HeapCounts heap_counts() { return {allocations.load(), bytes_copied.load()}; }
void leave_this_thread_out() { left_out = true; }

}  // namespace stele::bench

void* operator new(size_t bytes) { return stele::bench::counted(bytes, 0); }
void* operator new[](size_t bytes) { return stele::bench::counted(bytes, 0); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  return stele::bench::counted(bytes, static_cast<size_t>(alignment));
}
void* operator new[](size_t bytes, std::align_val_t alignment) {
  return stele::bench::counted(bytes, static_cast<size_t>(alignment));
}
void operator delete(void* at) noexcept { std::free(at); }
void operator delete[](void* at) noexcept { std::free(at); }
void operator delete(void* at, size_t) noexcept { std::free(at); }
void operator delete[](void* at, size_t) noexcept { std::free(at); }
void operator delete(void* at, std::align_val_t) noexcept { std::free(at); }
void operator delete[](void* at, std::align_val_t) noexcept { std::free(at); }
void operator delete(void* at, size_t, std::align_val_t) noexcept { std::free(at); }
void operator delete[](void* at, size_t, std::align_val_t) noexcept { std::free(at); }

// The C library's own, and what the compiler makes of small copies, are not seen here.
extern "C" {

void* memcpy(void* __restrict to, const void* __restrict from, size_t bytes) {
  if (!stele::bench::left_out) stele::bench::bytes_copied.fetch_add(bytes, std::memory_order_relaxed);
  void* target = to;
  asm volatile("rep movsb" : "+D"(target), "+S"(from), "+c"(bytes) : : "memory");
  return to;
}

void* memmove(void* to, const void* from, size_t bytes) {
  if (!stele::bench::left_out) stele::bench::bytes_copied.fetch_add(bytes, std::memory_order_relaxed);
  auto* target = static_cast<unsigned char*>(to);
  const auto* source = static_cast<const unsigned char*>(from);
  if (target < source || target >= source + bytes) {
    asm volatile("rep movsb" : "+D"(target), "+S"(source), "+c"(bytes) : : "memory");
  } else if (bytes > 0) {
    target += bytes - 1;
    source += bytes - 1;
    asm volatile("std\n\trep movsb\n\tcld" : "+D"(target), "+S"(source), "+c"(bytes) : : "memory");
  }
  return to;
}
}
