// What Kafka 4.3.1 says of each API: its versions, its headers, and the listeners that serve it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"
#include "wire/api_keys.h"
#include "wire/message.h"
#include "wire/reader.h"
#include "wire/request_header.h"

namespace stele::wire {

inline constexpr uint8_t kOnBroker = 1;
inline constexpr uint8_t kOnController = 2;

struct ApiInfo {
  int16_t key = 0;
  std::string_view name;  // "Fetch"
  int16_t min_version = 0;
  int16_t max_version = 0;
  int16_t first_flexible_request = kNeverFlexible;
  int16_t first_flexible_response = kNeverFlexible;
  bool latest_unstable = false;  // max_version is for those who set unstable.api.versions.enable
  uint8_t listeners = 0;         // kOnBroker, kOnController

  bool has_version(int16_t version) const { return version >= min_version && version <= max_version; }
  int16_t max_stable_version() const { return static_cast<int16_t>(latest_unstable ? max_version - 1 : max_version); }
  // Defined for versions that do not exist too: their requests have a header that must be read to be refused.
  int16_t request_header_version(int16_t version) const { return version >= first_flexible_request ? 2 : 1; }
  // The answer to ApiVersions has the oldest header, whatever was asked: the client does not yet know what we speak.
  int16_t response_header_version(int16_t version) const {
    return version >= first_flexible_response && key != static_cast<int16_t>(ApiKey::kApiVersions) ? 1 : 0;
  }
};

// In the order of their keys. The keys 4 to 7 are gone with ZooKeeper brokers.
std::span<const ApiInfo> all_apis();
// Null for a key that Kafka 4.3.1 does not have.
const ApiInfo* find_api(int16_t key);

// Reads the header at the start of a request frame, in the form that its key and version ask for; the body follows.
// INVALID_REQUEST for a key that does not exist and for broken bytes; whether the version exists is for the caller.
base::Result<RequestHeader> decode_request_header(Reader& in);

}  // namespace stele::wire
