#include "admin/metrics_text.h"

#include <gtest/gtest.h>

namespace stele::admin {
namespace {

TEST(MetricsText, is_what_prometheus_reads) {
  MetricsText text;
  text.gauge("stele_log_dir_online", "1 where the dir is in use.");
  text.sample(1, {{"dir", "/data"}});
  text.sample(0, {{"dir", "/data2"}, {"reason", "cannot sync \"x\\y\":\nerrno 5"}});
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

}  // namespace
}  // namespace stele::admin
