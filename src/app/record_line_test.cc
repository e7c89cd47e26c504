#include "app/record_line.h"

#include <gtest/gtest.h>

#include "app/progress.h"

namespace stele::app {
namespace {

std::string split(std::string_view line, std::optional<std::string> separator = {},
                  std::optional<std::string> null = {}) {
  auto record = split_line(line, separator, null);
  if (!record.ok()) return "refused";
  return std::string{record->key.value_or("(null)")} + "|" + std::string{record->value.value_or("(null)")};
}

TEST(SplitLine, the_newline_is_no_part_of_the_record) {
  EXPECT_EQ(split("abc\n"), "(null)|abc");
  EXPECT_EQ(split("abc"), "(null)|abc");
  EXPECT_EQ(split("\n"), "(null)|");
  EXPECT_EQ(split("abc\r\n"), "(null)|abc\r");
}

TEST(SplitLine, the_first_separator_ends_the_key) {
  EXPECT_EQ(split("k::v::w\n", "::"), "k|v::w");
  EXPECT_EQ(split("::v\n", "::"), "|v");
  EXPECT_EQ(split("k::\n", "::"), "k|");
  EXPECT_EQ(split("k:v\n", "::"), "refused");
}

TEST(SplitLine, the_null_text_is_null_and_only_as_a_whole) {
  EXPECT_EQ(split("k=NULL\n", "=", "NULL"), "k|(null)");
  EXPECT_EQ(split("NULL=NULLs\n", "=", "NULL"), "(null)|NULLs");
}

ReadRecord record() {
  return {.topic = "t",
          .partition = 2,
          .offset = 7,
          .timestamp = 99,
          .append_time = false,
          .key = "k",
          .value = std::nullopt,
          .headers = {{"a", "1"}, {"b", std::nullopt}}};
}

std::string formatted(std::string_view format) {
  std::string out;
  append_formatted(out, format, record());
  return out;
}

TEST(Format, every_letter_has_its_field) {
  EXPECT_EQ(formatted("%t-%p-%o %T %k=%v [%h] 100%%\n"), "t-2-7 99 k=null [a=1,b=null] 100%\n");
}

TEST(Format, faults_are_named) {
  EXPECT_EQ(format_fault("%t %%"), "");
  EXPECT_NE(format_fault("%x"), "");
  EXPECT_NE(format_fault("50%"), "");
}

TEST(Json, bytes_that_are_no_text_are_base64) {
  ReadRecord bytes = record();
  bytes.key = std::string_view{"\x00\xff\x10\x80", 4};
  std::string out;
  append_json(out, bytes);
  EXPECT_EQ(out, R"({"topic":"t","partition":2,"offset":7,"timestamp":99,"timestamp_type":"CreateTime",)"
                 R"("key_base64":"AP8QgA==","value":null,)"
                 R"("headers":[{"name":"a","value":"1"},{"name":"b","value":null}]})"
                 "\n");
}

TEST(Utf8, knows_text_from_other_bytes) {
  for (const char* text : {"", "abc", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"})
    EXPECT_TRUE(is_utf8(text)) << text;
  for (const char* text : {"\xff", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80"}) {
    EXPECT_FALSE(is_utf8(text)) << text;
  }
}

TEST(Rate, is_told_per_second) {
  EXPECT_EQ(rate_text("records", 12000, 3 << 20, 2.0), "12,000 records, 3.0 MiB in 2.0 s (6,000 records/s, 1.5 MiB/s)");
  EXPECT_EQ(rate_text("records", 0, 0, 0), "0 records, 0 B in 0.0 s (0 records/s, 0 B/s)");
}

}  // namespace
}  // namespace stele::app
