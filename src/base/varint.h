// Kafka's variable-length integers: 7 bits a byte, low group first; signed ones are zigzag-coded.
// Readers take bytes of an untrusted peer: they return the number of bytes used, or 0 where the bytes end too early or
// the value does not fit (more than 5 bytes for 32 bits, 10 for 64). Padded forms are accepted, as Kafka accepts them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace stele::base {

inline constexpr size_t kMaxVarint32 = 5;
inline constexpr size_t kMaxVarint64 = 10;

inline size_t read_uvarint(Bytes in, uint32_t& value) {
  uint32_t result = 0;
  for (size_t i = 0; i < kMaxVarint32 && i < in.size(); ++i) {
    const auto byte = std::to_integer<uint32_t>(in[i]);
    result |= (byte & 0x7f) << (7 * i);
    if ((byte & 0x80) == 0) {
      value = result;
      return i + 1;
    }
  }
  return 0;
}

inline size_t read_uvarlong(Bytes in, uint64_t& value) {
  uint64_t result = 0;
  for (size_t i = 0; i < kMaxVarint64 && i < in.size(); ++i) {
    const auto byte = std::to_integer<uint64_t>(in[i]);
    result |= (byte & 0x7f) << (7 * i);
    if ((byte & 0x80) == 0) {
      value = result;
      return i + 1;
    }
  }
  return 0;
}

inline size_t read_varint(Bytes in, int32_t& value) {
  uint32_t raw = 0;
  const size_t used = read_uvarint(in, raw);
  if (used != 0) value = static_cast<int32_t>((raw >> 1) ^ (~(raw & 1) + 1));
  return used;
}

inline size_t read_varlong(Bytes in, int64_t& value) {
  uint64_t raw = 0;
  const size_t used = read_uvarlong(in, raw);
  if (used != 0) value = static_cast<int64_t>((raw >> 1) ^ (~(raw & 1) + 1));
  return used;
}

inline uint32_t zigzag(int32_t value) {
  return (static_cast<uint32_t>(value) << 1) ^ static_cast<uint32_t>(value >> 31);
}
inline uint64_t zigzag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}

inline constexpr size_t uvarint_size(uint64_t value) {
  size_t size = 1;
  while (value >= 0x80) {
    value >>= 7;
    ++size;
  }
  return size;
}
inline size_t varint_size(int32_t value) { return uvarint_size(zigzag(value)); }
inline size_t varlong_size(int64_t value) { return uvarint_size(zigzag(value)); }

// Writes at `at`, where at least kMaxVarint64 bytes are free; returns the number of bytes written.
inline size_t write_uvarint(std::byte* at, uint64_t value) {
  size_t size = 0;
  while (value >= 0x80) {
    at[size++] = static_cast<std::byte>(value | 0x80);
    value >>= 7;
  }
  at[size++] = static_cast<std::byte>(value);
  return size;
}
inline size_t write_varint(std::byte* at, int32_t value) { return write_uvarint(at, zigzag(value)); }
inline size_t write_varlong(std::byte* at, int64_t value) { return write_uvarint(at, zigzag(value)); }

}  // namespace stele::base
