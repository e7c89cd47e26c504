#include "record/lz4_frame.h"

#include <array>
#include <bit>
#include <cstring>

namespace stele::record {

namespace {

constexpr uint32_t kMagic = 0x184d2204;
constexpr uint32_t kStoredBit = 0x80000000;

uint32_t load_le(const std::byte* at) {
  uint32_t value = 0;
  std::memcpy(&value, at, sizeof value);
  if constexpr (std::endian::native == std::endian::big) value = std::byteswap(value);
  return value;
}

constexpr uint32_t kPrime1 = 2654435761U;
constexpr uint32_t kPrime2 = 2246822519U;
constexpr uint32_t kPrime3 = 3266489917U;
constexpr uint32_t kPrime4 = 668265263U;
constexpr uint32_t kPrime5 = 374761393U;

uint32_t xxhash_lane(uint32_t lane, const std::byte* at) {
  return std::rotl(lane + load_le(at) * kPrime2, 13) * kPrime1;
}

}  // namespace

uint32_t xxhash32(base::Bytes bytes, uint32_t seed) {
  base::Bytes rest = bytes;
  uint32_t hash = seed + kPrime5;
  if (rest.size() >= 16) {
    std::array<uint32_t, 4> lanes{seed + kPrime1 + kPrime2, seed + kPrime2, seed, seed - kPrime1};
    while (rest.size() >= 16) {
      for (size_t i = 0; i < 4; ++i) lanes[i] = xxhash_lane(lanes[i], rest.data() + 4 * i);
      rest = rest.subspan(16);
    }
    hash = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) + std::rotl(lanes[3], 18);
  }
  hash += static_cast<uint32_t>(bytes.size());
  for (; rest.size() >= 4; rest = rest.subspan(4))
    hash = std::rotl(hash + load_le(rest.data()) * kPrime3, 17) * kPrime4;
  for (const std::byte byte : rest) hash = std::rotl(hash + std::to_integer<uint32_t>(byte) * kPrime5, 11) * kPrime1;
  hash = (hash ^ (hash >> 15)) * kPrime2;
  hash = (hash ^ (hash >> 13)) * kPrime3;
  return hash ^ (hash >> 16);
}

std::expected<Lz4FrameHeader, std::string_view> read_lz4_header(base::Bytes frame, bool broken_checksum) {
  if (frame.size() < 7) return std::unexpected("the header is cut");
  if (load_le(frame.data()) != kMagic) return std::unexpected("the magic number is wrong");
  const auto flags = std::to_integer<uint32_t>(frame[4]);
  const auto block = std::to_integer<uint32_t>(frame[5]);
  if ((flags & 0x03) != 0 || flags >> 6 != 1) return std::unexpected("flags that are not supported");
  if ((flags & 0x20) == 0) return std::unexpected("blocks that depend on each other are not supported");
  const uint32_t block_size_id = (block >> 4) & 0x07;
  if ((block & 0x8f) != 0 || block_size_id < 4) return std::unexpected("a block size that is not supported");
  Lz4FrameHeader header;
  header.block_max = size_t{1} << (8 + 2 * block_size_id);
  header.block_checksums = (flags & 0x10) != 0;
  header.content_checksum = (flags & 0x04) != 0;
  const size_t descriptor = (flags & 0x08) != 0 ? 10 : 2;  // with the content's size
  header.size = 4 + descriptor + 1;
  if (frame.size() < header.size) return std::unexpected("the header is cut");
  const auto checksum = static_cast<std::byte>(xxhash32(frame.subspan(4, descriptor)) >> 8);
  if (!broken_checksum && frame[header.size - 1] != checksum) return std::unexpected("the header's checksum is wrong");
  return header;
}

std::expected<Lz4Block, std::string_view> read_lz4_block(base::Bytes rest, const Lz4FrameHeader& header) {
  if (rest.size() < 4) return std::unexpected("the frame is cut");
  const uint32_t length = load_le(rest.data());
  const size_t size = length & ~kStoredBit;
  Lz4Block block;
  block.size = 4;
  if (size == 0) {
    block.is_end = true;
    if (header.content_checksum && rest.size() < 8) return std::unexpected("the content's checksum is cut");
    return block;
  }
  if (size > header.block_max) return std::unexpected("a block is larger than the frame declares");
  if (rest.size() - 4 < size) return std::unexpected("a block is cut");
  block.content = rest.subspan(4, size);
  block.is_compressed = (length & kStoredBit) == 0;
  block.size += size;
  if (header.block_checksums) {
    if (rest.size() - block.size < 4) return std::unexpected("a block's checksum is cut");
    if (load_le(rest.data() + block.size) != xxhash32(block.content))
      return std::unexpected("a block's checksum is wrong");
    block.size += 4;
  }
  return block;
}

}  // namespace stele::record
