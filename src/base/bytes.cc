#include "base/bytes.h"

namespace stele::base {

namespace {
constexpr std::string_view kDigits = "0123456789abcdef";
}

std::string to_hex(Bytes bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (std::byte b : bytes) {
    out += kDigits[std::to_integer<size_t>(b >> 4)];
    out += kDigits[std::to_integer<size_t>(b & std::byte{0xf})];
  }
  return out;
}

ByteVector from_hex(std::string_view hex) {
  ByteVector out;
  int high = -1;
  for (char c : hex) {
    if (c == ' ' || c == '\n' || c == '\t') continue;
    const size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return {};
    if (high < 0) {
      high = static_cast<int>(digit);
    } else {
      out.push_back(static_cast<std::byte>(high << 4 | static_cast<int>(digit)));
      high = -1;
    }
  }
  return high < 0 ? out : ByteVector{};
}

}  // namespace stele::base
