// A blocking connection to a broker, for the command line. Frames out, frames in, each with a deadline.
#pragma once

#include <chrono>
#include <string>

#include "app/address.h"
#include "base/bytes.h"
#include "base/result.h"

namespace stele::app {

using Deadline = std::chrono::steady_clock::time_point;

class Connection {
 public:
  // Errors: os_error is set where the system refused; the message names the address and says what to do.
  static base::Result<Connection> open(const Address& address, Deadline deadline);
  Connection(Connection&& other) noexcept;
  Connection& operator=(Connection&& other) noexcept;
  ~Connection();

  base::Result<void> send(base::Bytes frame, Deadline deadline);
  // One frame without its length. kRequestTimedOut past the deadline; kInvalidRequest for what can't be Kafka's
  // protocol.
  base::Result<base::ByteVector> receive(Deadline deadline);
  const Address& address() const { return address_; }

 private:
  Connection(Address address, int fd) : address_(std::move(address)), fd_(fd) {}
  base::Result<void> read_exactly(base::MutableBytes into, Deadline deadline);

  Address address_;
  int fd_ = -1;
};

}  // namespace stele::app
