#include "app/top_view.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "wire/api_keys.h"

namespace stele::app {
namespace {

using std::chrono::seconds;

constexpr auto kProduce = static_cast<int16_t>(wire::ApiKey::kProduce);

admin::ShardReport shard_of(base::Duration busy, uint64_t turns) {
  admin::ShardReport report;
  report.loop.busy = busy;
  report.loop.turns = turns;
  report.loop.file_reads = 10 * turns;
  report.loop.file_reads_missed = turns;
  report.connections = 3;
  report.budgets[0] = {.used = 50, .limit = 200};
  return report;
}

Stats told(base::MonoTime at, const std::vector<admin::ShardReport>& shards) {
  const std::string text = stats_text({.version = "1", .node = 7, .cluster = "c", .at = at}, shards);
  auto stats = parse_stats(text);
  EXPECT_TRUE(stats.ok()) << text;
  return *stats;
}

struct TwoLooks {
  TwoLooks() {
    std::vector<admin::ShardReport> shards;
    shards.push_back(shard_of(seconds{1}, 100));
    shards.push_back(shard_of(seconds{0}, 100));
    shards[0].traffic.answered(kProduce, 100, 10, std::chrono::milliseconds{50});
    shards[0].topics["a"].traffic = {.records_in = 10, .bytes_in = 1000};
    earlier = told(base::MonoTime{seconds{100}}, shards);
    shards[0].loop.busy = seconds{2};
    shards[0].loop.turns = 300;
    shards[0].loop.file_reads = 3000;
    shards[0].loop.file_reads_missed = 300;
    for (int i = 0; i < 99; ++i) shards[0].traffic.answered(kProduce, 1000, 10, std::chrono::milliseconds{1});
    shards[1].traffic.answered(kProduce, 1000, 10, std::chrono::milliseconds{8});
    shards[0].topics["a"].traffic = {.records_in = 30, .bytes_in = 5000};
    shards[1].topics["a"].traffic = {.records_in = 10, .bytes_in = 1000, .bytes_out = 100};
    shards[1].topics["idle"].traffic = {};
    shards[0].slowest = {{"a-0", std::chrono::milliseconds{5}}};
    shards[1].slowest = {{"a-1", std::chrono::milliseconds{7}}, {"a-3", std::chrono::milliseconds{2}}};
    later = told(base::MonoTime{seconds{102}}, shards);
  }
  Stats earlier;
  Stats later;
};

TEST(Top, tells_rates_shares_and_quantiles_of_the_time_between_two_looks) {
  const TwoLooks looks;
  const auto top = nlohmann::json::parse(top_json(looks.earlier, looks.later, {}));
  EXPECT_EQ(top["seconds"], 2.0);
  EXPECT_EQ(top["node"], 7);
  EXPECT_EQ(top["shards"][0]["busy"], 0.5);
  EXPECT_EQ(top["shards"][0]["turns_per_second"], 100.0);
  EXPECT_EQ(top["shards"][1]["busy"], 0.0);
  EXPECT_EQ(top["shards"][0]["budget_used"], 50);
  EXPECT_EQ(top["page_cache_share"], 0.9);
  ASSERT_EQ(top["apis"].size(), 1U);
  EXPECT_EQ(top["apis"][0]["api"], "Produce");
  EXPECT_EQ(top["apis"][0]["requests_per_second"], 50.0);
  EXPECT_EQ(top["apis"][0]["bytes_in_per_second"], 50'000.0);
  EXPECT_NEAR(top["apis"][0]["p50_ms"].get<double>(), 1.0, 0.07);
  EXPECT_NEAR(top["apis"][0]["p999_ms"].get<double>(), 8.0, 0.5) << "the 50 ms came before";
  ASSERT_EQ(top["topics"].size(), 1U);
  EXPECT_EQ(top["topics"][0]["records_in_per_second"], 15.0);
  EXPECT_EQ(top["topics"][0]["bytes_in_per_second"], 2500.0);
  EXPECT_EQ(top["topics"][0]["bytes_out_per_second"], 50.0);
  EXPECT_EQ(top["slowest"][0]["partition"], "a-1");
  EXPECT_EQ(top["slowest"].size(), 3U);
}

TEST(Top, shows_as_many_rows_as_asked_for) {
  const TwoLooks looks;
  const std::string text = top_text(looks.earlier, looks.later, {.rows = 1});
  EXPECT_NE(text.find("Produce"), std::string::npos);
  EXPECT_NE(text.find("a-1"), std::string::npos);
  EXPECT_EQ(text.find("a-0"), std::string::npos);
}

TEST(Top, compares_no_two_starts_of_a_broker) {
  const TwoLooks looks;
  EXPECT_TRUE(comparable(looks.earlier, looks.later));
  EXPECT_FALSE(comparable(looks.later, looks.earlier));
  Stats other = looks.later;
  other.head.node = 8;
  EXPECT_FALSE(comparable(looks.earlier, other));
  Stats anew = looks.later;
  anew.shards[1].loop.turns = 1;
  EXPECT_FALSE(comparable(looks.earlier, anew));
}

TEST(Top, refuses_what_is_no_stats) {
  EXPECT_FALSE(parse_stats("").ok());
  EXPECT_FALSE(parse_stats("{}").ok());
  EXPECT_FALSE(parse_stats(R"({"version": 1})").ok());
}

}  // namespace
}  // namespace stele::app
