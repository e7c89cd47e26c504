#include "wire/catalog_test.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

// Golden bytes come from Kafka's own classes (tests/peers/wire_oracle/Oracle.java). A few are kept beside this file;
// all of them, every message at every version, stand in the file that STELE_WIRE_GOLDEN names.
namespace stele::wire {
namespace {

struct Golden {
  const CatalogEntry* entry = nullptr;
  int16_t version = 0;
  base::ByteVector bytes;

  std::string title() const { return fmt::format("{} v{} {}", entry->name, version, base::to_hex(bytes)); }
};

std::vector<Golden> read_golden() {
  std::map<std::string_view, const CatalogEntry*> by_name;
  for (const CatalogEntry* entry : catalog()) by_name[entry->name] = entry;
  const char* path = std::getenv("STELE_WIRE_GOLDEN");
  std::ifstream in(path != nullptr ? path : STELE_SOURCE_DIR "/src/wire/golden_test.txt");
  std::vector<Golden> golden;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string name;
    std::string hex;
    int version = 0;
    words >> name >> version >> hex;
    const auto found = by_name.find(name);
    EXPECT_NE(found, by_name.end()) << "no schema for " << name;
    if (found != by_name.end()) {
      golden.push_back({found->second, static_cast<int16_t>(version), base::from_hex(hex)});
    }
  }
  return golden;
}

TEST(Golden, every_message_has_bytes_of_kafka) {
  std::map<std::string_view, int> seen;
  for (const Golden& golden : read_golden()) ++seen[golden.entry->name];
  for (const CatalogEntry* entry : catalog()) EXPECT_GT(seen[entry->name], 0) << entry->name;
}

TEST(Golden, bytes_of_kafka_come_back_as_they_were) {
  for (const Golden& golden : read_golden()) {
    const auto again = golden.entry->recode(golden.bytes, golden.version);
    ASSERT_TRUE(again.ok()) << again.error().message << "\n" << golden.title();
    ASSERT_EQ(base::to_hex(*again), base::to_hex(golden.bytes)) << golden.title();
  }
}

TEST(Golden, a_message_cut_anywhere_is_an_error) {
  for (const Golden& golden : read_golden()) {
    const base::Bytes bytes = golden.bytes;
    for (size_t size = 0; size < bytes.size(); size += bytes.size() > 400 ? 7 : 1) {
      // A copy of exactly the size, so that a sanitizer sees a read past its end.
      const base::ByteVector cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
      ASSERT_FALSE(golden.entry->decode(cut, golden.version, std::pmr::get_default_resource()).ok())
          << size << " bytes of " << golden.title();
    }
  }
}

// Counts what a decoder takes.
class Counting : public std::pmr::memory_resource {
 public:
  size_t taken() const { return taken_; }

 private:
  void* do_allocate(size_t bytes, size_t alignment) override {
    taken_ += bytes;
    return heap_->allocate(bytes, alignment);
  }
  void do_deallocate(void* at, size_t bytes, size_t alignment) override { heap_->deallocate(at, bytes, alignment); }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  std::pmr::memory_resource* heap_ = std::pmr::new_delete_resource();
  size_t taken_ = 0;
};

TEST(Golden, damaged_bytes_never_crash_nor_take_more_than_they_justify) {
  base::SeededRandom seeded(20260617);
  for (const Golden& golden : read_golden()) {
    for (int round = 0; round < 20 && !golden.bytes.empty(); ++round) {
      base::ByteVector damaged = golden.bytes;
      for (uint64_t i = 0; i <= seeded.below(3); ++i) {
        damaged[seeded.below(damaged.size())] = static_cast<std::byte>(seeded.below(2) == 0 ? 0xff : seeded.next());
      }
      Counting arena;
      (void)golden.entry->decode(damaged, golden.version, &arena).ok();
      // The largest structure takes some 400 bytes in memory, the smallest one byte on the wire; vectors grow by
      // doubling.
      ASSERT_LE(arena.taken(), damaged.size() * 1000) << golden.title();
    }
  }
}

TEST(Catalog, every_message_survives_random_values_at_every_version) {
  // Kafka reads them too: see tests/peers/wire_oracle.
  const char* path = std::getenv("STELE_WIRE_OURS");
  std::ofstream out;
  if (path != nullptr) out.open(path);
  uint64_t seed = 1;
  for (const CatalogEntry* entry : catalog()) {
    for (int16_t version = entry->min_version; version <= entry->max_version; ++version) {
      for (int round = 0; round < 5; ++round) {
        Filler filler(seed++);
        const auto bytes = entry->encode_random(filler, version);
        ASSERT_TRUE(bytes.ok()) << entry->name << " v" << version << ": " << bytes.error().message;
        if (path != nullptr) out << entry->name << ' ' << version << ' ' << base::to_hex(*bytes) << '\n';
      }
    }
  }
}

TEST(Catalog, a_version_that_does_not_exist_is_refused) {
  for (const CatalogEntry* entry : catalog()) {
    Filler filler(1);
    EXPECT_EQ(entry->encode_random(filler, static_cast<int16_t>(entry->max_version + 1)).code(),
              base::ErrorCode::kUnsupportedVersion);
    EXPECT_EQ(entry->decode({}, static_cast<int16_t>(entry->min_version - 1), std::pmr::get_default_resource()).code(),
              base::ErrorCode::kUnsupportedVersion);
  }
}

}  // namespace
}  // namespace stele::wire
