// Damaged and random bytes through every reader: whatever they hold, they are answered, and nothing else happens.
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "base/random.h"
#include "record/dump_for_test.h"
#include "record/validator.h"

namespace stele::record {
namespace {

std::vector<base::ByteVector> seeds() {
  std::ifstream file{STELE_SOURCE_DIR "/src/record/testdata/batches.txt"};
  std::vector<base::ByteVector> all;
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find('\t');
    base::ByteVector bytes = base::from_hex(line.substr(first + 1, line.find('\t', first + 1) - first - 1));
    if (bytes.size() < 2000) all.push_back(std::move(bytes));
  }
  return all;
}

class Damage {
 public:
  explicit Damage(uint64_t seed) : random_(seed) {}

  size_t below(size_t bound) { return bound == 0 ? 0 : random_.below(bound); }

  base::ByteVector noise() {
    base::ByteVector bytes(below(300));
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random_.next());
    return bytes;
  }

  // Changes a few bytes, cuts or doubles a piece, and mostly makes length and checksum fit, so that readers get far.
  void hurt(base::ByteVector& bytes) {
    for (size_t n = 1 + below(4); n > 0 && !bytes.empty(); --n)
      bytes[below(bytes.size())] = static_cast<std::byte>(random_.next());
    if (below(4) == 0) bytes.resize(below(bytes.size() + 1));
    if (below(6) == 0) {
      const base::ByteVector piece(bytes.begin() + static_cast<ptrdiff_t>(below(bytes.size() + 1)), bytes.end());
      base::append(bytes, piece);
    }
    if (below(8) == 0 || bytes.size() < kBatchHeaderSize) return;
    base::store_be(bytes.data() + kLengthAt, static_cast<int32_t>(bytes.size() - kLogOverhead));
    if (bytes[kMagicAt] == std::byte{2}) update_crc(bytes);
  }

  AppendRules rules() {
    AppendRules rules;
    rules.compacted = below(2) == 0;
    if (below(2) == 0) rules.codec = static_cast<Codec>(below(5));
    if (below(3) == 0) rules.timestamp_type = TimestampType::kLogAppendTime;
    if (below(3) == 0) rules.origin = AppendOrigin::kCoordinator;
    return rules;
  }

 private:
  base::SeededRandom random_;
};

// What was accepted must hold what its header says, with a checksum that fits.
void append_or_refuse(base::ByteVector bytes, const AppendRules& rules, Decompressor& decompressor) {
  const base::Timestamp now{1'700'000'001'000};
  const auto validated = validate_append(bytes, rules, now, decompressor);
  if (!validated) {
    EXPECT_NE(validated.error().code, base::ErrorCode::kNone);
    return;
  }
  const base::Offset first{1000};
  base::Bytes stored = base::Bytes{bytes}.first(validated->bytes.size());
  base::ByteVector rebuilt_bytes;
  if (validated->needs_rebuild) {
    auto rebuilt = rebuild(*validated, rules, now, first, base::LeaderEpoch{1}, decompressor);
    if (!rebuilt || rebuilt->bytes.empty()) return;
    rebuilt_bytes = std::move(rebuilt->bytes);
    stored = rebuilt_bytes;
  } else {
    stamp(base::MutableBytes{bytes}.first(stored.size()), *validated, first, base::LeaderEpoch{1});
  }
  const auto batch = BatchView::open(stored);
  ASSERT_TRUE(batch.ok());
  EXPECT_TRUE(batch->crc_valid());
  if (rules.origin == AppendOrigin::kClient) {
    EXPECT_EQ(batch->base_offset(), first);
    EXPECT_EQ(batch->record_count(), validated->record_count);
    EXPECT_EQ(batch->last_offset_delta() + 1, validated->record_count);
  }
}

TEST(random_bytes, damaged_batches_are_answered) {
  const std::vector<base::ByteVector> whole = seeds();
  ASSERT_FALSE(whole.empty());
  Decompressor decompressor;
  Damage damage{20261121};
  for (int i = 0; i < 30'000; ++i) {
    base::ByteVector bytes = whole[damage.below(whole.size())];
    damage.hurt(bytes);
    // A copy of exactly that size, so that a reader that goes past the end is found out.
    const base::ByteVector exact(bytes.begin(), bytes.end());
    if (i % 3 == 0) {
      EXPECT_NE(dump(exact).size(), 1u);
    } else {
      append_or_refuse(exact, damage.rules(), decompressor);
    }
  }
}

TEST(random_bytes, random_streams_are_answered) {
  Decompressor decompressor;
  Damage damage{7};
  for (int i = 0; i < 30'000; ++i) {
    const base::ByteVector noise = damage.noise();
    const auto codec = static_cast<Codec>(damage.below(8));
    if (!decompressor.start(codec, noise).ok()) continue;
    while (true) {
      const auto piece = decompressor.next();
      if (!piece.ok() || piece->empty()) break;
    }
  }
}

}  // namespace
}  // namespace stele::record
