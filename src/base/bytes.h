// Views of bytes and big-endian numbers in them. A view never owns; who holds one knows the owner lives longer.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace stele::base {

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;
using ByteVector = std::vector<std::byte>;

inline Bytes as_bytes(std::string_view text) { return std::as_bytes(std::span{text.data(), text.size()}); }
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};  // NOLINT: char may alias anything
}

// The caller has checked that sizeof(T) bytes are there.
template <class T>
  requires std::is_integral_v<T>
T load_be(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  if constexpr (std::endian::native == std::endian::little) value = std::byteswap(value);
  return value;
}

template <class T>
  requires std::is_integral_v<T>
void store_be(std::byte* at, T value) {
  if constexpr (std::endian::native == std::endian::little) value = std::byteswap(value);
  std::memcpy(at, &value, sizeof value);
}

inline void append(ByteVector& out, Bytes bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

template <class T>
  requires std::is_integral_v<T>
void append_be(ByteVector& out, T value) {
  const size_t at = out.size();
  out.resize(at + sizeof value);
  store_be(out.data() + at, value);
}

// "0a1bff": for messages and tests.
std::string to_hex(Bytes bytes);
// The inverse; white space is skipped. Empty on anything that is no hex.
ByteVector from_hex(std::string_view hex);

}  // namespace stele::base
