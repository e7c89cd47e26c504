// The shared part of the generated encoders and decoders. Included by generated .cc files only.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <type_traits>

#include "wire/limits.h"
#include "wire/message.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace stele::wire::generated {

inline bool same(base::Bytes a, base::Bytes b) { return base::as_text(a) == base::as_text(b); }
inline bool same(const std::optional<base::Bytes>& a, const std::optional<base::Bytes>& b) {
  return a.has_value() == b.has_value() && (!a || same(*a, *b));
}
inline bool same(const std::pmr::vector<base::Bytes>& a, const std::pmr::vector<base::Bytes>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](base::Bytes x, base::Bytes y) { return same(x, y); });
}

template <class T>
void read_element(Reader& in, bool flexible, int16_t version, T& element) {
  if constexpr (std::is_integral_v<T>) {
    element = in.get<T>();
  } else if constexpr (std::is_same_v<T, std::string_view>) {
    element = in.get_string(flexible);
  } else if constexpr (std::is_same_v<T, base::Bytes>) {
    element = in.get_bytes(flexible);
  } else if constexpr (std::is_same_v<T, base::Uuid>) {
    element = in.get_uuid();
  } else {
    read(in, version, element);
  }
}

template <class T>
void read_elements(Reader& in, bool flexible, int16_t version, int32_t count, std::pmr::vector<T>& out) {
  if (count < 0) return;
  out.clear();
  out.reserve(std::min(static_cast<size_t>(count), kFirstReserve));
  for (int32_t i = 0; i < count && in.ok(); ++i) {
    if (out.size() == out.capacity()) out.reserve(std::min(static_cast<size_t>(count), 2 * out.size()));
    read_element(in, flexible, version, out.emplace_back());
  }
}

template <class T>
void read_array(Reader& in, bool flexible, int16_t version, size_t min_bytes, std::pmr::vector<T>& out) {
  read_elements(in, flexible, version, in.get_array_count(flexible, min_bytes, false), out);
}

template <class T>
void read_array(Reader& in, bool flexible, int16_t version, size_t min_bytes, bool null_allowed,
                std::optional<std::pmr::vector<T>>& out) {
  const int32_t count = in.get_array_count(flexible, min_bytes, null_allowed);
  if (count < 0) {
    out.reset();
  } else {
    read_elements(in, flexible, version, count, out.emplace(in.arena()));
  }
}

// A nullable structure begins with 1 or -1; as the value of a tagged field with 1 or 0, as a varint.
template <class T>
void read_struct(Reader& in, int16_t version, bool null_allowed, std::optional<T>& out, bool in_tag = false) {
  if (in_tag ? static_cast<int32_t>(in.get_uvarint()) <= 0 : in.get<int8_t>() < 0) {
    if (!null_allowed) in.fail("has a null structure where none is allowed");
    out.reset();
  } else if constexpr (std::uses_allocator_v<T, Allocator>) {
    read(in, version, out.emplace(in.arena()));
  } else {
    read(in, version, *(out = T{}));  // not emplace(): inside its message T does not count as default constructible
  }
}

template <class Out, class T>
void write_array(Out& out, bool flexible, int16_t version, const std::pmr::vector<T>& elements) {
  out.put_length(elements.size(), flexible);
  for (const T& element : elements) {
    if constexpr (std::is_integral_v<T>) {
      out.put(element);
    } else if constexpr (std::is_same_v<T, std::string_view>) {
      out.put_string(element, flexible, "an element");
    } else if constexpr (std::is_same_v<T, base::Bytes>) {
      out.put_bytes(element, flexible);
    } else if constexpr (std::is_same_v<T, base::Uuid>) {
      out.put_uuid(element);
    } else {
      write(out, version, element);
    }
  }
}

template <class Out, class T>
void write_array(Out& out, bool flexible, int16_t version, bool null_allowed, const char* field,
                 const std::optional<std::pmr::vector<T>>& elements) {
  if (elements) {
    write_array(out, flexible, version, *elements);
  } else {
    out.null_length(flexible, null_allowed, field);
  }
}

template <class Out, class T>
void write_struct(Out& out, int16_t version, bool null_allowed, const char* field, const std::optional<T>& value,
                  bool in_tag = false) {
  if (!value && !null_allowed) out.refuse(field);
  if (in_tag) {
    out.put_uvarint(value ? 1 : 0);
  } else {
    out.put(static_cast<int8_t>(value ? 1 : -1));
  }
  if (value) write(out, version, *value);
}

// Keeps unknown tagged fields in the order of their tags, the last of equal ones, so that they can be written back.
void keep_unknown(Reader& in, Reader::Tag tag, std::pmr::vector<RawTaggedField>& unknown);

// Writes the unknown fields below `tag` that are not yet written.
template <class Out>
void write_unknown(Out& out, const std::pmr::vector<RawTaggedField>& unknown, size_t& next, uint64_t below) {
  for (; next < unknown.size() && unknown[next].tag < below; ++next) out.put_raw_tag(unknown[next]);
}
inline constexpr uint64_t kAllTags = uint64_t{1} << 32;

template <class M>
bool has_version(int16_t version) {
  return version >= M::kMinVersion && version <= M::kMaxVersion;
}
base::Error no_such_version(std::string_view name, int16_t version);

template <class M>
base::Result<void> decode_message(Reader& in, int16_t version, M& message) {
  if (!has_version<M>(version)) return no_such_version(M::kName, version);
  // Made anew in place: assignment would keep the arena of the old value.
  std::destroy_at(&message);
  if constexpr (std::uses_allocator_v<M, Allocator>) {
    std::construct_at(&message, in.arena());
  } else {
    std::construct_at(&message);
  }
  read(in, version, message);
  return in.result(M::kName, version);
}

template <class M>
base::Result<EncodedSize> measure_message(const M& message, int16_t version) {
  if (!has_version<M>(version)) return no_such_version(M::kName, version);
  SizeCounter size;
  write(size, version, message);
  return size.result(M::kName, version);
}

template <class M>
size_t message_size(const M& message, int16_t version) {
  SizeCounter size;
  write(size, version, message);
  return size.size().total;
}

}  // namespace stele::wire::generated
