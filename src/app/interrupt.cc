#include "app/interrupt.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

namespace stele::app {

Interrupt::Interrupt() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  fd_ = ::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

Interrupt::~Interrupt() {
  if (fd_ >= 0) ::close(fd_);
}

bool Interrupt::asked() {
  signalfd_siginfo info;
  if (!asked_ && fd_ >= 0) asked_ = ::read(fd_, &info, sizeof info) == static_cast<ssize_t>(sizeof info);
  return asked_;
}

}  // namespace stele::app
