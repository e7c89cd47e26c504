#include "server/handlers/group_handlers.h"
#include "wire/sync_group_request.h"
#include "wire/sync_group_response.h"

namespace stele::server::handlers {
namespace {
constexpr int16_t kFirstVersionWithProtocol = 5;
}  // namespace

base::Task<Outcome> sync_group(Call& call) {
  auto request = call.decode<wire::SyncGroupRequest>();
  if (!request.ok()) co_return call.refuse(request.error());
  auto response = call.make<wire::SyncGroupResponse>();
  // Optional in form, mandatory since the version that has them (SyncGroupRequest of Kafka).
  if (call.version() >= kFirstVersionWithProtocol && (!request->protocol_type || !request->protocol_name)) {
    response.error_code = static_cast<int16_t>(base::ErrorCode::kInconsistentGroupProtocol);
    co_return call.respond(response);
  }
  coordinator::SyncGroup sync;
  sync.group_id = request->group_id;
  sync.generation = request->generation_id;
  sync.member_id = request->member_id;
  sync.instance_id = own(request->group_instance_id);
  sync.protocol_type = own(request->protocol_type);
  sync.protocol_name = own(request->protocol_name);
  for (const auto& assignment : request->assignments) {
    sync.assignments.push_back({std::string(assignment.member_id), own(assignment.assignment)});
  }
  const auto reply = co_await ask<coordinator::SyncGroupReply>(call, std::move(sync));
  response.error_code = static_cast<int16_t>(reply.error);
  response.protocol_type = view(reply.protocol_type);
  response.protocol_name = view(reply.protocol_name);
  response.assignment = reply.assignment;
  co_return call.respond(response);
}

}  // namespace stele::server::handlers
