#include "server/router.h"

#include <algorithm>

#include "io/remote.h"
#include "server/held_work.h"

namespace stele::server {

struct Router::Carried {
  const Handler* handler = nullptr;
  base::ShardId from;
  wire::RequestHeader header;
  std::string client_id;  // of the header
  base::ByteVector body;
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
  complaints().count(base::Limit::kRequestMemory);
  return refuse({base::ErrorCode::kInvalidRequest,
                 fmt::format("it and its answer take more than {} bytes of memory (stele.request.memory.max)",
                             limits().memory_max)});
}

Router::Router(broker::BrokerShard& broker, RouterLimits limits)
    : broker_(broker),
      limits_(limits.calls),
      fetch_sessions_(limits.sessions, broker.shard().id(), broker.shard().shard_count(), broker.shard().random()),
      produce_waiters_(limits.produce_waiters_max),
      complaints_(broker.shard().complaints()),
      services_{fetch_sessions_, fetch_waiters_, produce_waiters_, complaints_, limits_} {
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
  const base::Bytes body = request.frame.subspan(in.position());
  if (handler->placement == Placement::kControl) {
    co_return co_await run_on_control(*handler, *header, body, request, response);
  }
  Call call{broker_,          services_, *header,       body,          *request.connection,
            request.received, response,  request.lease, request.budget};
  co_return co_await handler->handle(call);
}

// Such work goes on when the connection is gone. So it gets a copy of the frame, also where it stays on this shard, and
// that copy stays charged until it is answered.
base::Task<Outcome> Router::run_on_control(const Handler& handler, const wire::RequestHeader& header, base::Bytes body,
                                           const Request& request, Response& response) {
  auto carried = std::make_shared<Carried>();
  carried->handler = &handler;
  carried->from = broker_.shard().id();
  carried->header = header;
  if (header.client_id) carried->client_id = *header.client_id;
  if (header.client_id) carried->header.client_id = carried->client_id;
  carried->body.assign(body.begin(), body.end());
  carried->connection = *request.connection;
  carried->received = request.received;
  Router& peer = *peers_.at(broker::kControlShard.value());
  const size_t bytes = request.frame.size();
  auto answer = co_await hold_to_the_end(broker_, request.budget, bytes, ask(broker_.shard(), peer, carried));
  response = std::move(answer.response);
  co_return answer.outcome;
}

base::Task<Router::Answer> Router::ask(io::Shard& home, Router& peer, std::shared_ptr<Carried> carried) {
  if (home.id() == broker::kControlShard) co_return co_await peer.serve(std::move(carried));
  co_return co_await io::run_on(home, peer.broker_.home(), [&peer, carried]() { return peer.serve(carried); });
}

// What came from another shard waits for room in the budget of this one, as the frames of its own connections wait to
// be read.
base::Task<Router::Answer> Router::serve(std::shared_ptr<Carried> carried) {
  Budget* const budget =
      budgets_ == nullptr ? nullptr : &budgets_[static_cast<size_t>(carried->handler->request_class)];
  if (budget != nullptr && carried->from != broker_.shard().id()) {
    base::Signal room{broker_.shard().executor()};
    Budget::Holder holder{*budget, room};
    while (budget->exhausted()) {
      budget->await_room(holder);
      co_await room.wait();
    }
  }
  Answer answer;
  Call call{broker_,         services_, carried->header, carried->body, carried->connection, carried->received,
            answer.response, {},        budget};
  answer.outcome = co_await carried->handler->handle(call);
  co_return answer;
}

}  // namespace stele::server
