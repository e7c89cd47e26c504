// What bounds a decoder, beyond the bytes of the frame itself. Kafka 4.4 has the same bounds (CVE-2026-111108: an array
// of two-byte elements made twenty million objects before the client had authenticated).
#pragma once

#include <cstddef>
#include <cstdint>

namespace stele::wire {

// More elements in one array are refused.
inline constexpr int32_t kMaxArrayElements = 1'000'000;
// More tagged fields in one structure are refused.
inline constexpr int32_t kMaxTaggedFields = 10'000;
// Memory is reserved for so many elements at once; a longer array grows as its elements turn out to be there.
inline constexpr size_t kFirstReserve = 1'000;
// Kafka's own bound on a string, in both encodings.
inline constexpr size_t kMaxStringBytes = 32'767;

}  // namespace stele::wire
