#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/error_code.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/result.h"
#include "base/uuid.h"
#include "base/varint.h"

namespace stele::base {
namespace {

TEST(Crc32c, gives_the_check_value_of_the_catalogue_and_chains) {
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xe3069283U);
  EXPECT_EQ(crc32c(as_bytes("6789"), crc32c(as_bytes("12345"))), 0xe3069283U);
}

TEST(Uuid, has_kafkas_text_form) {
  EXPECT_EQ(kMetadataTopicId.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
  SeededRandom random{7};
  for (int i = 0; i < 100; ++i) {
    const Uuid id = Uuid::make_random(random);
    EXPECT_EQ(Uuid::parse(id.to_string()), id);
  }
  EXPECT_FALSE(Uuid::parse("short"));
  EXPECT_FALSE(Uuid::parse("AAAAAAAAAAAAAAAAAAAA*Q"));
}

TEST(Varint, round_trips_edges_and_refuses_cut_or_long_forms) {
  for (int64_t value : {int64_t{0}, int64_t{-1}, int64_t{63}, int64_t{64}, int64_t{-65},
                        std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min()}) {
    std::vector<std::byte> bytes(kMaxVarint64);
    const size_t size = write_varlong(bytes.data(), value);
    EXPECT_EQ(size, varlong_size(value));
    int64_t back = 0;
    EXPECT_EQ(read_varlong(Bytes{bytes}.first(size), back), size);
    EXPECT_EQ(back, value);
    EXPECT_EQ(read_varlong(Bytes{bytes}.first(size - 1), back), 0U);
  }
  int32_t value = 0;
  EXPECT_EQ(read_varint(from_hex("8000"), value), 2U);
  EXPECT_EQ(read_varint(from_hex("808080808000"), value), 0U);
}

TEST(Hex, reads_what_it_writes) {
  EXPECT_EQ(to_hex(from_hex("00 ff 1a")), "00ff1a");
  EXPECT_TRUE(from_hex("0").empty());
  EXPECT_TRUE(from_hex("zz").empty());
}

Result<int> halve(int value) {
  if (value % 2 != 0) return {ErrorCode::kInvalidRequest, "odd"};
  return value / 2;
}
Result<int> quarter(int value) {
  STELE_TRY_ASSIGN(const int half, halve(value));
  return halve(half);
}

TEST(Result, try_leaves_with_the_first_error) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).code(), ErrorCode::kInvalidRequest);
  EXPECT_EQ(quarter(6).error().message, "odd");
  EXPECT_EQ(error_name(ErrorCode::kUnknownTopicOrPartition), "UNKNOWN_TOPIC_OR_PARTITION");
}

TEST(Offset, wraps_where_bytes_of_a_peer_say_so) {
  constexpr Offset kLargest{std::numeric_limits<int64_t>::max()};
  constexpr Offset kLeast{std::numeric_limits<int64_t>::min()};
  static_assert(kLargest + 1 == kLeast && kLeast + -1 == kLargest);  // no constant if it were undefined
  static_assert(kLeast - kLargest == 1 && kLargest - Offset{3} == kLargest.value() - 3);
}

TEST(Random, below_stays_below) {
  SeededRandom random{1};
  for (int i = 0; i < 1000; ++i) EXPECT_LT(random.below(3), 3U);
}

}  // namespace
}  // namespace stele::base
