#include "wire/reader.h"

#include <gtest/gtest.h>

#include "wire/limits.h"

// What Kafka 4.3.1 accepts and refuses was observed on a running broker.
namespace stele::wire {
namespace {

struct Input {
  explicit Input(std::string_view hex) : bytes(base::from_hex(hex)), in(bytes) {}
  base::ByteVector bytes;
  Reader in;
};

TEST(Reader, numbers_are_big_endian) {
  Input input("01 0002 00000003 0000000000000004");
  EXPECT_EQ(input.in.get<int8_t>(), 1);
  EXPECT_EQ(input.in.get<int16_t>(), 2);
  EXPECT_EQ(input.in.get<int32_t>(), 3);
  EXPECT_EQ(input.in.get<int64_t>(), 4);
  EXPECT_TRUE(input.in.ok());
  EXPECT_EQ(input.in.remaining(), 0U);
}

TEST(Reader, one_missing_byte_is_an_error_that_tells_where) {
  Input input("01 000000");
  input.in.get<int8_t>();
  EXPECT_EQ(input.in.get<int32_t>(), 0);
  const auto result = input.in.result("FetchRequest", 12);
  EXPECT_EQ(result.code(), base::ErrorCode::kInvalidRequest);
  EXPECT_EQ(result.error().message, "FetchRequest v12 ends too early at byte 1 of 4");
}

TEST(Reader, after_the_first_error_everything_is_empty) {
  Input input("0009 6162 00000001");
  EXPECT_EQ(input.in.get_string(false), "");
  EXPECT_EQ(input.in.get<int32_t>(), 0);
  EXPECT_EQ(input.in.get_tag_count(), 0);
  EXPECT_FALSE(input.in.ok());
}

TEST(Reader, any_nonzero_boolean_is_true) {
  Input input("00 01 02 ff");
  EXPECT_FALSE(input.in.get<bool>());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(input.in.get<bool>());
}

TEST(Reader, any_negative_length_is_null) {
  Input input("ffff fffe 00 ffffffff0f");
  EXPECT_EQ(input.in.get_nullable_string(false, true), std::nullopt);
  EXPECT_EQ(input.in.get_nullable_string(false, true), std::nullopt);
  EXPECT_EQ(input.in.get_nullable_string(true, true), std::nullopt);
  EXPECT_EQ(input.in.get_nullable_string(true, true), std::nullopt);
  EXPECT_TRUE(input.in.ok());
  Input bytes("fffffffe 00");
  EXPECT_EQ(bytes.in.get_nullable_bytes(false, true).has_value(), false);
  EXPECT_EQ(bytes.in.get_nullable_bytes(true, true).has_value(), false);
  EXPECT_TRUE(bytes.in.ok());
  Input arrays("fffffff0 ffffffff0f");
  EXPECT_EQ(arrays.in.get_array_count(false, 1, true), -1);
  EXPECT_EQ(arrays.in.get_array_count(true, 1, true), -1);
  EXPECT_TRUE(arrays.in.ok());
}

TEST(Reader, null_where_none_is_allowed_is_an_error) {
  Input text("ffff");
  text.in.get_string(false);
  EXPECT_FALSE(text.in.ok());
  Input bytes("00");
  bytes.in.get_bytes(true);
  EXPECT_FALSE(bytes.in.ok());
  Input array("00");
  array.in.get_array_count(true, 1, false);
  EXPECT_FALSE(array.in.ok());
}

TEST(Reader, text_that_is_no_utf8_is_accepted) {
  Input input("0002 c328");
  EXPECT_EQ(input.in.get_string(false), "\xc3\x28");
  EXPECT_TRUE(input.in.ok());
}

TEST(Reader, a_string_is_at_most_32767_bytes_in_both_encodings) {
  base::ByteVector bytes(40'000);
  bytes[0] = std::byte{0x81};
  bytes[1] = std::byte{0x80};
  bytes[2] = std::byte{0x02};  // 32,769: a length of 32,768
  Reader in{bytes};
  EXPECT_EQ(in.get_string(true), "");
  EXPECT_FALSE(in.ok());
  bytes[0] = std::byte{0x80};
  Reader longest{bytes};
  EXPECT_EQ(longest.get_string(true).size(), kMaxStringBytes);
  EXPECT_TRUE(longest.ok());
}

TEST(Reader, padded_varints_are_accepted_up_to_five_bytes) {
  Input padded("8000 8080808000 808080808000");
  EXPECT_EQ(padded.in.get_uvarint(), 0U);
  EXPECT_EQ(padded.in.get_uvarint(), 0U);
  EXPECT_TRUE(padded.in.ok());
  padded.in.get_uvarint();
  EXPECT_FALSE(padded.in.ok());
}

TEST(Reader, the_largest_tag_count_is_none) {
  Input input("ffffffff0f");
  EXPECT_EQ(input.in.get_tag_count(), 0);
  EXPECT_TRUE(input.in.ok());
}

TEST(Reader, counts_above_their_limits_are_refused) {
  Input tags("914e");  // 10,001
  tags.in.get_tag_count();
  EXPECT_FALSE(tags.in.ok());
  base::ByteVector large(2'000'004);
  base::store_be(large.data(), kMaxArrayElements + 1);
  Reader array{large};
  array.get_array_count(false, 1, false);
  EXPECT_FALSE(array.ok());
}

TEST(Reader, an_array_longer_than_its_bytes_is_refused_before_it_is_made) {
  Input input("00000003 000000000000");
  EXPECT_EQ(input.in.get_array_count(false, 4, false), 0);
  EXPECT_FALSE(input.in.ok());
  Input fits("00000003 000000000000");
  EXPECT_EQ(fits.in.get_array_count(false, 2, false), 3);
  EXPECT_TRUE(fits.in.ok());
}

}  // namespace
}  // namespace stele::wire
