#include "server/handlers/group_handlers.h"
#include "wire/list_groups_request.h"
#include "wire/list_groups_response.h"

namespace stele::server::handlers {

using base::ErrorCode;

base::Task<Outcome> list_groups(Call& call) {
  auto request = call.decode<wire::ListGroupsRequest>();
  if (!request.ok()) co_return call.refuse(request.error());
  coordinator::ListGroups list;
  for (const std::string_view state : request->states_filter) list.states.emplace_back(state);
  for (const std::string_view type : request->types_filter) list.types.emplace_back(type);
  coordinator::GroupCommand command{0, std::move(list)};
  const auto replies = co_await broker::ask_all_coordinators(call.broker(), std::move(command));
  auto response = call.make<wire::ListGroupsResponse>();
  for (const auto& reply : replies) {
    const auto& listed = std::get<coordinator::ListGroupsReply>(reply);
    // A partition that has just moved away is no failure of the list.
    if (listed.error != ErrorCode::kNone && listed.error != ErrorCode::kNotCoordinator) {
      response.error_code = static_cast<int16_t>(listed.error);
    }
    for (const auto& group : listed.groups) {
      auto& out = response.groups.emplace_back();
      out.group_id = group.group_id;
      out.protocol_type = group.protocol_type;
      out.group_state = group.state;
      out.group_type = "classic";
    }
  }
  if (response.error_code != 0) response.groups.clear();
  co_return call.respond(response);
}

}  // namespace stele::server::handlers
