// SIGINT and SIGTERM as a question, so that a command can end its work in order.
#pragma once

namespace stele::app {

// From its construction on the two signals do not end the process. Made before any thread that must not get them.
class Interrupt {
 public:
  Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  ~Interrupt();

  // Whether one has come since; stays true.
  bool asked();

 private:
  int fd_ = -1;
  bool asked_ = false;
};

}  // namespace stele::app
