#include "server/coverage.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "server/router.h"

namespace stele::server {
namespace {

TEST(Coverage, the_page_in_the_docs_is_the_one_that_the_table_gives) {
  std::ifstream file{STELE_SOURCE_DIR "/docs/protocol.md"};
  const std::string page{std::istreambuf_iterator<char>{file}, {}};
  EXPECT_EQ(page, protocol_coverage()) << "run: build/release/stele docs protocol > docs/protocol.md";
}

TEST(Coverage, no_version_is_served_that_kafka_does_not_have) {
  for (const Handler& handler : all_handlers()) {
    const wire::ApiInfo* api = wire::find_api(static_cast<int16_t>(handler.key));
    ASSERT_NE(api, nullptr);
    EXPECT_TRUE(api->has_version(handler.min_version)) << api->name;
    EXPECT_LE(handler.max_version, api->max_stable_version()) << api->name;
  }
}

TEST(Coverage, every_stable_version_of_a_served_api_is_served) {
  for (const Handler& handler : all_handlers()) {
    const wire::ApiInfo* api = wire::find_api(static_cast<int16_t>(handler.key));
    EXPECT_EQ(handler.min_version, api->min_version) << api->name;
    EXPECT_EQ(handler.max_version, api->max_stable_version()) << api->name;
  }
}

}  // namespace
}  // namespace stele::server
