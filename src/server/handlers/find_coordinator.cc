#include "server/handlers/cluster.h"
#include "server/handlers/group_handlers.h"
#include "wire/find_coordinator_request.h"
#include "wire/find_coordinator_response.h"

namespace stele::server::handlers {
namespace {

using base::ErrorCode;

constexpr int16_t kFirstVersionOfMany = 4;
constexpr int8_t kGroupKey = 0;
constexpr int8_t kTransactionKey = 1;
constexpr int8_t kShareKey = 2;
constexpr std::string_view kInvalidRequestText =
    "This most likely occurs because of a request being malformed by the client library or the message was sent to an "
    "incompatible broker. See the broker logs for more details.";
constexpr std::string_view kNotAvailableText = "The coordinator is not available.";

// The topic is made when it is first asked for, and the answer waits for it: Kafka answers COORDINATOR_NOT_AVAILABLE
// here and lets the client come again.
base::Task<void> create_offsets_topic(Call& call) {
  if (call.broker().view()->image().topic(broker::kOffsetsTopic) != nullptr) co_return;
  std::vector<std::string> names{std::string(broker::kOffsetsTopic)};
  const auto errors = co_await create_on_control(call, std::move(names));
  for (const auto& [name, error] : errors) {
    call.complaints().error("{} can't be created, consumers that subscribe wait for it: {}", name, error.message);
  }
}

struct Found {
  ErrorCode code = ErrorCode::kNone;
  std::string_view message;
  int32_t node_id = -1;
  std::string_view host;
  int32_t port = -1;
};

Found refusal(ErrorCode code, std::string_view message) {
  Found found;
  found.code = code;
  found.message = message;
  return found;
}

Found find(const Call& call, int8_t key_type, std::string_view key) {
  if (key_type == kShareKey) return refusal(ErrorCode::kInvalidRequest, {});
  // Transactions are not served yet; a client asks again until they are.
  if (key_type == kTransactionKey) return refusal(ErrorCode::kCoordinatorNotAvailable, kNotAvailableText);
  if (key_type != kGroupKey) return refusal(ErrorCode::kInvalidRequest, kInvalidRequestText);
  const broker::ClusterView& view = *call.broker().view();
  const auto place = broker::group_partition(view, key);
  const metadata::Partition* partition = place ? view.image().partition(place->topic, place->partition) : nullptr;
  const metadata::Broker* leader = partition ? view.image().broker(partition->leader) : nullptr;
  const metadata::Endpoint* endpoint = leader ? endpoint_for(call, *leader) : nullptr;
  if (endpoint == nullptr) return refusal(ErrorCode::kCoordinatorNotAvailable, kNotAvailableText);
  return {ErrorCode::kNone, {}, partition->leader.value(), endpoint->host, endpoint->port};
}

}  // namespace

base::Task<Outcome> find_coordinator(Call& call) {
  auto request = call.decode<wire::FindCoordinatorRequest>();
  if (!request.ok()) co_return call.refuse(request.error());
  if (request->key_type == kGroupKey) co_await create_offsets_topic(call);
  auto response = call.make<wire::FindCoordinatorResponse>();
  if (call.version() < kFirstVersionOfMany) {
    const Found found = find(call, request->key_type, request->key);
    response.error_code = static_cast<int16_t>(found.code);
    response.error_message = found.code == ErrorCode::kNone ? "NONE" : found.message;
    response.node_id = found.node_id;
    response.host = found.host;
    response.port = found.port;
    co_return call.respond(response);
  }
  for (const std::string_view key : request->coordinator_keys) {
    const Found found = find(call, request->key_type, key);
    auto& out = response.coordinators.emplace_back();
    out.key = key;
    out.error_code = static_cast<int16_t>(found.code);
    out.error_message = found.message;
    out.node_id = found.node_id;
    out.host = found.host;
    out.port = found.port;
  }
  co_return call.respond(response);
}

}  // namespace stele::server::handlers
