// Every known input through its target, in the ordinary build: what fuzzing once found stays mended.
#include <gtest/gtest.h>

#include <string>

#include "fuzz/memory_watch.h"
#include "fuzz/seeds.h"
#include "fuzz/target.h"

namespace stele::fuzz {
namespace {

class FuzzRegression : public ::testing::TestWithParam<Target> {
 protected:
  void run(const std::vector<Seed>& seeds) {
    for (const Seed& seed : seeds) {
      SCOPED_TRACE(seed.name);
      // A failure ends the program: this line says where.
      std::fprintf(stderr, "%s %s\r", std::string{GetParam().name}.c_str(), seed.name.c_str());
      const MemoryWatch memory;
      GetParam().run(seed.input);
      EXPECT_LE(memory.peak(), memory_allowed(seed.input.size()));
    }
  }
};

TEST_P(FuzzRegression, first_inputs_do_no_harm) {
  Seeds seeds = first_inputs();
  EXPECT_FALSE(seeds.of(GetParam().name).empty());
  run(seeds.of(GetParam().name));
}

TEST_P(FuzzRegression, stored_inputs_do_no_harm) { run(stored_inputs().of(GetParam().name)); }

INSTANTIATE_TEST_SUITE_P(Corpus, FuzzRegression, ::testing::ValuesIn(targets().begin(), targets().end()),
                         [](const auto& target) { return std::string{target.param.name}; });

TEST(MemoryWatch, tells_the_most_that_was_held) {
  const MemoryWatch memory;
  std::byte* volatile seen = nullptr;  // else no memory is taken at all
  for (int i = 0; i < 3; ++i) {
    base::ByteVector bytes(size_t{1} << 20);
    seen = bytes.data();
  }
  EXPECT_NE(seen, nullptr);
  EXPECT_GE(memory.peak(), size_t{1} << 20);
  EXPECT_LT(memory.peak(), size_t{2} << 20);
}

}  // namespace
}  // namespace stele::fuzz
