#include "record/decompressor.h"

#define ZSTD_STATIC_LINKING_ONLY
#include <lz4.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <optional>
#include <utility>

#include "base/check.h"
#include "record/gzip_framing.h"
#include "record/lz4_frame.h"
#include "record/snappy_framing.h"

namespace stele::record {

using base::ErrorCode;

namespace {

// Kafka reads gzip and zstd in pieces of this size, and loses a piece in which the stream breaks.
constexpr size_t kStreamPiece = 16 * 1024;

base::Error broken(std::string_view codec, std::string_view fault) {
  return {ErrorCode::kUnknownServerError, fmt::format("{} records can not be decompressed: {}", codec, fault)};
}

struct FreeZstd {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

}  // namespace

struct Decompressor::State {
  DecompressionLimits limits;
  Codec codec = Codec::kNone;
  base::Bytes input;  // what is left of it
  uint64_t input_size = 0;
  uint64_t output_size = 0;
  base::ByteVector window;
  bool at_end = true;
  std::optional<base::Limit> over_limit;

  z_stream gzip{};
  bool gzip_ready = false;
  bool gzip_member_done = false;
  uint32_t gzip_crc = 0;
  uint32_t gzip_size = 0;
  std::unique_ptr<ZSTD_DCtx, FreeZstd> zstd;
  bool zstd_frame_done = true;
  bool snappy_framed = false;
  Lz4FrameHeader lz4;

  ~State() {
    if (gzip_ready) inflateEnd(&gzip);
  }

  // The window with room for `size` bytes.
  std::byte* room(size_t size) {
    if (window.size() < size) window.resize(size);
    return window.data();
  }

