#include "io/stderr_log.h"

#include <gtest/gtest.h>

namespace stele::io {
namespace {

TEST(StderrLogTest, a_line_has_time_level_and_text) {
  EXPECT_EQ(format_log_line(base::Timestamp{1'763'737'866'123}, base::LogLevel::kWarn, "disk is full"),
            "2025-11-21 15:11:06.123Z WARN  disk is full\n");
}

TEST(StderrLogTest, bytes_of_a_peer_forge_no_line) {
  EXPECT_EQ(format_log_line(base::Timestamp{0}, base::LogLevel::kInfo, "client 'a\nb\x1b[31m'"),
            "1970-01-01 00:00:00.000Z INFO  client 'a?b?[31m'\n");
}

TEST(StderrLogTest, a_line_of_json_is_one_whatever_stands_in_it) {
  EXPECT_EQ(format_json_log_line(base::Timestamp{1'763'737'866'123}, base::LogLevel::kWarn, "topic \"a\\b\"\n"),
            "{\"time\":\"2025-11-21T15:11:06.123Z\",\"level\":\"warn\",\"message\":\"topic \\\"a\\\\b\\\"?\"}\n");
}

TEST(StderrLogTest, lines_below_the_level_are_not_made) {
  const StderrLog log{base::LogLevel::kWarn};
  EXPECT_FALSE(log.enabled(base::LogLevel::kInfo));
  EXPECT_TRUE(log.enabled(base::LogLevel::kWarn));
}

}  // namespace
}  // namespace stele::io
