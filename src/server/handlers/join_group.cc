#include "server/handlers/group_handlers.h"
#include "wire/join_group_request.h"
#include "wire/join_group_response.h"

namespace stele::server::handlers {
namespace {

constexpr int16_t kFirstVersionWithRebalanceTimeout = 1;
constexpr int16_t kFirstVersionThatNeedsAMemberId = 4;
constexpr int16_t kFirstVersionWithNullProtocol = 7;
constexpr int16_t kFirstVersionThatSkipsAssignment = 9;

}  // namespace

base::Task<Outcome> join_group(Call& call) {
  auto request = call.decode<wire::JoinGroupRequest>();
  if (!request.ok()) co_return call.refuse(request.error());
  coordinator::JoinGroup join;
  join.group_id = request->group_id;
  join.member_id = request->member_id;
  join.instance_id = own(request->group_instance_id);
  join.protocol_type = request->protocol_type;
  for (const auto& protocol : request->protocols) {
    join.protocols.push_back({std::string(protocol.name), own(protocol.metadata)});
  }
  join.session_timeout_ms = request->session_timeout_ms;
  join.rebalance_timeout_ms =
      call.version() < kFirstVersionWithRebalanceTimeout ? request->session_timeout_ms : request->rebalance_timeout_ms;
  join.client_id = call.client_id();
  join.client_host = "/" + call.connection().client_address;
  join.member_id_required = call.version() >= kFirstVersionThatNeedsAMemberId;
  join.can_skip_assignment = call.version() >= kFirstVersionThatSkipsAssignment;
  const auto reply = co_await ask<coordinator::JoinGroupReply>(call, std::move(join));

  auto response = call.make<wire::JoinGroupResponse>();
  response.error_code = static_cast<int16_t>(reply.error);
  response.generation_id = reply.generation;
  response.protocol_type = view(reply.protocol_type);
  response.protocol_name = view(reply.protocol_name);
  if (!reply.protocol_name && call.version() < kFirstVersionWithNullProtocol) response.protocol_name = "";
  response.leader = reply.leader;
  response.skip_assignment = reply.skip_assignment;
  response.member_id = reply.member_id;
  for (const auto& member : reply.members) {
    auto& out = response.members.emplace_back();
    out.member_id = member.member_id;
    out.group_instance_id = view(member.instance_id);
    out.metadata = member.metadata;
  }
  co_return call.respond(response);
}

}  // namespace stele::server::handlers
