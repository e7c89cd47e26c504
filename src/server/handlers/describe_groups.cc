#include <set>

#include "server/handlers/cluster.h"
#include "server/handlers/group_handlers.h"
#include "wire/describe_groups_request.h"
#include "wire/describe_groups_response.h"

namespace stele::server::handlers {
namespace {

using base::ErrorCode;

constexpr int16_t kFirstVersionWithNotFound = 6;

void fill(Call& call, const coordinator::DescribeGroupReply& reply, bool operations,
          wire::DescribeGroupsResponse::DescribedGroup& out) {
  out.group_id = call.keep(reply.group_id);
  out.group_state = call.keep(reply.state);
  if (reply.error == ErrorCode::kGroupIdNotFound && call.version() < kFirstVersionWithNotFound) return;
  out.error_code = static_cast<int16_t>(reply.error);
  if (reply.error == ErrorCode::kGroupIdNotFound) {
    out.error_message = call.keep("Group " + reply.group_id + " not found.");
  }
  if (reply.error != ErrorCode::kNone) return;
  if (operations) out.authorized_operations = kGroupOperations;
  out.protocol_type = call.keep(reply.protocol_type);
  out.protocol_data = call.keep(reply.protocol);
  for (const auto& member : reply.members) {
    auto& shown = out.members.emplace_back();
    shown.member_id = member.member_id;
    shown.group_instance_id = view(member.instance_id);
    shown.client_id = member.client_id;
    shown.client_host = member.client_host;
    shown.member_metadata = member.metadata;
    shown.member_assignment = member.assignment;
  }
}

}  // namespace

base::Task<Outcome> describe_groups(Call& call) {
  auto request = call.decode<wire::DescribeGroupsRequest>();
  if (!request.ok()) co_return call.refuse(request.error());
  auto response = call.make<wire::DescribeGroupsResponse>();
  std::vector<coordinator::DescribeGroupReply> replies;  // the response holds views of them
  replies.reserve(request->groups.size());
  std::set<std::string_view> told;
  for (const std::string_view group : request->groups) {
    if (!told.insert(group).second) continue;
    coordinator::DescribeGroup describe;
    describe.group_id = group;
    replies.push_back(co_await ask<coordinator::DescribeGroupReply>(call, std::move(describe)));
    fill(call, replies.back(), request->include_authorized_operations, response.groups.emplace_back());
  }
  co_return call.respond(response);
}

}  // namespace stele::server::handlers
