#include "server/coverage.h"

#include <fmt/format.h>

#include "server/router.h"

namespace stele::server {

namespace {

const Handler* handler_of(int16_t key) {
  for (const Handler& handler : all_handlers()) {
    if (static_cast<int16_t>(handler.key) == key) return &handler;
  }
  return nullptr;
}

}  // namespace

std::string protocol_coverage() {
  std::string page =
      "# Protocol coverage\n\n"
      "Written by `stele docs protocol`; do not edit. Versions of each API that a broker's listener serves, beside "
      "those of Apache\n"
      "Kafka 4.3.1. Produce is advertised from version 0, as Kafka does, though 3 is the first that either serves. "
      "APIs without\n"
      "versions in the second column are not served and not advertised. A controller's listener answers ApiVersions "
      "alone.\n\n"
      "| key | API | Stele | Kafka 4.3.1 |\n| --- | --- | --- | --- |\n";
  for (const wire::ApiInfo& api : wire::all_apis()) {
    if ((api.listeners & wire::kOnBroker) == 0) continue;
    const Handler* handler = handler_of(api.key);
    const std::string served =
        handler != nullptr ? fmt::format("{}-{}", handler->min_version, handler->max_version) : "";
    page +=
        fmt::format("| {} | {} | {} | {}-{} |\n", api.key, api.name, served, api.min_version, api.max_stable_version());
  }
  return page;
}

}  // namespace stele::server
