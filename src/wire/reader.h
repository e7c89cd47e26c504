// Reads the primitives of Kafka's protocol from the bytes of an untrusted peer or disk.
//
// Errors are sticky: after the first one every read gives zero, empty or null, and result() tells what was wrong and
// where. Never reads past the bytes it was given. What Kafka accepts is accepted: padded varints, any non-zero boolean,
// any negative length as null, text that is no UTF-8, tags in any order.
#pragma once

#include <bit>
#include <limits>
#include <memory_resource>
#include <optional>
#include <string_view>
#include <type_traits>

#include "base/bytes.h"
#include "base/result.h"
#include "base/uuid.h"

namespace stele::wire {

class Reader {
 public:
  struct Tag {
    uint32_t number = 0;
    uint32_t size = 0;
  };

  // The bytes must outlive every message decoded from them: its strings and bytes are views. Vectors of a decoded
  // message live in `arena`.
  explicit Reader(base::Bytes in, std::pmr::memory_resource* arena = std::pmr::get_default_resource())
      : in_(in), arena_(arena) {}

  bool ok() const { return problem_ == nullptr; }
  size_t position() const { return at_; }
  size_t remaining() const { return in_.size() - at_; }
  std::pmr::memory_resource* arena() const { return arena_; }
  // No more elements than this in all arrays together, those inside others counted too: an array of arrays would
  // otherwise take many times the memory of its bytes. Without a limit until it is set.
  void set_elements_max(size_t elements) { elements_left_ = elements; }
  // Whether that is what was wrong.
  bool elements_exceeded() const { return elements_exceeded_; }
  // INVALID_REQUEST with the first problem and its place in the bytes, if there was one.
  base::Result<void> result(std::string_view what, int16_t version) const;
  // `problem` is a literal.
  void fail(const char* problem);

  template <class T>
    requires std::is_integral_v<T>
  T get() {
    if (remaining() < sizeof(T)) [[unlikely]] {
      fail("ends too early");
      return T{};
    }
    const std::byte* at = in_.data() + at_;
    at_ += sizeof(T);
    if constexpr (std::is_same_v<T, bool>) {
      return *at != std::byte{0};
    } else {
      return base::load_be<T>(at);
    }
  }
  double get_double() { return std::bit_cast<double>(get<uint64_t>()); }
  base::Uuid get_uuid();
  uint32_t get_uvarint();
  // A view of the next `size` bytes.
  base::Bytes get_raw(size_t size);
  void skip(size_t size) { get_raw(size); }

  // `compact`: the encoding of flexible versions, where lengths are varints and one too large.
  // `null_allowed`: false makes null an error.
  std::string_view get_string(bool compact) { return get_nullable_string(compact, false).value_or(std::string_view{}); }
  std::optional<std::string_view> get_nullable_string(bool compact, bool null_allowed);
  base::Bytes get_bytes(bool compact) { return get_nullable_bytes(compact, false).value_or(base::Bytes{}); }
  std::optional<base::Bytes> get_nullable_bytes(bool compact, bool null_allowed);
  // The number of elements of an array, -1 for null. Never more than limits.h and the remaining bytes allow, where each
  // element takes at least `min_element_bytes`.
  int32_t get_array_count(bool compact, size_t min_element_bytes, bool null_allowed);
  // A negative count is none, as in Kafka.
  int32_t get_tag_count();
  // The bytes of a tagged field are there; an unknown field is skipped by its size.
  Tag get_tag();

 private:
  int32_t get_length(bool compact);

  base::Bytes in_;
  std::pmr::memory_resource* arena_;
  size_t elements_left_ = std::numeric_limits<size_t>::max();
  bool elements_exceeded_ = false;
  size_t at_ = 0;
  size_t problem_at_ = 0;
  const char* problem_ = nullptr;
};

}  // namespace stele::wire
