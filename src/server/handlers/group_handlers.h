// The handlers of consumer groups, classic protocol; and what they share.
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "base/task.h"
#include "broker/coordinator_host.h"
#include "coordinator/group/commands.h"
#include "server/call.h"
#include "server/held_work.h"

namespace stele::server::handlers {

base::Task<Outcome> find_coordinator(Call& call);
base::Task<Outcome> join_group(Call& call);
base::Task<Outcome> sync_group(Call& call);
base::Task<Outcome> heartbeat(Call& call);
base::Task<Outcome> leave_group(Call& call);
base::Task<Outcome> offset_commit(Call& call);
base::Task<Outcome> offset_fetch(Call& call);
base::Task<Outcome> describe_groups(Call& call);
base::Task<Outcome> list_groups(Call& call);

// Asks the group's coordinator and gives its reply of the kind that belongs to the command.
template <class ReplyBody, class Command>
base::Task<ReplyBody> ask(Call& call, Command command) {
  std::string group_id = command.group_id;
  coordinator::GroupCommand carried{0, std::move(command)};
  auto reply = co_await broker::ask_coordinator(call.broker(), std::move(group_id), std::move(carried));
  co_return std::get<ReplyBody>(std::move(reply));
}

// The same for what the coordinator writes to its log: what waits there for the disk stays charged, whether or not the
// client waits too. Members that wait for one another are not asked for so: the group counts what it knows of them.
template <class ReplyBody, class Command>
base::Task<ReplyBody> ask_to_write(Call& call, Command command) {
  std::string group_id = command.group_id;
  coordinator::GroupCommand carried{0, std::move(command)};
  constexpr size_t kTimesItsRequest = 4;  // as a command and as records
  const size_t bytes = kTimesItsRequest * call.body_bytes();
  auto reply =
      co_await hold_to_the_end(call.broker(), call.budget(), bytes,
                               broker::ask_coordinator(call.broker(), std::move(group_id), std::move(carried)));
  co_return std::get<ReplyBody>(std::move(reply));
}

inline std::optional<std::string> own(const std::optional<std::string_view>& text) {
  return text ? std::optional<std::string>(*text) : std::nullopt;
}
inline base::ByteVector own(base::Bytes bytes) { return {bytes.begin(), bytes.end()}; }
inline std::optional<std::string_view> view(const std::optional<std::string>& text) {
  return text ? std::optional<std::string_view>(*text) : std::nullopt;
}

}  // namespace stele::server::handlers
