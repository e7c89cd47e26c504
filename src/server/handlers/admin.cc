// Changes of topics and configs: the controller decides, and the answer goes out once every shard of this broker lives
// by it.
#include "broker/control_plane.h"
#include "broker/controller_host.h"
#include "server/handlers/cluster.h"
#include "server/handlers/handlers.h"

namespace stele::server::handlers {

namespace {

// What a record takes until it is committed: as it was decided, in its batch, and what is new in the image.
constexpr size_t kBytesPerRecord = 1024;

// Where the metadata log takes no more writes the broker is about to stop: the client is to look for another
// controller, which it does when the connection closes.
Outcome not_controller(Call& call, const base::Error& error) { return call.refuse(error); }

template <class Request, class Decide>
base::Task<Outcome> change(Call& call, Decide decide) {
  auto request = call.decode<Request>();
  if (!request.ok()) co_return call.refuse(request.error());
  broker::ControlPlane& control = call.broker().control();
  auto decision = decide(call, control.controller().core(), *request);
  BudgetCharge uncommitted;
  if (call.budget() != nullptr) uncommitted.add(*call.budget(), decision.records.size() * kBytesPerRecord);
  auto answer = co_await control.controller().commit(std::move(decision));
  if (!answer.ok()) co_return not_controller(call, answer.error());
  co_await control.catch_up();
  co_return call.respond(*answer);
}

}  // namespace

base::Task<Outcome> create_topics(Call& call) {
  return change<wire::CreateTopicsRequest>(call, [](Call& c, controller::Controller& core, const auto& request) {
    return core.create_topics(request, c.broker().shard().random(), c.arena());
  });
}

base::Task<Outcome> delete_topics(Call& call) {
  return change<wire::DeleteTopicsRequest>(call, [](Call& c, controller::Controller& core, const auto& request) {
    return core.delete_topics(request, c.arena());
  });
}

base::Task<Outcome> create_partitions(Call& call) {
  return change<wire::CreatePartitionsRequest>(call, [](Call& c, controller::Controller& core, const auto& request) {
    return core.create_partitions(request, c.broker().shard().random(), c.arena());
  });
}

base::Task<Outcome> incremental_alter_configs(Call& call) {
  return change<wire::IncrementalAlterConfigsRequest>(call,
                                                      [](Call& c, controller::Controller& core, const auto& request) {
                                                        return core.incremental_alter_configs(request, c.arena());
                                                      });
}

base::Task<Outcome> alter_configs(Call& call) {
  return change<wire::AlterConfigsRequest>(call, [](Call& c, controller::Controller& core, const auto& request) {
    return core.alter_configs(request, c.arena());
  });
}

}  // namespace stele::server::handlers
