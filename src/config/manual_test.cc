#include "config/manual.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace stele::config {
namespace {

TEST(Manual, the_committed_page_is_what_the_table_says) {
  std::ifstream in(std::string(STELE_SOURCE_DIR) + "/docs/configuration.md");
  const std::string committed((std::istreambuf_iterator<char>(in)), {});
  EXPECT_TRUE(committed == configuration_manual()) << "docs/configuration.md is stale: run `make docs`";
}

}  // namespace
}  // namespace stele::config
