// The producers: one thread, one epoll loop, prepared requests.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "load/frames.h"
#include "load/inbox.h"
#include "load/phase.h"
#include "load/requests.h"

namespace stele::bench {

class Producers {
 public:
  // `requests` outlives it. `in_flight` bounds what a connection has unanswered in the closed loop. `pid` is the
  // process whose CPU time is read, 0 for none. `bare`: it answers Produce alone.
  Producers(const std::string& address, int connections, int in_flight, std::span<const PreparedRequest> requests,
            pid_t pid, bool bare);
  ~Producers();
  Producers(const Producers&) = delete;
  Producers& operator=(const Producers&) = delete;

  // Sends as fast as answers come, until `count` requests are answered.
  void closed(int64_t count, Phase& out);
  // Sends `rate` requests a second for `seconds`, whether answers come or not; a latency counts from the moment a
  // request was due.
  void open(double rate, double seconds, Phase& out);

 private:
  struct Slot {
    int64_t due = 0;
    const PreparedRequest* request = nullptr;
    std::array<std::byte, kFrameHead> head{};
  };
  struct Connection {
    int fd = -1;
    size_t next = 0;        // the prepared request it sends next
    uint64_t queued = 0;    // counts of its requests; queued >= written >= answered
    uint64_t written = 0;   //
    uint64_t answered = 0;  //
    size_t part = 0;        // bytes of request `written` that are sent already
    std::vector<Slot> ring;
    Inbox inbox;
  };

  void begin(Phase& out);
  void end(Phase& out);
  bool enqueue(Connection& connection, int64_t due);
  void write(Connection& connection);
  void advance(Connection& connection, size_t sent);
  void take(Connection& connection, base::Bytes answer, int64_t now);
  // Handles events until `until` or, if that is 0, waits for the first.
  void turn(int64_t until);
  void fill(Connection& connection);
  void drain();
  uint64_t unanswered() const { return unanswered_; }

  int epoll_;
  size_t window_;
  pid_t pid_;
  std::span<const PreparedRequest> requests_;
  std::vector<Connection> connections_;
  Phase* phase_ = nullptr;
  int64_t left_ = 0;  // requests that the closed loop has yet to send
  uint64_t unanswered_ = 0;
};

}  // namespace stele::bench
