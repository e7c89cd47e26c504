#include "config/properties.h"

#include <gtest/gtest.h>

#include <map>

#include "config/golden_tsv_test.h"

namespace stele::config {
namespace {

// "key=value@line" of every property, one after another.
std::string read(std::string_view text) {
  const auto parsed = parse_properties(text);
  if (!parsed.ok()) return parsed.error().message;
  std::string out;
  for (const Property& p : *parsed) out += "[" + p.key + "=" + p.value + "@" + std::to_string(p.line) + "]";
  return out;
}

TEST(Properties, keys_end_at_the_first_equals_colon_or_blank) {
  EXPECT_EQ(read("a=1\nb:2\nc 3\nd = 4\ne : 5\nf\t=\t6"), "[a=1@1][b=2@2][c=3@3][d=4@4][e=5@5][f=6@6]");
  EXPECT_EQ(read("a==b\na=:b\nlisteners=PLAINTEXT://:9092"), "[a==b@1][a=:b@2][listeners=PLAINTEXT://:9092@3]");
  EXPECT_EQ(read("a\nb="), "[a=@1][b=@2]");
}

TEST(Properties, comments_and_blank_lines_are_passed_over_and_lines_counted) {
  EXPECT_EQ(read("# one\n\n   ! two\n  a=1\r\nb=2\rc=3"), "[a=1@4][b=2@5][c=3@6]");
  EXPECT_EQ(read("a=1#not a comment"), "[a=1#not a comment@1]");
}

TEST(Properties, a_backslash_joins_lines_and_drops_the_indent) {
  EXPECT_EQ(read("dirs=/a,\\\n     /b,\\\n     /c\nnext=1"), "[dirs=/a,/b,/c@1][next=1@4]");
  EXPECT_EQ(read("a=1\\\\\nb=2"), "[a=1\\@1][b=2@2]");
  EXPECT_EQ(read("# comment \\\na=1"), "[a=1@2]");
  EXPECT_EQ(read("a=x\\\n#y"), "[a=x#y@1]");
  EXPECT_EQ(read("a=1\\"), "[a=1@1]");
}

TEST(Properties, escapes_are_resolved) {
  EXPECT_EQ(read("a\\=b\\:c\\ d=\\t1\\n\\q"), "[a=b:c d=\t1\nq@1]");
  EXPECT_EQ(read("a=\\u0041\\u00e9\\u20ac\\ud83d\\ude00"), "[a=A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80@1]");
  EXPECT_EQ(read("a=\\ud83d!"), "[a=\xef\xbf\xbd!@1]");
  EXPECT_EQ(read("a=trailing blanks stay  "), "[a=trailing blanks stay  @1]");
}

TEST(Properties, bytes_are_latin_1) { EXPECT_EQ(read("a=\xe9"), "[a=\xc3\xa9@1]"); }

TEST(Properties, a_malformed_unicode_escape_is_an_error_with_its_line) {
  EXPECT_EQ(read("a=1\nb=\\u12g4").substr(0, 7), "line 2:");
  EXPECT_EQ(read("b=\\u12").substr(0, 7), "line 1:");
}

std::string from_hex(const std::string& hex) {
  std::string out;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    out.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return out;
}

TEST(Properties, random_texts_are_read_as_java_reads_them) {
  const auto rows = testing::golden_rows("properties_answers.tsv");
  ASSERT_EQ(rows.size(), 600u);
  for (const testing::Row& row : rows) {
    const auto parsed = parse_properties(from_hex(row[0]));
    if (row.size() == 2) {
      EXPECT_FALSE(parsed.ok()) << row[0];
      continue;
    }
    ASSERT_TRUE(parsed.ok()) << row[0] << parsed.error().message;
    std::map<std::string, std::string> expected;
    for (size_t i = 1; i + 1 < row.size(); i += 2) expected[from_hex(row[i])] = from_hex(row[i + 1]);
    std::map<std::string, std::string> actual;
    for (const Property& property : *parsed) actual[property.key] = property.value;
    EXPECT_EQ(actual, expected) << row[0];
  }
}

}  // namespace
}  // namespace stele::config
