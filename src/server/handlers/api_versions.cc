#include <algorithm>

#include "metadata/features.h"
#include "server/handlers/cluster.h"
#include "server/handlers/handlers.h"
#include "server/router.h"
#include "wire/api_versions_request.h"
#include "wire/api_versions_response.h"

namespace stele::server::handlers {

namespace {

constexpr int16_t kFirstVersionWithName = 3;
constexpr int16_t kFirstVersionWithZeroMin =
    4;  // older clients fail on a feature whose range begins at 0 (KAFKA-17011)

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Letters, digits, and inside also '-' and '.' (KIP-511).
bool is_software_text(std::string_view text) {
  if (text.empty() || !is_alphanumeric(text.front()) || !is_alphanumeric(text.back())) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return is_alphanumeric(c) || c == '-' || c == '.'; });
}

void fill_features(Call& call, int16_t version, wire::ApiVersionsResponse& response) {
  for (const metadata::SupportedFeature& feature : metadata::supported_features()) {
    if (version < kFirstVersionWithZeroMin && feature.min == 0) continue;
    auto& entry = response.supported_features.emplace_back();
    entry.name = feature.name;
    entry.min_version = feature.min;
    entry.max_version = feature.max;
  }
  const metadata::Image& image = call.broker().view()->image();
  response.finalized_features_epoch = image.next_index.value() - 1;
  image.features.for_each([&](const std::string& name, const auto& level) {
    if (level.first == 0) return;
    auto& entry = response.finalized_features.emplace_back();
    entry.name = name;
    entry.max_version_level = level.first;
    entry.min_version_level = level.first;
  });
}

Outcome answer(Call& call, base::ErrorCode code) {
  auto response = call.make<wire::ApiVersionsResponse>();
  response.error_code = static_cast<int16_t>(code);
  if (code != base::ErrorCode::kInvalidRequest) {
    for (const Handler& handler : all_handlers()) {
      // A client that asked at an unknown version learns which ones it may ask at, no more.
      if (code == base::ErrorCode::kUnsupportedVersion && handler.key != wire::ApiKey::kApiVersions) continue;
      auto& entry = response.api_keys.emplace_back();
      entry.api_key = static_cast<int16_t>(handler.key);
      entry.min_version = handler.advertised_min >= 0 ? handler.advertised_min : handler.min_version;
      entry.max_version = handler.max_version;
    }
    if (code == base::ErrorCode::kNone) fill_features(call, call.version(), response);
  }
  return code == base::ErrorCode::kUnsupportedVersion ? call.respond_at(response, 0) : call.respond(response);
}

}  // namespace

base::Task<Outcome> api_versions(Call& call) {
  if (call.version() < wire::ApiVersionsRequest::kMinVersion ||
      call.version() > wire::ApiVersionsRequest::kMaxVersion) {
    co_return answer(call, base::ErrorCode::kUnsupportedVersion);
  }
  auto request = call.decode<wire::ApiVersionsRequest>();
  if (!request.ok()) co_return call.refuse(request.error());
  if (call.version() >= kFirstVersionWithName &&
      (!is_software_text(request->client_software_name) || !is_software_text(request->client_software_version))) {
    co_return answer(call, base::ErrorCode::kInvalidRequest);
  }
  co_return answer(call, base::ErrorCode::kNone);
}

}  // namespace stele::server::handlers
