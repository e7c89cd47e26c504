#include "app/admin_client.h"

#include <fmt/format.h>

#include <algorithm>

#include "wire/api_versions_request.h"
#include "wire/api_versions_response.h"

namespace stele::app {

using base::ErrorCode;

base::Result<AdminClient> AdminClient::connect(std::string_view bootstrap, std::chrono::milliseconds timeout) {
  STELE_TRY_ASSIGN(const std::vector<Address> addresses, parse_addresses(bootstrap));
  base::Error first;
  for (const Address& address : addresses) {
    auto connection = Connection::open(address, std::chrono::steady_clock::now() + timeout);
    base::Result<void> spoken = connection.ok() ? base::Result<void>{} : connection.error();
    if (spoken.ok()) {
      AdminClient client{std::move(connection).value(), timeout};
      spoken = client.negotiate();
      if (spoken.ok()) return client;
    }
    if (&address == &addresses.front()) first = spoken.error();
  }
  return first;
}

AdminClient::AdminClient(Connection connection, std::chrono::milliseconds timeout)
    : connection_(std::move(connection)), timeout_(timeout) {
  versions_.fill(kNoVersion);
}

base::Result<void> AdminClient::negotiate() {
  wire::ApiVersionsRequest request;
  request.client_software_name = "stele";
  request.client_software_version = STELE_VERSION;
  // A broker that does not know the version asked for answers UNSUPPORTED_VERSION in the oldest form, which all know.
  const int32_t correlation = ++correlation_;
  STELE_TRY_ASSIGN(const base::ByteVector bytes, wire::request_frame(correlation, "stele", request, 3));
  STELE_TRY_ASSIGN(const base::ByteVector frame, exchange(bytes, wire::ApiVersionsRequest::kApiKey, correlation));
  const base::Bytes body = base::Bytes{frame}.subspan(4);
  const bool refused = body.size() >= 2 && base::load_be<int16_t>(body.data()) != 0;
  auto answer = wire::from_bytes<wire::ApiVersionsResponse>(body, refused ? 0 : 3);
  Answer<wire::ApiVersionsResponse> second;
  if (answer.ok() && answer->error_code == static_cast<int16_t>(ErrorCode::kUnsupportedVersion)) {
    STELE_TRY_ASSIGN(second, call_at<wire::ApiVersionsResponse>(request, 0));
    answer = second.message;
  }
  STELE_TRY(answer.ok() ? base::Result<void>{} : base::Result<void>{answer.error()});
  if (answer->error_code != 0) {
    return {static_cast<ErrorCode>(answer->error_code),
            fmt::format("{} refused to say what it speaks", address().to_string())};
  }
  for (const auto& api : answer->api_keys) {
    const wire::ApiInfo* ours = wire::find_api(api.api_key);
    if (ours == nullptr || api.api_key >= kKeysMax) continue;
    const int16_t highest = std::min(ours->max_stable_version(), api.max_version);
    if (highest >= std::max(ours->min_version, api.min_version)) versions_[static_cast<size_t>(api.api_key)] = highest;
  }
  return {};
}

base::Result<int16_t> AdminClient::version_of(int16_t api_key) const {
  const int16_t version = versions_[static_cast<size_t>(api_key)];
  if (version != kNoVersion) return version;
  return {ErrorCode::kUnsupportedVersion,
          fmt::format("{} does not serve {} in any version that this program speaks; is it a controller's listener?",
                      address().to_string(), wire::find_api(api_key)->name)};
}

base::Result<base::ByteVector> AdminClient::exchange(base::Bytes frame, int16_t api_key, int32_t correlation) {
  // The server's own timeout is `timeout_` too; its answer that the time is over is better than none.
  const Deadline deadline = std::chrono::steady_clock::now() + timeout_ + std::chrono::seconds{1};
  auto sent = connection_.send(frame, deadline);
  auto answer = sent.ok() ? connection_.receive(deadline) : base::Result<base::ByteVector>{sent.error()};
  if (answer.code() == ErrorCode::kRequestTimedOut) {
    return {ErrorCode::kRequestTimedOut,
            fmt::format("{} did not answer {} within {} s", address().to_string(), wire::find_api(api_key)->name,
                        std::chrono::duration<double>(timeout_).count())};
  }
  if (answer.ok() && base::load_be<int32_t>(answer->data()) != correlation) {
    return base::Error{
        ErrorCode::kInvalidRequest,
        fmt::format("{} answered another request than was asked; is it a Kafka listener?", address().to_string()),
        EPROTO};
  }
  return answer;
}

}  // namespace stele::app
