// What /proc tells of a process and of the machine, and the clock of the load.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace stele::bench {

// Ends the program with a message on standard error: a run that is not clean gives no figures.
[[noreturn]] void fail(const std::string& why);

// Nanoseconds of the monotonic clock.
int64_t now_ns();

struct Usage {
  double user = 0;     // seconds of the process, all threads
  double system = 0;   //
  double client = 0;   // seconds of this program
  double machine = 0;  // seconds of all processors that were not idle, waiting or stolen
  double stolen = 0;   // taken by the hypervisor
  int64_t at = 0;      // now_ns()
};

// `pid` 0: no process is watched and its figures are 0.
Usage usage(pid_t pid);
// Resident bytes now; 0 for pid 0.
int64_t resident_bytes(pid_t pid);

}  // namespace stele::bench
