// What a request may take of memory beyond its own bytes (CVE-2026-111108, CVE-2026-111115, CVE-2022-34917).
#include "wire/limits.h"

#include <gtest/gtest.h>

#include "base/varint.h"
#include "wire/codec.h"
#include "wire/metadata_request.h"
#include "wire/offset_fetch_request.h"
#include "wire/request_header.h"

namespace stele::wire {
namespace {

class Counting : public std::pmr::memory_resource {
 public:
  size_t taken = 0;

 private:
  void* do_allocate(size_t bytes, size_t alignment) override {
    taken += bytes;
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* at, size_t bytes, size_t alignment) override {
    std::pmr::new_delete_resource()->deallocate(at, bytes, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

void put_uvarint(base::ByteVector& out, uint32_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::byte>(value | 0x80));
  out.push_back(static_cast<std::byte>(value));
}

// Metadata v9: so many topics of an empty name, two bytes each.
base::ByteVector many_topics(uint32_t count) {
  base::ByteVector bytes;
  put_uvarint(bytes, count + 1);
  for (uint32_t i = 0; i < count; ++i) base::append(bytes, base::from_hex("0100"));
  base::append(bytes, base::from_hex("00000000"));
  return bytes;
}

TEST(limits, CVE_2026_111108_an_array_has_at_most_a_million_elements) {
  EXPECT_TRUE(from_bytes<MetadataRequest>(many_topics(1'000'000), 9).ok());
  EXPECT_FALSE(from_bytes<MetadataRequest>(many_topics(1'000'001), 9).ok());
}

TEST(limits, CVE_2026_111108_memory_of_an_array_follows_what_is_there) {
  Counting arena;
  base::ByteVector cut = many_topics(100'000);
  cut.resize(200);  // the count stays
  EXPECT_FALSE(from_bytes<MetadataRequest>(cut, 9, &arena).ok());
  EXPECT_EQ(arena.taken, 0U);
}

// OffsetFetch v8: so many groups, each with so many topics of no partitions.
base::ByteVector nested(uint32_t groups, uint32_t topics) {
  base::ByteVector bytes;
  put_uvarint(bytes, groups + 1);
  for (uint32_t i = 0; i < groups; ++i) {
    base::append(bytes, base::from_hex("01"));
    put_uvarint(bytes, topics + 1);
    for (uint32_t k = 0; k < topics; ++k) base::append(bytes, base::from_hex("010100"));
    base::append(bytes, base::from_hex("00"));
  }
  base::append(bytes, base::from_hex("0000"));
  return bytes;
}

base::Result<OffsetFetchRequest> decode_with(base::Bytes bytes, size_t elements_max, Counting& arena) {
  Reader in{bytes, &arena};
  in.set_elements_max(elements_max);
  auto message = make_message<OffsetFetchRequest>(&arena);
  STELE_TRY(decode(in, 8, message));
  return message;
}

TEST(limits, CVE_2026_111108_arrays_inside_arrays_are_counted_together) {
  Counting arena;
  const base::ByteVector bytes = nested(100, 99);
  EXPECT_TRUE(decode_with(bytes, 10'000, arena).ok());
  const size_t whole = arena.taken;
  arena.taken = 0;
  const auto refused = decode_with(bytes, 1'000, arena);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("stele.request.elements.max"), std::string::npos) << refused.error().message;
  EXPECT_LT(arena.taken, whole / 5);
}

TEST(limits, CVE_2026_111115_a_structure_has_at_most_ten_thousand_tagged_fields) {
  for (const uint32_t count : {10'000U, 10'001U}) {
    base::ByteVector bytes = base::from_hex("0012 0003 00000001 ffff");
    put_uvarint(bytes, count);
    for (uint32_t i = 0; i < count; ++i) base::append(bytes, base::from_hex("0000"));
    EXPECT_EQ(from_bytes<RequestHeader>(bytes, 2).ok(), count == 10'000);
  }
}

TEST(limits, CVE_2022_34917_a_count_is_held_against_the_bytes_that_remain) {
  for (const char* count : {"00000002", "000f4240", "7fffffff"}) {
    EXPECT_FALSE(from_bytes<MetadataRequest>(base::from_hex(std::string{count} + "0000"), 4).ok()) << count;
  }
}

}  // namespace
}  // namespace stele::wire
