#include "controller/client_metrics.h"

#include <gtest/gtest.h>

namespace stele::controller {
namespace {

// "CODE: sentence", or "" where the configs are taken. The sentences are Kafka's, from tests/peers/differential.
std::string refusal(const config::ConfigMap& values) {
  const auto checked = check_client_metrics(values);
  if (checked.ok()) return "";
  return std::string{base::error_name(checked.code())} + ": " + checked.error().message;
}

TEST(ClientMetrics, good_ones_are_taken) {
  EXPECT_EQ(refusal({}), "");
  EXPECT_EQ(refusal({{"interval.ms", " 200 "}, {"metrics", ""}, {"match", ""}}), "");
  EXPECT_EQ(refusal({{"metrics", "org.apache.kafka.,*"}}), "");
  EXPECT_EQ(refusal({{"match", "client_id=abc.*,client_software_name = librd(kafka|x)?,client_source_port=[0-9]+"}}),
            "");
}

TEST(ClientMetrics, names_are_looked_at_before_values) {
  EXPECT_EQ(refusal({{"interval.ms", "1"}, {"nonsense", "1"}}),
            "INVALID_REQUEST: Unknown client metrics configuration: nonsense");
}

TEST(ClientMetrics, intervals_have_a_range) {
  for (const char* good : {"100", "3600000"}) EXPECT_EQ(refusal({{"interval.ms", good}}), "") << good;
  EXPECT_EQ(refusal({{"interval.ms", "99"}}),
            "INVALID_REQUEST: Invalid value 99 for interval.ms, interval must be between 100 and 3600000 (1 hour)");
  EXPECT_EQ(refusal({{"interval.ms", "1.5"}}),
            "INVALID_CONFIG: Invalid value 1.5 for configuration interval.ms: Not a number of type INT");
}

TEST(ClientMetrics, what_cannot_be_read_comes_before_what_is_out_of_range) {
  EXPECT_EQ(refusal({{"interval.ms", "1"}, {"match", "client_id=a,,"}}),
            "INVALID_CONFIG: Configuration 'match' values must not be empty.");
  EXPECT_TRUE(refusal({{"interval.ms", "1"}, {"match", "colour=red"}}).starts_with("INVALID_REQUEST: Invalid value 1"));
}

TEST(ClientMetrics, lists_have_no_empty_values) {
  EXPECT_EQ(refusal({{"metrics", "a,,b"}}), "INVALID_CONFIG: Configuration 'metrics' values must not be empty.");
  EXPECT_EQ(refusal({{"metrics", "a,b,a"}}), "");
}

TEST(ClientMetrics, matches_name_a_known_parameter_and_one_pattern) {
  for (const char* bad :
       {"colour=red", "client_id", "=x", "client_id=", "client_id=a=b", "client_id==a", "client_id=["}) {
    EXPECT_EQ(refusal({{"match", bad}}), std::string{"INVALID_CONFIG: Illegal client matching pattern: "} + bad);
  }
}

TEST(ClientMetrics, patterns_are_those_of_java) {
  for (const char* good :
       {"", "a.*b+c?", "[^a-z[0-9]]", "(a|b){2,3}", "(?i)x", "(?<n>x)", "\\Qa", "\\[", "]", "a}", "{2}", "x*+"}) {
    EXPECT_TRUE(looks_like_pattern(good)) << good;
  }
  for (const char* bad : {"[", "[a[b]", "(", "(a", "a)", "*", "+a", "a|*", "(*)", "\\"}) {
    EXPECT_FALSE(looks_like_pattern(bad)) << bad;
  }
}

}  // namespace
}  // namespace stele::controller
