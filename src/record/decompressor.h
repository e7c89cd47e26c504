// Decompression of a batch's records in pieces, so that memory does not follow what a peer claims. One object per
// shard: its contexts and its window are reused, and nothing is allocated once they have grown to what the traffic
// needs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/limit.h"
#include "base/result.h"
#include "record/batch.h"

namespace stele::record {

// What an untrusted batch may cost. Kafka has no such limits; a batch over one is answered kMessageTooLarge, on which a
// producer splits it.
struct DecompressionLimits {
  // Bytes that one batch may unfold to.
  uint64_t output_bytes_max = uint64_t{1} << 30;
  // Above ratio_from bytes a batch may not unfold to more than this many times its size. Below them any ratio is
  // honest: a batch of zeros is.
  uint64_t ratio_max = 1024;
  uint64_t ratio_from = uint64_t{64} << 20;
  // Bytes of uncompressed records that rebuild() may hold, of one batch (validator.h).
  uint64_t rebuild_bytes_max = uint64_t{256} << 20;
};

// The window of a zstd frame; Kafka's library (zstd-jni) refuses larger ones too.
inline constexpr int kZstdWindowLogMax = 27;
// The largest block that an lz4 frame can declare.
inline constexpr size_t kLz4BlockMax = size_t{4} << 20;
// No snappy block unfolds to more than this many times its size: its longest copy yields 64 bytes out of 3.
inline constexpr size_t kSnappyRatioMax = 22;
// Buffers and contexts above this are given back once a batch is done.
inline constexpr size_t kWindowKept = size_t{4} << 20;

class Decompressor {
 public:
  explicit Decompressor(DecompressionLimits limits = {});
  ~Decompressor();
  Decompressor(Decompressor&&) noexcept;
  Decompressor& operator=(Decompressor&&) noexcept;

  // Begins with the payload of a batch. `magic` matters for lz4 alone: frames of magic 0 carry a wrong header checksum,
  // which is then not looked at. kUnknownServerError (-1), as Kafka answers, where the payload is no such stream.
  base::Result<void> start(Codec codec, base::Bytes compressed, int8_t magic = kMagic2);
  // The next piece, valid until the next call; empty at the end of the stream. kUnknownServerError for a broken stream,
  // kMessageTooLarge over a limit; after an error only start() may be called.
  base::Result<base::Bytes> next();
  // The limit that was met since it was last asked, or since the last start().
  std::optional<base::Limit> take_limit();
  // Of one who uses it, and met a limit on what came out.
  void note_limit(base::Limit limit);
  // Drops the input and gives back what grew beyond kWindowKept. start() does so as well.
  void finish();

  const DecompressionLimits& limits() const;
  // Bytes held now: window and contexts.
  size_t memory() const;

 private:
  struct State;
  base::Result<base::Bytes> next_unchecked();
  std::unique_ptr<State> state_;
};

}  // namespace stele::record
