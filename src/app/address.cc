#include "app/address.h"

#include <fmt/format.h>

#include <charconv>

namespace stele::app {

namespace {

base::Error bad(std::string_view text, std::string_view why) {
  return {base::ErrorCode::kInvalidRequest, fmt::format("'{}' is no address: {}; write host:port", text, why)};
}

base::Result<uint16_t> parse_port(std::string_view whole, std::string_view digits) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size() || port == 0) {
    return bad(whole, "its port is not a number from 1 to 65535");
  }
  return port;
}

base::Result<Address> parse_one(std::string_view text) {
  Address address;
  std::string_view rest;
  if (text.starts_with('[')) {
    const size_t close = text.find(']');
    if (close == std::string_view::npos) return bad(text, "its bracket is not closed");
    address.host = text.substr(1, close - 1);
    rest = text.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return bad(text, "something else than a port follows the bracket");
  } else {
    const size_t colon = text.find(':');
    if (colon != text.rfind(':')) return bad(text, "an IPv6 address stands in brackets");
    address.host = text.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view{} : text.substr(colon);
  }
  if (address.host.empty()) return bad(text, "it has no host");
  if (!rest.empty()) {
    STELE_TRY_ASSIGN(address.port, parse_port(text, rest.substr(1)));
  }
  return address;
}

}  // namespace

std::string Address::to_string() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

base::Result<std::vector<Address>> parse_addresses(std::string_view text) {
  std::vector<Address> addresses;
  while (true) {
    const size_t comma = text.find(',');
    STELE_TRY_ASSIGN(Address address, parse_one(text.substr(0, comma)));
    addresses.push_back(std::move(address));
    if (comma == std::string_view::npos) return addresses;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace stele::app
