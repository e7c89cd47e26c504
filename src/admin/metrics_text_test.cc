#include "admin/metrics_text.h"

#include <gtest/gtest.h>

namespace stele::admin {
namespace {

TEST(MetricsText, is_what_prometheus_reads) {
  MetricsText text;
  text.gauge("stele_log_dir_online", "1 where the dir is in use.");
  text.sample(uint64_t{1}, {{"dir", "/data"}});
  text.sample(uint64_t{0}, {{"dir", "/data2"}, {"reason", "cannot sync \"x\\y\":\nerrno 5"}});
  text.counter("stele_refused_total", "a \\ b");
  text.sample(uint64_t{1} << 63);
  EXPECT_EQ(text.text(),
            "# HELP stele_log_dir_online 1 where the dir is in use.\n"
            "# TYPE stele_log_dir_online gauge\n"
            "stele_log_dir_online{dir=\"/data\"} 1\n"
            "stele_log_dir_online{dir=\"/data2\",reason=\"cannot sync \\\"x\\\\y\\\":\\nerrno 5\"} 0\n"
            "# HELP stele_refused_total a \\\\ b\n"
            "# TYPE stele_refused_total counter\n"
            "stele_refused_total 9223372036854775808\n");
}

TEST(MetricsText, a_summary_has_quantiles_a_sum_and_a_count) {
  MetricsText text;
  text.summary("stele_time", "How long.");
  text.sample(0.125, {{"request", "Fetch"}, {"quantile", "0.5"}});
  text.sample_sum(1.5, {{"request", "Fetch"}});
  text.sample_count(3, {{"request", "Fetch"}});
  EXPECT_EQ(text.text(),
            "# HELP stele_time How long.\n"
            "# TYPE stele_time summary\n"
            "stele_time{request=\"Fetch\",quantile=\"0.5\"} 0.125\n"
            "stele_time_sum{request=\"Fetch\"} 1.500000\n"
            "stele_time_count{request=\"Fetch\"} 3\n");
}

}  // namespace
}  // namespace stele::admin
