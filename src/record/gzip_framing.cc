#include "record/gzip_framing.h"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace stele::record {

namespace {

constexpr size_t kFixedSize = 10;
constexpr uint32_t kHeaderChecksum = 2;
constexpr uint32_t kExtra = 4;
constexpr uint32_t kName = 8;
constexpr uint32_t kComment = 16;

template <class T>
T load_le(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  if constexpr (std::endian::native == std::endian::big) value = std::byteswap(value);
  return value;
}

}  // namespace

std::expected<size_t, std::string_view> read_gzip_header(base::Bytes member) {
  constexpr std::string_view kCut = "the header is cut";
  if (member.size() < kFixedSize) return std::unexpected(kCut);
  if (member[0] != std::byte{0x1f} || member[1] != std::byte{0x8b}) return std::unexpected("the magic number is wrong");
  if (member[2] != std::byte{8}) return std::unexpected("a method that is not supported");
  const auto flags = std::to_integer<uint32_t>(member[3]);
  size_t at = kFixedSize;
  if ((flags & kExtra) != 0) {
    if (member.size() - at < 2) return std::unexpected(kCut);
    const size_t extra = load_le<uint16_t>(member.data() + at);
    at += 2;
    if (member.size() - at < extra) return std::unexpected(kCut);
    at += extra;
  }
  for (const uint32_t text : {kName, kComment}) {
    if ((flags & text) == 0) continue;
    const auto rest = member.subspan(at);
    const auto zero = std::ranges::find(rest, std::byte{0});
    if (zero == rest.end()) return std::unexpected(kCut);
    at += static_cast<size_t>(zero - rest.begin()) + 1;
  }
  if ((flags & kHeaderChecksum) != 0) {
    if (member.size() - at < 2) return std::unexpected(kCut);
    const auto crc = ::crc32(0, reinterpret_cast<const Bytef*>(member.data()), static_cast<uInt>(at));
    if (load_le<uint16_t>(member.data() + at) != static_cast<uint16_t>(crc)) {
      return std::unexpected("the header's checksum is wrong");
    }
    at += 2;
  }
  return at;
}

std::string_view check_gzip_trailer(base::Bytes trailer, uint32_t crc, uint32_t size) {
  if (trailer.size() < kGzipTrailerSize) return "the trailer is cut";
  if (load_le<uint32_t>(trailer.data()) != crc) return "the checksum is wrong";
  if (load_le<uint32_t>(trailer.data() + 4) != size) return "the size in the trailer is wrong";
  return {};
}

}  // namespace stele::record
