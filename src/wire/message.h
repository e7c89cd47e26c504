// What every generated message header needs. See README.md of this folder for the language the messages are written in.
//
// A message is a plain struct. Strings, bytes and records in it are views: of the frame it was decoded from, or of
// whatever the builder of a response keeps alive. Vectors take their memory from the arena that the message was made
// with
// (`FetchResponse response(&arena)`), and so do the elements they make by emplace_back; without one they use the heap.
// Copying or moving a message to another arena copies its vectors, never the bytes behind its views.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory_resource>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/uuid.h"

namespace stele::wire {

class Reader;
class Writer;

using Allocator = std::pmr::polymorphic_allocator<>;

// kFirstFlexibleVersion of a message that has no flexible version.
inline constexpr int16_t kNeverFlexible = std::numeric_limits<int16_t>::max();

// `total` is what the message takes on the wire; `records` is the part of it that a Writer leaves out when it is told
// to (Writer, `left_out`).
struct EncodedSize {
  size_t total = 0;
  size_t records = 0;
};

// A tagged field that this version of Stele does not know. Kept only in metadata records, which a snapshot writes back.
struct RawTaggedField {
  uint32_t tag = 0;
  base::Bytes data;

  friend bool operator==(const RawTaggedField& a, const RawTaggedField& b) {
    return a.tag == b.tag && base::as_text(a.data) == base::as_text(b.data);
  }
};

}  // namespace stele::wire
