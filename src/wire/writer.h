// Writes the primitives of Kafka's protocol. A message is encoded twice by the same code: into a SizeCounter, which
// also finds what the version cannot express, then into a Writer over exactly that many bytes.
#pragma once

#include <bit>
#include <memory_resource>
#include <optional>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "base/uuid.h"
#include "base/varint.h"
#include "wire/limits.h"
#include "wire/message.h"

namespace stele::wire {

// Stands in a message for records that are not in memory. A Writer that leaves records out tells them as such.
inline base::Bytes records_elsewhere(size_t bytes) { return {static_cast<const std::byte*>(nullptr), bytes}; }

// Record bytes that a Writer did not copy: they belong into its output before the byte at `position`.
struct LeftOut {
  bool elsewhere() const { return bytes.data() == nullptr; }

  size_t position = 0;
  base::Bytes bytes;
};

class SizeCounter;

// What is the same for both: everything that is made of put(), put_uvarint(), put_raw() and put_records_raw().
template <class Derived>
class Output {
 public:
  void put_length(size_t length, bool compact) {
    if (length >= static_cast<size_t>(std::numeric_limits<int32_t>::max())) self().refuse("a length");
    if (compact) {
      self().put_uvarint(static_cast<uint32_t>(length + 1));
    } else {
      self().put(static_cast<int32_t>(length));
    }
  }
  void put_null_length(bool compact) {
    if (compact) {
      self().put_uvarint(0);
    } else {
      self().put(int32_t{-1});
    }
  }
  // A null where this version allows none is refused; the Writer, which cannot refuse, then writes an empty value.
  bool null_length(bool compact, bool null_allowed, const char* field) {
    if (null_allowed) {
      put_null_length(compact);
    } else {
      self().refuse(field);
      put_length(0, compact);
    }
    return null_allowed;
  }

  void put_string(std::string_view text, bool compact, const char* field) {
    if (text.size() > kMaxStringBytes) {
      self().refuse(field);
      text = text.substr(0, kMaxStringBytes);
    }
    if (compact) {
      self().put_uvarint(static_cast<uint32_t>(text.size() + 1));
    } else {
      self().put(static_cast<int16_t>(text.size()));
    }
    self().put_raw(base::as_bytes(text));
  }
  void put_string(std::optional<std::string_view> text, bool compact, bool null_allowed, const char* field) {
    if (text) {
      put_string(*text, compact, field);
    } else if (compact || !null_allowed) {
      if (!null_allowed) self().refuse(field);
      if (compact) {
        self().put_uvarint(null_allowed ? 0 : 1);
      } else {
        self().put(int16_t{0});
      }
    } else {
      self().put(int16_t{-1});
    }
  }
  void put_bytes(base::Bytes bytes, bool compact) {
    put_length(bytes.size(), compact);
    self().put_raw(bytes);
  }
  void put_bytes(std::optional<base::Bytes> bytes, bool compact, bool null_allowed, const char* field) {
    if (bytes) {
      put_bytes(*bytes, compact);
    } else {
      null_length(compact, null_allowed, field);
    }
  }
  void put_records(base::Bytes bytes, bool compact) {
    put_length(bytes.size(), compact);
    self().put_records_raw(bytes);
  }
  void put_records(std::optional<base::Bytes> bytes, bool compact, bool null_allowed, const char* field) {
    if (bytes) {
      put_records(*bytes, compact);
    } else {
      null_length(compact, null_allowed, field);
    }
  }
  // `body(output)` writes the value; it runs for the size and for the bytes.
  template <class Body>
  void put_tagged(uint32_t tag, Body body);
  void put_raw_tag(const RawTaggedField& field) {
    self().put_uvarint(field.tag);
    self().put_uvarint(static_cast<uint32_t>(field.data.size()));
    self().put_raw(field.data);
  }

 private:
  Derived& self() { return static_cast<Derived&>(*this); }
};

class SizeCounter : public Output<SizeCounter> {
 public:
  template <class T>
    requires std::is_integral_v<T>
  void put(T) {
    size_.total += sizeof(T);
  }
  void put_double(double) { size_.total += sizeof(double); }
  void put_uuid(const base::Uuid&) { size_.total += 16; }
  void put_uvarint(uint32_t value) { size_.total += base::uvarint_size(value); }
  void put_raw(base::Bytes bytes) { size_.total += bytes.size(); }
  void put_records_raw(base::Bytes bytes) {
    size_.total += bytes.size();
    size_.records += bytes.size();
  }
  // `field` holds what the version at hand cannot express. A literal; the first one is kept.
  void refuse(const char* field) {
    if (refused_ == nullptr) refused_ = field;
  }
  void add(const SizeCounter& part) {
    size_.total += part.size_.total;
    size_.records += part.size_.records;
    if (part.refused_ != nullptr) refuse(part.refused_);
  }

  const EncodedSize& size() const { return size_; }
  // UNSUPPORTED_VERSION where a field was refused.
  base::Result<EncodedSize> result(std::string_view what, int16_t version) const;

 private:
  EncodedSize size_;
  const char* refused_ = nullptr;
};

// Writes into bytes that the caller has made large enough (CHECKed: a wrong size is a bug of ours).
class Writer : public Output<Writer> {
 public:
  // With `left_out`, records are not copied: `out` needs only total - records bytes, and what belongs where is appended
  // to the vector, so that a response goes out by scatter and gather.
  explicit Writer(base::MutableBytes out, std::pmr::vector<LeftOut>* left_out = nullptr)
      : out_(out), left_out_(left_out) {}

  size_t written() const { return at_; }

  template <class T>
    requires std::is_integral_v<T>
  void put(T value) {
    std::byte* at = take(sizeof(T));
    if constexpr (std::is_same_v<T, bool>) {
      *at = std::byte{value};
    } else {
      base::store_be(at, value);
    }
  }
  void put_double(double value) { put(std::bit_cast<uint64_t>(value)); }
  void put_uuid(const base::Uuid& id) {
    put(id.high);
    put(id.low);
  }
  void put_uvarint(uint32_t value) { base::write_uvarint(take(base::uvarint_size(value)), value); }
  void put_raw(base::Bytes bytes) {
    std::byte* at = take(bytes.size());
    if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  }
  void put_records_raw(base::Bytes bytes) {
    if (left_out_ == nullptr) {
      STELE_CHECK(bytes.empty() || bytes.data() != nullptr);
      put_raw(bytes);
    } else if (!bytes.empty()) {
      left_out_->push_back({at_, bytes});
    }
  }
  // What a version cannot express was found by the SizeCounter; see measure() of each message.
  void refuse(const char*) {}

 private:
  std::byte* take(size_t size) {
    STELE_CHECK(size <= out_.size() - at_);
    std::byte* at = out_.data() + at_;
    at_ += size;
    return at;
  }

  base::MutableBytes out_;
  std::pmr::vector<LeftOut>* left_out_;
  size_t at_ = 0;
};

template <class Derived>
template <class Body>
void Output<Derived>::put_tagged(uint32_t tag, Body body) {
  SizeCounter size;
  body(size);
  self().put_uvarint(tag);
  self().put_uvarint(static_cast<uint32_t>(size.size().total));
  if constexpr (std::is_same_v<Derived, SizeCounter>) {
    self().add(size);
  } else {
    body(self());
  }
}

}  // namespace stele::wire
