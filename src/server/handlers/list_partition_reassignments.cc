#include "server/handlers/handlers.h"
#include "wire/list_partition_reassignments_request.h"
#include "wire/list_partition_reassignments_response.h"

namespace stele::server::handlers {

// There is nowhere to reassign a partition to while there is one broker: the list is empty, as Kafka's is there.
base::Task<Outcome> list_partition_reassignments(Call& call) {
  const auto request = call.decode<wire::ListPartitionReassignmentsRequest>();
  if (!request.ok()) co_return call.refuse(request.error());
  auto response = call.make<wire::ListPartitionReassignmentsResponse>();
  response.error_message.reset();
  co_return call.respond(response);
}

}  // namespace stele::server::handlers
