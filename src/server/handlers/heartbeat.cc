#include "server/handlers/group_handlers.h"
#include "wire/heartbeat_request.h"
#include "wire/heartbeat_response.h"

namespace stele::server::handlers {

base::Task<Outcome> heartbeat(Call& call) {
  auto request = call.decode<wire::HeartbeatRequest>();
  if (!request.ok()) co_return call.refuse(request.error());
  coordinator::Heartbeat beat;
  beat.group_id = request->group_id;
  beat.generation = request->generation_id;
  beat.member_id = request->member_id;
  beat.instance_id = own(request->group_instance_id);
  const auto reply = co_await ask<coordinator::HeartbeatReply>(call, std::move(beat));
  auto response = call.make<wire::HeartbeatResponse>();
  response.error_code = static_cast<int16_t>(reply.error);
  co_return call.respond(response);
}

}  // namespace stele::server::handlers
