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

std::vector<ApiCoverage> api_coverage() {
  std::vector<ApiCoverage> out;
  for (const wire::ApiInfo& api : wire::all_apis()) {
    if ((api.listeners & wire::kOnBroker) == 0) continue;
    ApiCoverage& entry = out.emplace_back(ApiCoverage{
        .key = api.key, .name = api.name, .served = {}, .kafka = {api.min_version, api.max_stable_version()}});
    if (const Handler* handler = handler_of(api.key)) entry.served.emplace(handler->min_version, handler->max_version);
  }
  return out;
}

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
  for (const ApiCoverage& api : api_coverage()) {
    const std::string served = api.served ? fmt::format("{}-{}", api.served->first, api.served->second) : "";
    page += fmt::format("| {} | {} | {} | {}-{} |\n", api.key, api.name, served, api.kafka.first, api.kafka.second);
  }
  return page;
}

}  // namespace stele::server
