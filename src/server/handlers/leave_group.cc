#include "server/handlers/group_handlers.h"
#include "wire/leave_group_request.h"
#include "wire/leave_group_response.h"

namespace stele::server::handlers {
namespace {
constexpr int16_t kFirstVersionOfMany = 3;
}  // namespace

base::Task<Outcome> leave_group(Call& call) {
  auto request = call.decode<wire::LeaveGroupRequest>();
  if (!request.ok()) co_return call.refuse(request.error());
  coordinator::LeaveGroup leave;
  leave.group_id = request->group_id;
  if (call.version() < kFirstVersionOfMany) leave.members.push_back({std::string(request->member_id), std::nullopt});
  for (const auto& member : request->members) {
    leave.members.push_back({std::string(member.member_id), own(member.group_instance_id)});
  }
  const auto reply = co_await ask_to_write<coordinator::LeaveGroupReply>(call, std::move(leave));
  auto response = call.make<wire::LeaveGroupResponse>();
  response.error_code = static_cast<int16_t>(reply.error);
  if (call.version() < kFirstVersionOfMany) {
    // There the one member's error is that of the whole.
    if (reply.error == base::ErrorCode::kNone && !reply.members.empty()) {
      response.error_code = static_cast<int16_t>(reply.members.front().error);
    }
    co_return call.respond(response);
  }
  for (const auto& member : reply.members) {
    auto& out = response.members.emplace_back();
    out.member_id = member.member.member_id;
    out.group_instance_id = view(member.member.instance_id);
    out.error_code = static_cast<int16_t>(member.error);
  }
  co_return call.respond(response);
}

}  // namespace stele::server::handlers
