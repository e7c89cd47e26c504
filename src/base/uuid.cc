#include "base/uuid.h"

#include "base/random.h"

namespace stele::base {

namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr size_t kTextLength = 22;

}  // namespace

Uuid Uuid::make_random(Random& random) {
  while (true) {
    Uuid id{random.next(), random.next()};
    id.high = (id.high & ~0xf000ULL) | 0x4000ULL;
    id.low = (id.low & ~(3ULL << 62)) | (2ULL << 62);
    if (id.to_string().front() != '-') return id;
  }
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
  if (text.size() > kTextLength && text.substr(kTextLength) == "==") text = text.substr(0, kTextLength);
  if (text.size() != kTextLength) return std::nullopt;
  std::array<std::byte, 17> bytes{};
  uint32_t bits = 0;
  int held = 0;
  size_t at = 0;
  for (char c : text) {
    const size_t digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes[at++] = static_cast<std::byte>(bits >> held);
    }
  }
  return Uuid{load_be<uint64_t>(bytes.data()), load_be<uint64_t>(bytes.data() + 8)};
}

std::string Uuid::to_string() const {
  std::array<std::byte, 18> bytes{};
  store_be(bytes.data(), high);
  store_be(bytes.data() + 8, low);
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const uint32_t bits = std::to_integer<uint32_t>(bytes[i]) << 16 | std::to_integer<uint32_t>(bytes[i + 1]) << 8 |
                          std::to_integer<uint32_t>(bytes[i + 2]);
    for (int shift = 18; shift >= 0; shift -= 6) out += kAlphabet[bits >> shift & 63];
  }
  out.resize(kTextLength);
  return out;
}

}  // namespace stele::base
