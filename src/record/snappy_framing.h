// The framing of snappy-java's streams ("xerial"): this header, then blocks of {length i32, a snappy block}. Kafka's
// clients write and read it; some others write one bare snappy block instead.
#pragma once

#include <cstddef>
#include <string_view>

namespace stele::record {

// Magic, then version 1 and the lowest version that can read it, 1.
inline constexpr std::string_view kXerialMagic{"\x82SNAPPY\0", 8};
inline constexpr std::string_view kXerialHeader{"\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16};
inline constexpr size_t kXerialBlockSize = 32 * 1024;  // uncompressed, when writing

}  // namespace stele::record
