#include "load/phase.h"

#include <fmt/format.h>

#include <algorithm>

namespace stele::bench {

std::string Phase::json() const {
  const double cpu = after.user + after.system - before.user - before.system;
  std::string out = fmt::format(
      R"({{"requests":{},"records":{},"bytes":{},"uncompressed_bytes":{},"seconds":{:.6f},"cpu":{:.3f},"cpu_user":{:.3f},)"
      R"("cpu_system":{:.3f},"client_cpu":{:.3f},"machine_cpu":{:.3f},"stolen":{:.3f},"resident":{},"latency_us":{{)",
      requests, records, batch_bytes, uncompressed_bytes, seconds(), cpu, after.user - before.user,
      after.system - before.system, after.client - before.client, after.machine - before.machine,
      after.stolen - before.stolen, resident);
  for (const double quantile : {0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999}) {
    out += fmt::format(R"("{}":{:.1f},)", quantile * 100, static_cast<double>(latency.at(quantile)) / 1e3);
  }
  return out + fmt::format(R"("max":{:.1f}}}}})", static_cast<double>(latency.max()) / 1e3);
}

}  // namespace stele::bench
