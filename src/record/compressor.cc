#include "record/compressor.h"

#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/check.h"
#include "record/snappy_framing.h"

namespace stele::record {

namespace {

// Room for `size` more bytes at the end of `out`; the caller cuts off what it does not use.
std::byte* grow(base::ByteVector& out, size_t size) {
  const size_t at = out.size();
  out.resize(at + size);
  return out.data() + at;
}

void compress_gzip(int32_t level, base::Bytes records, base::ByteVector& out) {
  constexpr int kGzipWindowBits = 15 + 16;  // 16 asks zlib for gzip's header and trailer
  constexpr int kMemoryLevel = 8;
  z_stream stream{};
  STELE_CHECK(deflateInit2(&stream, level == kDefaultLevel ? Z_DEFAULT_COMPRESSION : level, Z_DEFLATED, kGzipWindowBits,
                           kMemoryLevel, Z_DEFAULT_STRATEGY) == Z_OK,
              "gzip level {}", level);
  const size_t start = out.size();
  const size_t bound = deflateBound(&stream, static_cast<uLong>(records.size()));
  stream.next_out = reinterpret_cast<Bytef*>(grow(out, bound));
  stream.avail_out = static_cast<uInt>(bound);
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(records.data()));
  stream.avail_in = static_cast<uInt>(records.size());
  const int outcome = deflate(&stream, Z_FINISH);
  const size_t written = stream.total_out;
  deflateEnd(&stream);
  STELE_CHECK(outcome == Z_STREAM_END);
  out.resize(start + written);
}

void compress_snappy(base::Bytes records, base::ByteVector& out) {
  base::append(out, base::as_bytes(kXerialHeader));
  while (!records.empty()) {
    const base::Bytes block = records.first(std::min(records.size(), kXerialBlockSize));
    const size_t length_at = out.size();
    const size_t bound = snappy::MaxCompressedLength(block.size());
    std::byte* at = grow(out, sizeof(int32_t) + bound);
    size_t written = 0;
    snappy::RawCompress(base::as_text(block).data(), block.size(), reinterpret_cast<char*>(at) + sizeof(int32_t),
                        &written);
    base::store_be(at, static_cast<int32_t>(written));
    out.resize(length_at + sizeof(int32_t) + written);
    records = records.subspan(block.size());
  }
}

void compress_lz4(int32_t level, base::Bytes records, base::ByteVector& out) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  // lz4 takes 1 and 2 for the fast method; the slow one starts at 3, where Kafka's levels 1 and 2 are slow already.
  if (level != kDefaultLevel && level != kLz4FastLevel) preferences.compressionLevel = std::max(level, 3);
  const size_t start = out.size();
  const size_t bound = LZ4F_compressFrameBound(records.size(), &preferences);
  const size_t written = LZ4F_compressFrame(grow(out, bound), bound, records.data(), records.size(), &preferences);
  STELE_CHECK(LZ4F_isError(written) == 0, "{}", LZ4F_getErrorName(written));
  out.resize(start + written);
}

void compress_zstd(int32_t level, base::Bytes records, base::ByteVector& out) {
  const size_t start = out.size();
  const size_t bound = ZSTD_compressBound(records.size());
  const size_t written = ZSTD_compress(grow(out, bound), bound, records.data(), records.size(),
                                       level == kDefaultLevel ? ZSTD_CLEVEL_DEFAULT : level);
  STELE_CHECK(ZSTD_isError(written) == 0, "{}", ZSTD_getErrorName(written));
  out.resize(start + written);
}

}  // namespace

void compress(Codec codec, int32_t level, base::Bytes records, base::ByteVector& out) {
  switch (codec) {
    case Codec::kGzip:
      return compress_gzip(level, records, out);
    case Codec::kSnappy:
      return compress_snappy(records, out);
    case Codec::kLz4:
      return compress_lz4(level, records, out);
    case Codec::kZstd:
      return compress_zstd(level, records, out);
    case Codec::kNone:
      break;
  }
  STELE_CHECK(false, "no compression with codec {}", static_cast<int>(codec));
}

}  // namespace stele::record
