// One client connection: frames in, answers out, in order.
#pragma once

#include <cstdint>
#include <list>
#include <memory>

#include "base/clock.h"
#include "base/executor.h"
#include "base/limit.h"
#include "base/log_sink.h"
#include "io/shard.h"
#include "server/budget.h"
#include "server/frame_input.h"
#include "server/request.h"
#include "server/response.h"
#include "server/traffic.h"

namespace stele::server {

struct ConnectionLimits {
  size_t frame_bytes_max = 104857600;                 // socket.request.max.bytes
  size_t requests_in_flight_max = 1000;               // stele.connection.requests.max
  size_t response_bytes_waiting_max = 1 << 20;        // stele.connection.answers.bytes: above it no request is started
  base::Duration idle_max{std::chrono::minutes{10}};  // connections.max.idle.ms; negative: never
  base::Duration partial_frame_max{std::chrono::seconds{30}};  // stele.connection.frame.timeout.ms
  base::Duration write_stall_max{std::chrono::seconds{60}};    // stele.connection.write.timeout.ms
};

// What all connections of one shard share. Outlives them.
struct ConnectionContext {
  io::Shard& shard;
  BufferPool& pool;
  Budget* budgets;  // [kRequestClasses]
  RequestRouter& router;
  const ConnectionLimits& limits;
  Traffic& traffic;
};

// Requests start in their order. A pipelined request may start while earlier pipelined ones wait; every other starts
// after all earlier ones are answered, and nothing starts beside it. Answers keep the order of requests. Owned by the
// shard's server.
class Connection : public base::ListNode {
 public:
  Connection(ConnectionContext context, std::unique_ptr<io::Stream> stream, ConnectionInfo info);

  // Serves until the peer leaves, an error, or close().
  base::Task<void> run();
  // Ends run() soon; may be called at any time.
  void close(const char* reason);
  // Ends run() once the requests in progress are answered, save those that may wait for long. No further one is
  // started.
  void close_when_answered();
  // Closes where a deadline of the limits has passed.
  void check_deadlines(base::MonoTime now);
  const ConnectionInfo& info() const { return info_; }

 private:
  struct Slot {
    Request request;
    Response response;
    Outcome outcome = Outcome::kRespond;
    bool done = false;
    int16_t api_key = -1;
    base::MonoTime arrived;
    size_t request_bytes = 0;
  };
  enum class Step { kWait, kAgain, kClosed };

  Step step();
  bool start_requests();
  void start(Frame frame, bool pipelined);
  base::Task<void> serve(Slot& slot);
  void take_answers();
  void give_up(base::Limit limit, const char* reason);
  bool may_start(int16_t api_key);
  bool hold(base::Limit limit);
  bool waits_for_waiters(int16_t api_key);
  bool works_on_something() const;
  bool flush();
  base::Task<void> load(io::FileRange range);
  Step read();
  Step wait_for_memory();
  bool reading_pays();
  Budget& budget();

  ConnectionContext context_;
  std::unique_ptr<io::Stream> stream_;
  ConnectionInfo info_;
  base::Signal wake_;
  Budget::Holder holders_[kRequestClasses];
  Budget::Holder waiting_to_start_;  // for the router's pipelined_waiters()
  FrameInput input_;
  OutputQueue output_;
  std::list<Slot> slots_;
  std::list<Slot> spare_slots_;  // at most one, for the next request
  bool exclusive_ = false;       // the only slot is one that nothing may start beside
  RequestClass class_ = RequestClass::kControl;
  const char* closing_ = nullptr;
  bool close_after_answers_ = false;
  bool draining_ = false;
  bool ended_ = false;         // the peer sends no more: what it sent is worked off
  bool held_up_ = false;       // a frame stays partial because it is not read on, which is not the peer's fault
  bool more_to_send_ = false;  // the peer would take it: others come first
  bool loading_ = false;       // what is to be sent next comes from the disk
  base::MonoTime read_at_;     // when the latest bytes came
  size_t work_ = 0;            // of the present step
  bool held_ = false;          // the next request waits at a limit that was counted
  base::MonoTime last_active_;
  base::MonoTime partial_since_;
  base::MonoTime stalled_since_;
  base::TaskScope requests_;  // last: its tasks refer to all the above
};

}  // namespace stele::server
