// What a codec's stream may cost, whatever it claims.
#include <gtest/gtest.h>

#include <string>

#include "record/compressor.h"
#include "record/decompressor.h"

namespace stele::record {
namespace {

// Bytes that came out, or nothing where the stream is refused.
std::optional<size_t> unfold(Decompressor& decompressor, Codec codec, base::Bytes stream) {
  if (!decompressor.start(codec, stream).ok()) return std::nullopt;
  size_t bytes = 0;
  while (true) {
    const auto piece = decompressor.next();
    if (!piece.ok()) return std::nullopt;
    if (piece->empty()) return bytes;
    bytes += piece->size();
  }
}

base::ByteVector snappy_of_chunk(int32_t announced) {
  base::ByteVector stream = base::from_hex("82 534e41505059 00 00000001 00000001");
  base::append_be(stream, announced);
  stream.resize(stream.size() + 64);
  return stream;
}

TEST(codec_limits, CVE_2023_34455_a_snappy_chunk_longer_than_its_bytes_takes_no_memory) {
  for (const int32_t announced : {65, 1 << 20, 0x7fffffff, -1, int32_t{-0x7fffffff - 1}}) {
    Decompressor decompressor;
    EXPECT_FALSE(unfold(decompressor, Codec::kSnappy, snappy_of_chunk(announced))) << announced;
    EXPECT_LT(decompressor.memory(), size_t{1} << 20) << announced;
  }
}

// A block that says how much it unfolds to: more than its bytes can.
TEST(codec_limits, CVE_2023_34455_a_snappy_block_that_claims_two_gigabytes_takes_no_memory) {
  base::ByteVector stream = base::from_hex("82 534e41505059 00 00000001 00000001 00000006 ffffffff07 00");
  Decompressor decompressor;
  EXPECT_FALSE(unfold(decompressor, Codec::kSnappy, stream));
  EXPECT_LT(decompressor.memory(), size_t{1} << 20);
}

// PushTelemetry of Kafka unfolded whatever came; a batch is the only thing that we unfold.
TEST(codec_limits, CVE_2026_111073_a_stream_that_unfolds_to_too_much_ends_at_the_limit) {
  const std::string zeros(size_t{32} << 20, '\0');
  for (const Codec codec : {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    base::ByteVector stream;
    compress(codec, kDefaultLevel, base::as_bytes(zeros), stream);
    Decompressor wide;
    EXPECT_EQ(unfold(wide, codec, stream), zeros.size()) << codec_name(codec);
    Decompressor narrow{{.output_bytes_max = 8 << 20}};
    EXPECT_EQ(unfold(narrow, codec, stream), std::nullopt) << codec_name(codec);
    EXPECT_LT(narrow.memory(), size_t{12} << 20) << codec_name(codec);
    Decompressor dense{{.ratio_max = 10, .ratio_from = 1 << 20}};
    EXPECT_EQ(unfold(dense, codec, stream), std::nullopt) << codec_name(codec);
  }
}

}  // namespace
}  // namespace stele::record
