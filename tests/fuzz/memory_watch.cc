#include "fuzz/memory_watch.h"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

#if __has_feature(address_sanitizer)
#include <sanitizer/allocator_interface.h>
#endif

namespace {

struct Counter {
  std::atomic<bool> on = false;
  std::atomic<int64_t> held = 0;  // may fall below zero: what was there before is freed too
  std::atomic<int64_t> peak = 0;

  void add(size_t bytes) {
    if (!on.load(std::memory_order_relaxed)) return;
    const int64_t now = held.fetch_add(static_cast<int64_t>(bytes)) + static_cast<int64_t>(bytes);
    if (now > peak.load(std::memory_order_relaxed)) peak = now;
  }
  void take(size_t bytes) {
    if (on.load(std::memory_order_relaxed)) held -= static_cast<int64_t>(bytes);
  }
};

constinit Counter counter;

}  // namespace

#if __has_feature(address_sanitizer)

namespace {

void on_malloc(const volatile void*, size_t bytes) { counter.add(bytes); }
void on_free(const volatile void* at) {
  if (at != nullptr) counter.take(__sanitizer_get_allocated_size(at));
}
const int installed = __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);

}  // namespace

#else

// Without a sanitizer's hooks only what goes through operator new is seen: all of ours, not that of the codecs.
namespace {

void* counted(size_t bytes, size_t alignment) {
  void* const at = alignment > alignof(std::max_align_t)
                       ? std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment)
                       : std::malloc(bytes == 0 ? 1 : bytes);
  if (at == nullptr) std::abort();
  counter.add(malloc_usable_size(at));
  return at;
}
void give_back(void* at) {
  if (at == nullptr) return;
  counter.take(malloc_usable_size(at));
  std::free(at);
}

}  // namespace

void* operator new(size_t bytes) { return counted(bytes, 0); }
void* operator new(size_t bytes, std::align_val_t alignment) { return counted(bytes, static_cast<size_t>(alignment)); }
void operator delete(void* at) noexcept { give_back(at); }
void operator delete(void* at, size_t) noexcept { give_back(at); }
void operator delete(void* at, std::align_val_t) noexcept { give_back(at); }
void operator delete(void* at, size_t, std::align_val_t) noexcept { give_back(at); }

#endif

namespace stele::fuzz {

MemoryWatch::MemoryWatch() {
  counter.held = 0;
  counter.peak = 0;
  counter.on = true;
}
MemoryWatch::~MemoryWatch() { counter.on = false; }
size_t MemoryWatch::peak() const { return static_cast<size_t>(std::max<int64_t>(counter.peak, 0)); }

}  // namespace stele::fuzz
