// What one shard served, API by API.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "base/histogram.h"

namespace stele::server {

// Since the start of the broker.
struct ApiTraffic {
  uint64_t request_bytes = 0;
  uint64_t response_bytes = 0;
  // Nanoseconds from the moment a request had come whole until its answer went to the socket, all waits included
  // (Kafka's RequestMetrics, TotalTimeMs).
  base::Histogram latency;

  void merge(const ApiTraffic& other) {
    request_bytes += other.request_bytes;
    response_bytes += other.response_bytes;
    latency.merge(other.latency);
  }
};

// Belongs to a shard. An API takes memory with its first request only.
class Traffic {
 public:
  // API keys are small numbers; what a client makes up is not counted.
  static constexpr size_t kKeys = 128;

  void answered(int16_t api_key, size_t request_bytes, size_t response_bytes, base::Duration latency) {
    if (api_key < 0 || static_cast<size_t>(api_key) >= kKeys) return;
    ApiTraffic& api = of(api_key);
    api.request_bytes += request_bytes;
    api.response_bytes += response_bytes;
    api.latency.add(latency.count() > 0 ? static_cast<uint64_t>(latency.count()) : 0);
  }
  void merge(const Traffic& other);
  // What came since `earlier`, an older state of the same.
  Traffic since(const Traffic& earlier) const;
  // Calls visit(api_key, traffic) for each API that was used, by key.
  template <class Visit>
  void for_each(Visit visit) const {
    for (size_t key = 0; key < kKeys; ++key) {
      if (apis_[key] != nullptr) visit(static_cast<int16_t>(key), *apis_[key]);
    }
  }

 private:
  ApiTraffic& of(int16_t api_key) {
    auto& api = apis_[static_cast<size_t>(api_key)];
    if (api == nullptr) api = std::make_unique<ApiTraffic>();
    return *api;
  }

  std::array<std::unique_ptr<ApiTraffic>, kKeys> apis_;
};

}  // namespace stele::server
