// host:port as users write it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace stele::app {

inline constexpr uint16_t kDefaultPort = 9092;

struct Address {
  std::string host;
  uint16_t port = kDefaultPort;

  // "host:9092", "[::1]:9092"
  std::string to_string() const;
  friend bool operator==(const Address&, const Address&) = default;
};

// "host", "host:port", "[v6]:port" and lists of them with commas. kInvalidRequest with what is wrong.
base::Result<std::vector<Address>> parse_addresses(std::string_view text);

}  // namespace stele::app
