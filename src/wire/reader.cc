#include "wire/reader.h"

#include <fmt/format.h>

#include "base/varint.h"
#include "wire/limits.h"

namespace stele::wire {

base::Result<void> Reader::result(std::string_view what, int16_t version) const {
  if (ok()) return {};
  return base::Error{base::ErrorCode::kInvalidRequest,
                     fmt::format("{} v{} {} at byte {} of {}", what, version, problem_, problem_at_, in_.size())};
}

void Reader::fail(const char* problem) {
  if (problem_ != nullptr) return;
  problem_ = problem;
  problem_at_ = at_;
  at_ = in_.size();
}

base::Uuid Reader::get_uuid() {
  const auto high = get<uint64_t>();
  const auto low = get<uint64_t>();
  return ok() ? base::Uuid{high, low} : base::Uuid{};
}

uint32_t Reader::get_uvarint() {
  uint32_t value = 0;
  const size_t used = base::read_uvarint(in_.subspan(at_), value);
  if (used == 0) [[unlikely]] {
    fail("has a varint that is cut or too long");
    return 0;
  }
  at_ += used;
  return value;
}

base::Bytes Reader::get_raw(size_t size) {
  if (remaining() < size) [[unlikely]] {
    fail("ends too early");
    return {};
  }
  const base::Bytes bytes = in_.subspan(at_, size);
  at_ += size;
  return bytes;
}

// The arithmetic wraps like Java's int: the largest varint gives -2.
int32_t Reader::get_length(bool compact) { return compact ? static_cast<int32_t>(get_uvarint() - 1) : get<int32_t>(); }

std::optional<std::string_view> Reader::get_nullable_string(bool compact, bool null_allowed) {
  const int32_t length = compact ? get_length(true) : get<int16_t>();
  if (length < 0) {
    if (!null_allowed) fail("has a null string where none is allowed");
    return std::nullopt;
  }
  if (static_cast<size_t>(length) > kMaxStringBytes) {
    fail("has a string that is too long");
    return std::nullopt;
  }
  return base::as_text(get_raw(static_cast<size_t>(length)));
}

std::optional<base::Bytes> Reader::get_nullable_bytes(bool compact, bool null_allowed) {
  const int32_t length = get_length(compact);
  if (length < 0) {
    if (!null_allowed) fail("has null bytes where none are allowed");
    return std::nullopt;
  }
  return get_raw(static_cast<size_t>(length));
}

int32_t Reader::get_array_count(bool compact, size_t min_element_bytes, bool null_allowed) {
  const int32_t count = get_length(compact);
  if (count < 0) {
    if (!null_allowed) fail("has a null array where none is allowed");
    return -1;
  }
  if (count > kMaxArrayElements) {
    fail("has an array of too many elements");
    return 0;
  }
  if (static_cast<size_t>(count) > remaining() / min_element_bytes) {
    fail("has an array longer than its bytes");
    return 0;
  }
  if (static_cast<size_t>(count) > elements_left_) {
    elements_exceeded_ = true;
    fail("has more elements in its arrays than a request may have (stele.request.elements.max)");
    return 0;
  }
  elements_left_ -= static_cast<size_t>(count);
  return count;
}

int32_t Reader::get_tag_count() {
  const auto count = static_cast<int32_t>(get_uvarint());
  if (count > kMaxTaggedFields) {
    fail("has too many tagged fields");
    return 0;
  }
  return count < 0 ? 0 : count;
}

Reader::Tag Reader::get_tag() {
  Tag tag;
  tag.number = get_uvarint();
  tag.size = get_uvarint();
  return tag;
}

}  // namespace stele::wire
