#include "load/process.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace stele::bench {

void fail(const std::string& why) {
  fmt::print(stderr, "stele_load: {}\n", why);
  std::exit(1);
}

int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

std::string content(const std::string& path) {
  std::ifstream file(path);
  if (!file) fail("cannot read " + path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void read_process(pid_t pid, Usage& out) {
  const std::string text = content(fmt::format("/proc/{}/stat", pid));
  // The name in parentheses may hold spaces; after it come state (3rd field) to utime (14th) and stime (15th).
  std::istringstream fields(text.substr(text.rfind(')') + 1));
  std::string skipped;
  for (int i = 3; i < 14; ++i) fields >> skipped;
  const double ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  double user = 0, system = 0;
  fields >> user >> system;
  out.user = user / ticks;
  out.system = system / ticks;
}

}  // namespace

Usage usage(pid_t pid) {
  Usage out;
  if (pid > 0) read_process(pid, out);
  rusage self{};
  ::getrusage(RUSAGE_SELF, &self);
  out.client = seconds(self.ru_utime) + seconds(self.ru_stime);
  std::istringstream fields(content("/proc/stat"));
  std::string name;
  double user = 0, nice = 0, system = 0, idle = 0, waiting = 0, hard = 0, soft = 0, stolen = 0;
  fields >> name >> user >> nice >> system >> idle >> waiting >> hard >> soft >> stolen;
  const double ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  out.machine = (user + nice + system + hard + soft) / ticks;
  out.stolen = stolen / ticks;
  out.at = now_ns();
  return out;
}

int64_t resident_bytes(pid_t pid) {
  if (pid <= 0) return 0;
  std::istringstream lines(content(fmt::format("/proc/{}/status", pid)));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("VmRSS:")) return std::strtoll(line.c_str() + 6, nullptr, 10) * 1024;
  }
  return 0;
}

}  // namespace stele::bench
