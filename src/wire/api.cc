#include "wire/api.h"

#include <fmt/format.h>

#include <algorithm>

namespace stele::wire {

const ApiInfo* find_api(int16_t key) {
  const auto apis = all_apis();
  const auto at =
      std::lower_bound(apis.begin(), apis.end(), key, [](const ApiInfo& api, int16_t k) { return api.key < k; });
  return at != apis.end() && at->key == key ? &*at : nullptr;
}

base::Result<RequestHeader> decode_request_header(Reader& in) {
  Reader ahead = in;
  const auto key = ahead.get<int16_t>();
  const auto version = ahead.get<int16_t>();
  STELE_TRY(ahead.result("RequestHeader", 1));
  const ApiInfo* api = find_api(key);
  if (api == nullptr)
    return base::Error{base::ErrorCode::kInvalidRequest, fmt::format("there is no API with key {}", key)};
  RequestHeader header;
  STELE_TRY(decode(in, api->request_header_version(version), header));
  return header;
}

}  // namespace stele::wire
