#include "app/command.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/advice.h"

namespace stele::app {

namespace {

// Bytes of a peer may be no UTF-8; JSON must be.
std::string dump(const nlohmann::ordered_json& document) {
  return document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

void print_line(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
}

int report(const base::Error& error, bool json) {
  std::fflush(stdout);
  const std::string_view advice = advice_for(error.code);
  // Where the system refused, there is no code of the protocol to tell.
  const bool from_peer = error.os_error == 0;
  if (json) {
    nlohmann::ordered_json document;
    if (from_peer) document["error"] = base::error_name(error.code);
    if (from_peer) document["code"] = static_cast<int16_t>(error.code);
    document["message"] = error.message;
    if (from_peer && !advice.empty()) document["advice"] = advice;
    fmt::print(stderr, "{}\n", dump(document));
  } else if (from_peer) {
    fmt::print(stderr, "stele: {}: {}\n", base::error_name(error.code), error.message);
    if (!advice.empty()) fmt::print(stderr, "       {}\n", advice);
  } else {
    fmt::print(stderr, "stele: {}\n", error.message);
  }
  return kExitRefused;
}

int report_usage(std::string_view sentence, bool json) {
  std::fflush(stdout);
  if (json) {
    nlohmann::ordered_json document;
    document["error"] = "USAGE";
    document["message"] = sentence;
    fmt::print(stderr, "{}\n", dump(document));
  } else {
    fmt::print(stderr, "stele: {}\n", sentence);
  }
  return kExitUsage;
}

}  // namespace stele::app
