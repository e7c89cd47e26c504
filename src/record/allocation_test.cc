// A good batch is validated without touching the heap. The counter below is that of this test program alone.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "record/builder.h"
#include "record/validator.h"

namespace {
size_t allocations = 0;
}  // namespace

void* operator new(size_t size) {
  ++allocations;
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace stele::record {
namespace {

base::ByteVector batch(Codec codec) {
  BatchBuilder builder{{.codec = codec}};
  const base::ByteVector value(300);
  for (int i = 0; i < 500; ++i) {
    builder.add({.timestamp = base::Timestamp{1000 + i}, .key = base::as_bytes("key"), .value = base::Bytes{value}});
  }
  return std::move(builder).build();
}

TEST(allocation, a_good_batch_is_validated_and_stamped_without_any) {
  Decompressor decompressor;
  for (const Codec codec : {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    base::ByteVector bytes = batch(codec);
    const AppendRules rules;
    // The first one lets the decompressor grow its window.
    ASSERT_TRUE(validate_append(bytes, rules, base::Timestamp{2000}, decompressor).has_value());
    const size_t memory = decompressor.memory();
    const size_t before = allocations;
    const auto validated = validate_append(bytes, rules, base::Timestamp{2000}, decompressor);
    const bool stamped =
        validated && stamp(bytes, *validated, base::Offset{5}, base::LeaderEpoch{1}).last_offset > base::Offset{5};
    const size_t after = allocations;
    EXPECT_TRUE(stamped);
    EXPECT_EQ(after, before) << codec_name(codec);
    EXPECT_EQ(decompressor.memory(), memory) << codec_name(codec);
  }
}

}  // namespace
}  // namespace stele::record
