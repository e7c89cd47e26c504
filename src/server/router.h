// From frames to handlers, on one shard.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "broker/broker_shard.h"
#include "server/call.h"
#include "server/fetch_session.h"
#include "server/request.h"

namespace stele::server {

// Where a request is worked on.
enum class Placement {
  kHere,     // on the connection's shard
  kControl,  // whole, on the shard of the controller
};

struct Handler {
  wire::ApiKey key;
  int16_t min_version = 0;
  int16_t max_version = 0;
  RequestClass request_class = RequestClass::kControl;
  Placement placement = Placement::kHere;
  bool pipelined = false;
  bool may_wait_long = false;  // until something happens: records come, a group is complete
  base::Task<Outcome> (*handle)(Call& call) = nullptr;
  int16_t advertised_min = -1;  // where it differs from min_version
};

// Every API that this broker serves, by key. Nothing else is advertised.
std::span<const Handler> all_handlers();

struct RouterLimits {
  CallLimits calls{};
  FetchSessionLimits sessions{};
  size_t produce_waiters_max = 100'000;  // stele.produce.waiters.max, of one shard
};

class Router final : public RequestRouter {
 public:
  Router(broker::BrokerShard& broker, RouterLimits limits);

  // The routers of all shards, by shard; set once before the first request.
  void set_peers(std::vector<Router*> peers) { peers_ = std::move(peers); }
  // The budgets of this shard, [kRequestClasses], for requests that come in on another; set once before the first.
  void set_budgets(Budget* budgets) { budgets_ = budgets; }

  RequestClass class_of(int16_t api_key) const override;
  bool pipelined(int16_t api_key) const override;
  bool ends_soon(int16_t api_key) const override;
  Budget& pipelined_waiters() override { return produce_waiters_; }
  size_t produce_waiters() const { return produce_waiters_.used(); }
  size_t fetch_waiters() const { return fetch_waiters_; }
  base::Task<Outcome> handle(Request& request, Response& response) override;

 private:
  // A request on its way to another shard, with all it needs.
  struct Carried;
  struct Answer;

  const Handler* find(int16_t api_key) const;
  base::Task<Outcome> run_on_control(const Handler& handler, const wire::RequestHeader& header, base::Bytes body,
                                     const Request& request, Response& response);
  static base::Task<Answer> ask(io::Shard& home, Router& peer, std::shared_ptr<Carried> carried);
  base::Task<Answer> serve(std::shared_ptr<Carried> carried);

  broker::BrokerShard& broker_;
  CallLimits limits_;
  FetchSessions fetch_sessions_;
  size_t fetch_waiters_ = 0;
  Budget produce_waiters_;
  base::Complaints& complaints_;
  CallServices services_;
  std::vector<const Handler*> by_key_;
  std::vector<Router*> peers_;
  Budget* budgets_ = nullptr;
};

}  // namespace stele::server
