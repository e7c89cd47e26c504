#include "broker/control_plane.h"
#include "server/handlers/handlers.h"
#include "wire/init_producer_id_request.h"
#include "wire/init_producer_id_response.h"

namespace stele::server::handlers {

// For idempotent producers only: a transactional id is refused, since transactions are not served.
base::Task<Outcome> init_producer_id(Call& call) {
  auto request = call.decode<wire::InitProducerIdRequest>();
  if (!request.ok()) co_return call.refuse(request.error());
  auto response = call.make<wire::InitProducerIdResponse>();
  if (request->transactional_id) {
    response.error_code = static_cast<int16_t>(base::ErrorCode::kInvalidRequest);
    response.producer_epoch = -1;
    co_return call.respond(response);
  }
  // The id and the epoch that a producer had come together or not at all.
  if ((request->producer_id == -1) != (request->producer_epoch == -1)) {
    response.error_code = static_cast<int16_t>(base::ErrorCode::kInvalidRequest);
    response.producer_id = -1;
    response.producer_epoch = -1;
    co_return call.respond(response);
  }
  const auto id = co_await call.broker().control().next_producer_id();
  response.error_code = static_cast<int16_t>(id.code());
  response.producer_id = id.ok() ? id->value() : -1;
  response.producer_epoch = id.ok() ? int16_t{0} : int16_t{-1};
  co_return call.respond(response);
}

}  // namespace stele::server::handlers
