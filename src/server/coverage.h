// docs/protocol.md: which APIs are served at which versions, beside what Apache Kafka 4.3.1 serves.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stele::server {

struct ApiCoverage {
  int16_t key = 0;
  std::string_view name;
  std::optional<std::pair<int16_t, int16_t>> served;  // versions
  std::pair<int16_t, int16_t> kafka;
};
// In the order of keys.
std::vector<ApiCoverage> api_coverage();

// The page.
std::string protocol_coverage();

}  // namespace stele::server
