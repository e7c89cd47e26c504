// The lz4 frame format as Kafka's Lz4BlockInputStream reads it: independent blocks, block checksums verified where
// present, content size and content checksum passed over, nothing read behind the end mark.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

#include "base/bytes.h"

namespace stele::record {

struct Lz4FrameHeader {
  size_t size = 0;       // bytes of the header
  size_t block_max = 0;  // bytes that a block can unfold to
  bool block_checksums = false;
  bool content_checksum = false;
};

struct Lz4Block {
  size_t size = 0;  // bytes to go on by: length, content, checksum
  bool is_end = false;
  bool is_compressed = false;
  base::Bytes content;
};

// The error is a sentence. `broken_checksum`: the frames of magic 0 carry a wrong header checksum, so it is not
// checked.
std::expected<Lz4FrameHeader, std::string_view> read_lz4_header(base::Bytes frame, bool broken_checksum);
std::expected<Lz4Block, std::string_view> read_lz4_block(base::Bytes rest, const Lz4FrameHeader& header);

// xxHash's 32-bit form, which lz4 frames use for their checksums. liblz4 has it, but does not export it.
uint32_t xxhash32(base::Bytes bytes, uint32_t seed = 0);

}  // namespace stele::record
