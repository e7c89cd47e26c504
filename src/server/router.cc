#include "server/router.h"

#include <algorithm>

#include "io/remote.h"

namespace stele::server {

struct Router::Carried {
  const Handler* handler = nullptr;
  base::ByteVector frame;
  ConnectionInfo connection;
  base::MonoTime received;
};

struct Router::Answer {
  Outcome outcome = Outcome::kClose;
  Response response;
};

std::string_view Call::keep(std::string_view text) {
  if (text.empty()) return {};
  auto* copy = static_cast<char*>(arena_.allocate(text.size(), 1));
  std::copy(text.begin(), text.end(), copy);
  return {copy, text.size()};
}

Outcome Call::refuse(const base::Error& error) {
  const wire::ApiInfo* api = wire::find_api(header_.request_api_key);
  services_.complaints.warn("connection of {}:{} closed: {} v{} (client id \"{}\"): {}", connection_.client_address,
                            connection_.client_port, api != nullptr ? api->name : "unknown API", version(), client_id(),
                            error.message);
  return Outcome::kClose;
}

Outcome Call::refuse_as_too_large() {
  limit_counts().count(Limit::kRequestMemory);
  return refuse({base::ErrorCode::kInvalidRequest,
                 fmt::format("it and its answer take more than {} bytes of memory (stele.request.memory.max)",
                             limits().memory_max)});
}

Router::Router(broker::BrokerShard& broker, RouterLimits limits)
    : broker_(broker),
      limits_(limits.calls),
      fetch_sessions_(limits.sessions, broker.shard().id(), broker.shard().shard_count(), broker.shard().random()),
      produce_waiters_(limits.produce_waiters_max),
      complaints_(broker.shard().log(), broker.shard().clock(), limits.complaints_per_second),
      services_{fetch_sessions_, fetch_waiters_, produce_waiters_, complaints_, limit_counts_, limits_} {
  for (const Handler& handler : all_handlers()) {
    const auto key = static_cast<size_t>(handler.key);
    if (by_key_.size() <= key) by_key_.resize(key + 1);
    by_key_[key] = &handler;
  }
}

const Handler* Router::find(int16_t api_key) const {
  if (api_key < 0 || static_cast<size_t>(api_key) >= by_key_.size()) return nullptr;
  return by_key_[static_cast<size_t>(api_key)];
}

RequestClass Router::class_of(int16_t api_key) const {
  const Handler* handler = find(api_key);
  return handler != nullptr ? handler->request_class : RequestClass::kControl;
}

bool Router::pipelined(int16_t api_key) const {
  const Handler* handler = find(api_key);
  return handler != nullptr && handler->pipelined;
}

bool Router::ends_soon(int16_t api_key) const {
  const Handler* handler = find(api_key);
  return handler != nullptr && !handler->may_wait_long;
}

base::Task<Outcome> Router::handle(Request& request, Response& response) {
  wire::Reader in{request.frame};
  auto header = wire::decode_request_header(in);
  if (!header.ok()) {
    complaints_.warn("connection of {}:{} closed: {}", request.connection->client_address,
                     request.connection->client_port, header.error().message);
    co_return Outcome::kClose;
  }
  const Handler* handler = find(header->request_api_key);
  const bool known = handler != nullptr && header->request_api_version >= handler->min_version &&
                     header->request_api_version <= handler->max_version;
  const bool api_versions = header->request_api_key == static_cast<int16_t>(wire::ApiKey::kApiVersions);
  if ((!known || request.connection->controller) && !api_versions) {
    complaints_.warn("connection of {}:{} closed: API key {} v{} is not served", request.connection->client_address,
                     request.connection->client_port, header->request_api_key, header->request_api_version);
    co_return Outcome::kClose;
  }
  co_return co_await run(*handler, *header, request.frame.subspan(in.position()), *request.connection, request.received,
                         response, request.lease, request.budget);
}

base::Task<Outcome> Router::run(const Handler& handler, wire::RequestHeader header, base::Bytes body,
                                const ConnectionInfo& connection, base::MonoTime received, Response& response,
                                Lease lease, Budget* budget) {
  Call call{broker_, services_, header, body, connection, received, response, std::move(lease), budget};
  const base::ShardId here = broker_.shard().id();
  const base::ShardId target = handler.placement == Placement::kControl ? broker::kControlShard : here;
  if (target == here) co_return co_await handler.handle(call);
  // The frame goes along as a copy: such requests are small, and their work outlives a connection that closes.
  auto carried = std::make_shared<Carried>();
  carried->handler = &handler;
  const auto* frame_end = body.data() + body.size();
  carried->frame.assign(body.data(), frame_end);
  carried->connection = connection;
  carried->received = received;
  Router* peer = peers_.at(target.value());
  const std::string client_id{call.client_id()};
  auto answer =
      co_await io::run_on(broker_.shard(), peer->broker_.home(), [peer, carried, header, client_id]() mutable {
        header.client_id = client_id;
        return peer->serve(carried, header);
      });
  response = std::move(answer.response);
  co_return answer.outcome;
}

base::Task<Router::Answer> Router::serve(std::shared_ptr<Carried> carried, wire::RequestHeader header) {
  Answer answer;
  Call call{broker_, services_, header, carried->frame, carried->connection, carried->received, answer.response};
  answer.outcome = co_await carried->handler->handle(call);
  co_return answer;
}

}  // namespace stele::server
