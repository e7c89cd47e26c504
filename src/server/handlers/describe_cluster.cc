#include <fmt/format.h>

#include "server/handlers/cluster.h"
#include "server/handlers/handlers.h"
#include "wire/describe_cluster_request.h"
#include "wire/describe_cluster_response.h"

namespace stele::server::handlers {

namespace {
constexpr int8_t kBrokers = 1;
constexpr int8_t kControllers = 2;
}  // namespace

base::Task<Outcome> describe_cluster(Call& call) {
  auto request = call.decode<wire::DescribeClusterRequest>();
  if (!request.ok()) co_return call.refuse(request.error());
  auto response = call.make<wire::DescribeClusterResponse>();
  if (request->endpoint_type != kBrokers) {
    const bool controllers = request->endpoint_type == kControllers;
    response.error_code = static_cast<int16_t>(controllers ? base::ErrorCode::kMismatchedEndpointType
                                                           : base::ErrorCode::kUnsupportedEndpointType);
    response.error_message =
        controllers ? std::string_view{"The request was sent to an endpoint of type BROKER, but we wanted an endpoint of "
                                       "type CONTROLLER"}
                    : call.keep(fmt::format("Unsupported endpoint type {}", request->endpoint_type));
    co_return call.respond(response);
  }
  response.endpoint_type = kBrokers;
  response.cluster_id = call.broker().identity().cluster_id;
  response.controller_id = call.broker().identity().id.value();
  if (request->include_cluster_authorized_operations) response.cluster_authorized_operations = kClusterOperations;
  const metadata::Image& image = call.broker().view()->image();
  image.brokers.for_each([&](int32_t id, const std::shared_ptr<const metadata::Broker>& broker) {
    const metadata::Endpoint* endpoint = endpoint_for(call, *broker);
    if (endpoint == nullptr || (broker->fenced && !request->include_fenced_brokers)) return;
    auto& entry = response.brokers.emplace_back();
    entry.broker_id = id;
    entry.host = endpoint->host;
    entry.port = endpoint->port;
    entry.is_fenced = broker->fenced;
    if (broker->rack) entry.rack = *broker->rack;
  });
  co_return call.respond(response);
}

}  // namespace stele::server::handlers
