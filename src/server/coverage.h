// docs/protocol.md: which APIs are served at which versions, beside what Apache Kafka 4.3.1 serves.
#pragma once

#include <string>

namespace stele::server {

std::string protocol_coverage();

}  // namespace stele::server
