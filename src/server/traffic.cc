#include "server/traffic.h"

namespace stele::server {

void Traffic::merge(const Traffic& other) {
  other.for_each([this](int16_t key, const ApiTraffic& api) { of(key).merge(api); });
}

Traffic Traffic::since(const Traffic& earlier) const {
  Traffic out;
  for_each([&](int16_t key, const ApiTraffic& api) {
    ApiTraffic& difference = out.of(key);
    difference = api;
    const auto& before = earlier.apis_[static_cast<size_t>(key)];
    if (before == nullptr) return;
    difference.request_bytes -= before->request_bytes;
    difference.response_bytes -= before->response_bytes;
    difference.latency = api.latency.since(before->latency);
  });
  return out;
}

}  // namespace stele::server
