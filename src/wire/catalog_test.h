// For tests: every message as one entry that decodes, encodes and fills it, without naming its type.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <type_traits>

#include "base/random.h"
#include "wire/codec.h"

namespace stele::wire {

// Puts random values into a message; what strings and bytes are views of lives as long as the filler.
class Filler {
 public:
  explicit Filler(uint64_t seed) : random_(seed) {}

  void fill(int16_t, bool& value) { value = below(2) == 1; }
  void fill(int16_t, double& value) { value = static_cast<double>(random_.next()) / 3.0; }
  void fill(int16_t, base::Uuid& value) { value = {random_.next(), random_.next()}; }
  void fill(int16_t, std::string_view& value) { value = base::as_text(make_bytes(true)); }
  void fill(int16_t, base::Bytes& value) { value = make_bytes(false); }
  template <class T>
    requires std::is_integral_v<T>
  void fill(int16_t, T& value) {
    value = below(2) == 1 ? static_cast<T>(random_.next()) : static_cast<T>(below(100));
  }
  template <class T>
  void fill(int16_t version, std::pmr::vector<T>& values) {
    values.clear();
    for (uint64_t count = below(4); count > 0; --count) fill_value(version, values.emplace_back());
  }
  template <class T>
  void fill(int16_t version, std::optional<T>& value, bool null_allowed) {
    if (null_allowed && below(3) == 0) {
      value.reset();
    } else {
      value = T{};
      fill_value(version, *value);
    }
  }
  void fill_unknown(std::pmr::vector<RawTaggedField>& fields) {
    for (uint32_t tag = 77; below(2) == 1; tag += 1000) fields.push_back({tag, make_bytes(false)});
  }

 private:
  template <class T>
  void fill_value(int16_t version, T& value) {
    if constexpr (requires { this->fill(version, value); }) {
      this->fill(version, value);
    } else {
      fill_struct(*this, version, value);
    }
  }
  uint64_t below(uint64_t bound) { return random_.below(bound); }
  base::Bytes make_bytes(bool text) {
    std::string& bytes = kept_.emplace_back(below(4) == 0 ? 200 : below(9), ' ');
    for (char& c : bytes) c = static_cast<char>(text ? 'a' + below(26) : below(256));
    return base::as_bytes(bytes);
  }

  base::SeededRandom random_;
  std::deque<std::string> kept_;
};

struct CatalogEntry {
  std::string_view name;
  int16_t min_version = 0;
  int16_t max_version = 0;
  // Decodes, and encodes again what was decoded. An error also where bytes are left over or the sizes disagree.
  base::Result<base::ByteVector> (*recode)(base::Bytes bytes, int16_t version) = nullptr;
  base::Result<void> (*decode)(base::Bytes bytes, int16_t version, std::pmr::memory_resource* arena) = nullptr;
  // For any bytes: an error only where they are understood, and what they say does not survive being encoded.
  base::Result<void> (*decode_and_back)(base::Bytes bytes, int16_t version) = nullptr;
  base::Result<base::ByteVector> (*encode_random)(Filler& filler, int16_t version) = nullptr;
};

std::span<const CatalogEntry* const> catalog();

template <class M>
base::Result<base::ByteVector> recode(base::Bytes bytes, int16_t version) {
  Reader in{bytes};
  M message;
  STELE_TRY(decode(in, version, message));
  if (in.remaining() > 0) return base::Error{base::ErrorCode::kInvalidRequest, "bytes are left over"};
  if (!(M{message} == message)) return base::Error{base::ErrorCode::kInvalidRequest, "a copy is not equal"};
  if (encoded_size(message, version) != bytes.size())
    return base::Error{base::ErrorCode::kInvalidRequest, "wrong size"};
  return to_bytes(message, version);
}

template <class M>
base::Result<void> decode_and_back(base::Bytes bytes, int16_t version) {
  const auto message = from_bytes<M>(bytes, version);
  if (!message.ok()) return {};
  STELE_TRY_ASSIGN(const auto coded, to_bytes(*message, version));
  STELE_TRY_ASSIGN(const M back, from_bytes<M>(coded, version));
  STELE_TRY_ASSIGN(const auto again, to_bytes(back, version));
  const bool comparable = *message == *message;  // a double may be no number
  if (coded != again || (comparable && !(back == *message))) {
    return base::Error{base::ErrorCode::kInvalidRequest, "it came back different"};
  }
  return {};
}

template <class M>
CatalogEntry make_entry() {
  return {.name = M::kName,
          .min_version = M::kMinVersion,
          .max_version = M::kMaxVersion,
          .recode = &recode<M>,
          .decode = [](base::Bytes bytes, int16_t version, std::pmr::memory_resource* arena) -> base::Result<void> {
            Reader in{bytes, arena};
            M message = make_message<M>(arena);
            return decode(in, version, message);
          },
          .decode_and_back = &decode_and_back<M>,
          .encode_random = [](Filler& filler, int16_t version) -> base::Result<base::ByteVector> {
            M message;
            fill_struct(filler, version, message);
            STELE_TRY_ASSIGN(auto bytes, to_bytes(message, version));
            STELE_TRY_ASSIGN(const M back, from_bytes<M>(bytes, version));
            if (!(back == message)) return base::Error{base::ErrorCode::kInvalidRequest, "came back different"};
            return bytes;
          }};
}

}  // namespace stele::wire
