// CHECK: an invariant of our own code. Always on; prints what it saw and aborts.
// Never used on bytes that come from a peer or from a disk: those are answered with a Result.
#pragma once

#include <fmt/format.h>

#include <string>

namespace stele::base {

[[noreturn]] void check_failed(const char* file, int line, const char* condition, const std::string& values);

}  // namespace stele::base

// CHECK(cond) or CHECK(cond, "format {}", values...)
#define STELE_CHECK(condition, ...)                                                     \
  do {                                                                                  \
    if (!(condition)) [[unlikely]] {                                                    \
      ::stele::base::check_failed(__FILE__, __LINE__, #condition,                       \
                                  std::string{__VA_OPT__(::fmt::format(__VA_ARGS__))}); \
    }                                                                                   \
  } while (false)