  base::Result<void> start_gzip();
  base::Result<base::Bytes> next_gzip();
  base::Result<void> end_gzip_member();
  base::Result<void> start_snappy();
  base::Result<base::Bytes> next_snappy();
  base::Result<base::Bytes> snappy_block(base::Bytes block);
  base::Result<base::Bytes> next_lz4();
  base::Result<base::Bytes> next_zstd();
};

Decompressor::Decompressor(DecompressionLimits limits) : state_(std::make_unique<State>()) { state_->limits = limits; }
Decompressor::~Decompressor() = default;
Decompressor::Decompressor(Decompressor&&) noexcept = default;
Decompressor& Decompressor::operator=(Decompressor&&) noexcept = default;

void Decompressor::finish() {
  State& s = *state_;
  s.input = {};
  s.at_end = true;
  if (s.window.capacity() > kWindowKept) base::ByteVector{}.swap(s.window);
  if (s.zstd && ZSTD_sizeof_DCtx(s.zstd.get()) > kWindowKept) s.zstd.reset();
}

const DecompressionLimits& Decompressor::limits() const { return state_->limits; }
void Decompressor::note_limit(base::Limit limit) { state_->over_limit = limit; }
std::optional<base::Limit> Decompressor::take_limit() { return std::exchange(state_->over_limit, std::nullopt); }

size_t Decompressor::memory() const {
  return state_->window.capacity() + (state_->zstd ? ZSTD_sizeof_DCtx(state_->zstd.get()) : 0);
}

base::Result<void> Decompressor::start(Codec codec, base::Bytes compressed, int8_t magic) {
  finish();
  State& s = *state_;
  s.codec = codec;
  s.input = compressed;
  s.input_size = compressed.size();
  s.output_size = 0;
  s.at_end = false;
  s.over_limit.reset();
  switch (codec) {
    case Codec::kNone:
      return {};
    case Codec::kGzip:
      return s.start_gzip();
    case Codec::kSnappy:
      return s.start_snappy();
    case Codec::kLz4: {
      const auto header = read_lz4_header(compressed, magic == 0);
      if (!header) return broken("lz4", header.error());
      s.lz4 = *header;
      s.input = compressed.subspan(header->size);
      return {};
    }
    case Codec::kZstd:
      if (!s.zstd) {
        s.zstd.reset(ZSTD_createDCtx());
        STELE_CHECK(s.zstd != nullptr);
      }
      ZSTD_DCtx_reset(s.zstd.get(), ZSTD_reset_session_only);
      ZSTD_DCtx_setParameter(s.zstd.get(), ZSTD_d_windowLogMax, kZstdWindowLogMax);
      s.zstd_frame_done = true;
      return {};
  }
  return {ErrorCode::kUnknownServerError, fmt::format("codec {} is unknown", static_cast<int>(codec))};
}

base::Result<base::Bytes> Decompressor::next() {
  State& s = *state_;
  STELE_TRY_ASSIGN(const base::Bytes piece, next_unchecked());
  s.output_size += piece.size();
  const bool too_much = s.output_size > s.limits.output_bytes_max ||
                        (s.output_size > s.limits.ratio_from && s.output_size / s.limits.ratio_max > s.input_size);
  if (too_much) {
    s.over_limit = base::Limit::kDecompressedBytes;
    return {ErrorCode::kMessageTooLarge,
            fmt::format("{} bytes unfold to more than {} bytes, which is over the limit", s.input_size, s.output_size)};
  }
  return piece;
}

base::Result<base::Bytes> Decompressor::next_unchecked() {
  State& s = *state_;
  if (s.at_end) return base::Bytes{};
  switch (s.codec) {
    case Codec::kGzip:
      return s.next_gzip();
    case Codec::kSnappy:
      return s.next_snappy();
    case Codec::kLz4:
      return s.next_lz4();
    case Codec::kZstd:
      return s.next_zstd();
    case Codec::kNone:
      break;
  }
  s.at_end = true;
  return s.input;
}

base::Result<void> Decompressor::State::start_gzip() {
  constexpr int kWithoutWrapping = -15;  // the header and the trailer are ours
  const int outcome = gzip_ready ? inflateReset(&gzip) : inflateInit2(&gzip, kWithoutWrapping);
  STELE_CHECK(outcome == Z_OK);
  gzip_ready = true;
  gzip_crc = 0;
  gzip_size = 0;
  gzip_member_done = false;
  const auto header = read_gzip_header(input);
  if (!header) return broken("gzip", header.error());
  input = input.subspan(*header);
  return {};
}

// Checks the trailer; then Java goes on with a member that follows, and takes everything else for the end.
base::Result<void> Decompressor::State::end_gzip_member() {
  if (const auto fault = check_gzip_trailer(input, gzip_crc, gzip_size); !fault.empty()) return broken("gzip", fault);
  input = input.subspan(kGzipTrailerSize);
  if (read_gzip_header(input)) return start_gzip();
  at_end = true;
  return {};
}

base::Result<base::Bytes> Decompressor::State::next_gzip() {
  std::byte* out = room(kStreamPiece);
  // What was unfolded comes out before the trailer is looked at: a record may be bad before the checksum is.
  while (!at_end) {
    if (gzip_member_done) {
      STELE_TRY(end_gzip_member());
      continue;
    }
    gzip.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(input.data()));
    gzip.avail_in = static_cast<uInt>(input.size());
    gzip.next_out = reinterpret_cast<Bytef*>(out);
    gzip.avail_out = kStreamPiece;
    const int outcome = inflate(&gzip, Z_NO_FLUSH);
    input = input.last(gzip.avail_in);
    const base::Bytes piece{out, kStreamPiece - gzip.avail_out};
    gzip_member_done = outcome == Z_STREAM_END;
    if (!gzip_member_done && outcome != Z_OK) {
      return broken("gzip", gzip.msg != nullptr ? gzip.msg : "the stream is cut");
    }
    gzip_crc =
        static_cast<uint32_t>(::crc32(gzip_crc, reinterpret_cast<const Bytef*>(out), static_cast<uInt>(piece.size())));
    gzip_size += static_cast<uint32_t>(piece.size());
    if (!piece.empty()) return piece;
  }
  return base::Bytes{};
}

base::Result<void> Decompressor::State::start_snappy() {
  if (input.empty()) return broken("snappy", "the stream is empty");
  const std::string_view text = base::as_text(input);
  snappy_framed = text.size() >= kXerialHeader.size() && text.starts_with(kXerialMagic);
  if (!snappy_framed) return {};
  input = input.subspan(kXerialHeader.size());
  return {};
}

base::Result<base::Bytes> Decompressor::State::snappy_block(base::Bytes block) {
  const char* data = base::as_text(block).data();
  size_t size = 0;
  if (!snappy::GetUncompressedLength(data, block.size(), &size)) return broken("snappy", "a block has no length");
  // The claim is checked against what a block of this size can hold before anything is allocated for it.
  if (size > block.size() * kSnappyRatioMax) return broken("snappy", fmt::format("a block claims {} bytes", size));
  if (size + output_size > limits.output_bytes_max) {
    over_limit = base::Limit::kDecompressedBytes;
    return {ErrorCode::kMessageTooLarge, fmt::format("a snappy block unfolds to {} bytes, over the limit", size)};
  }
  std::byte* out = room(size);
  if (!snappy::RawUncompress(data, block.size(), reinterpret_cast<char*>(out))) return broken("snappy", "a bad block");
  return base::Bytes{out, size};
}

base::Result<base::Bytes> Decompressor::State::next_snappy() {
  if (!snappy_framed) {
    at_end = true;
    return snappy_block(input);
  }
  while (!input.empty()) {
    // Streams that were written one behind the other repeat the header.
    if (base::as_text(input).starts_with(kXerialMagic.substr(0, sizeof(int32_t)))) {
      if (input.size() < kXerialHeader.size()) return broken("snappy", "a header is cut");
      // snappy-java looks at the version of every header but the first.
      if (!base::as_text(input).starts_with(kXerialMagic)) break;
      if (base::load_be<int32_t>(input.data() + kXerialMagic.size()) < 1) return broken("snappy", "an unknown framing");
      input = input.subspan(kXerialHeader.size());
      continue;
    }
    // snappy-java takes a cut length for the end.
    if (input.size() < sizeof(int32_t)) break;
    const auto length = base::load_be<int32_t>(input.data());
    input = input.subspan(sizeof(int32_t));
    if (length < 0 || static_cast<size_t>(length) > input.size()) {
      return broken("snappy", fmt::format("a block has length {}, but {} bytes are left", length, input.size()));
    }
    const base::Bytes block = input.first(static_cast<size_t>(length));
    input = input.subspan(block.size());
    STELE_TRY_ASSIGN(const base::Bytes piece, snappy_block(block));
    if (!piece.empty()) return piece;
  }
  at_end = true;
  return base::Bytes{};
}

base::Result<base::Bytes> Decompressor::State::next_lz4() {
  while (true) {
    const auto block = read_lz4_block(input, lz4);
    if (!block) return broken("lz4", block.error());
    input = input.subspan(block->size);
    if (block->is_end) break;
    if (!block->is_compressed) return block->content;
    std::byte* out = room(lz4.block_max);
    const int produced = LZ4_decompress_safe(base::as_text(block->content).data(), reinterpret_cast<char*>(out),
                                             static_cast<int>(block->content.size()), static_cast<int>(lz4.block_max));
    if (produced < 0) return broken("lz4", "a bad block");
    if (produced > 0) return base::Bytes{out, static_cast<size_t>(produced)};
  }
  at_end = true;
  return base::Bytes{};
}

base::Result<base::Bytes> Decompressor::State::next_zstd() {
  std::byte* out = room(kStreamPiece);
  ZSTD_inBuffer in{input.data(), input.size(), 0};
  ZSTD_outBuffer piece{out, kStreamPiece, 0};
  while (piece.pos == 0) {
    if (in.pos == in.size && zstd_frame_done) {
      at_end = true;
      return base::Bytes{};
    }
    const size_t before = in.pos;
    const size_t outcome = ZSTD_decompressStream(zstd.get(), &piece, &in);
    if (ZSTD_isError(outcome) != 0) return broken("zstd", ZSTD_getErrorName(outcome));
    zstd_frame_done = outcome == 0;
    if (in.pos == before && piece.pos == 0 && !zstd_frame_done) return broken("zstd", "the stream is cut");
  }
  input = input.subspan(in.pos);
  return base::Bytes{out, piece.pos};
}

}  // namespace stele::record
