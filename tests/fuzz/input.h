// Takes an input apart: choices first, then pieces of bytes. Past the end everything is zero or empty.
#pragma once

#include <algorithm>
#include <string>

#include "base/bytes.h"

namespace stele::fuzz {

class Input {
 public:
  explicit Input(base::Bytes bytes) : rest_(bytes) {}

  bool empty() const { return rest_.empty(); }
  base::Bytes rest() const { return rest_; }
  uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto value = std::to_integer<uint8_t>(rest_.front());
    rest_ = rest_.subspan(1);
    return value;
  }
  uint16_t number() {
    const uint16_t high = byte();
    return static_cast<uint16_t>(high << 8 | byte());
  }
  size_t below(size_t bound) { return number() % bound; }
  base::Bytes take(size_t size) {
    const base::Bytes piece = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(piece.size());
    return piece;
  }
  // A piece that says how long it is; the last one may be cut.
  base::Bytes piece() { return take(number()); }
  std::string text() { return std::string{base::as_text(piece())}; }

 private:
  base::Bytes rest_;
};

// The bytes in an allocation of exactly their size, so that a read past them is found out.
inline base::ByteVector exact(base::Bytes bytes) { return {bytes.begin(), bytes.end()}; }

}  // namespace stele::fuzz
