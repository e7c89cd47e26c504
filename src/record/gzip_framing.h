// Header and trailer of a gzip member (RFC 1952), as java.util.zip.GZIPInputStream reads them.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

#include "base/bytes.h"

namespace stele::record {

inline constexpr size_t kGzipTrailerSize = 8;

// Bytes of the header; else a sentence.
std::expected<size_t, std::string_view> read_gzip_header(base::Bytes member);
// Compares the trailer with what was unfolded: its CRC-32 and its size modulo 2^32. A sentence, empty if they agree.
std::string_view check_gzip_trailer(base::Bytes trailer, uint32_t crc, uint32_t size);

}  // namespace stele::record
