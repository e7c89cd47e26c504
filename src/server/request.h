// One request as the connection hands it to the router, and what becomes of it.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/task.h"
#include "server/budget.h"
#include "server/frame_buffer.h"
#include "server/response.h"

namespace stele::server {

// What a handler may know of the connection. Outlives its requests.
struct ConnectionInfo {
  uint64_t id = 0;
  std::string listener;     // name of the listener that it came in on
  bool controller = false;  // a listener of the controller: only ApiVersions is answered there
  std::string client_address;
  uint16_t client_port = 0;
  bool sends_files = false;  // its stream takes ranges of files
};

struct Request {
  base::Bytes frame;  // header and body; lives as long as the lease
  Lease lease;
  const ConnectionInfo* connection = nullptr;
  base::MonoTime received;
  Budget* budget = nullptr;  // of the request's class, on the connection's shard
};

enum class Outcome {
  kRespond,
  kSilent,  // answered with nothing (Produce with acks=0)
  kClose,   // the connection ends once all earlier answers are out
};

// Where complete frames go. Called on the connection's shard.
class RequestRouter {
 public:
  virtual ~RequestRouter() = default;
  virtual RequestClass class_of(int16_t api_key) const = 0;
  // True: may start while earlier requests of the kind are unanswered, since it hands its work over before it first
  // suspends.
  virtual bool pipelined(int16_t api_key) const = 0;
  // False where a request may be meant to wait for long, so that a stop does not wait for it.
  virtual bool ends_soon(int16_t api_key) const = 0;
  // Counts the pipelined requests that wait; while it is exhausted none is started.
  virtual Budget& pipelined_waiters() = 0;
  // Frames that are destroyed stop waiting for an answer; work handed over goes on. `request` and `response` outlive
  // the task.
  virtual base::Task<Outcome> handle(Request& request, Response& response) = 0;
};

}  // namespace stele::server
