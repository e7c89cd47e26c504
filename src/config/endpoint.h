// A listener: where a broker listens, or what it tells clients.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace stele::config {

struct Endpoint {
  std::string listener;  // upper case, as Kafka normalizes listener names
  std::string host;      // empty: every interface when listening, this machine's own name when advertised
  int32_t port = 0;      // 0: any free port
};

// "NAME://host:port" with an IPv6 host in brackets. The error says what is wrong, without naming the option.
base::Result<Endpoint> parse_endpoint(std::string_view text);

// One controller of controller.quorum.voters: "id@host:port".
struct Voter {
  int32_t id = 0;
  std::string host;
  int32_t port = 0;
};
base::Result<Voter> parse_voter(std::string_view text);

// "NAME://host:port", brackets around an IPv6 host.
std::string to_text(const Endpoint& endpoint);

}  // namespace stele::config
