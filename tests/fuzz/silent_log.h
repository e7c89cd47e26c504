#pragma once

#include "base/clock.h"
#include "base/log_sink.h"

namespace stele::fuzz {

class SilentLog final : public base::LogSink {
 public:
  bool enabled(base::LogLevel) const override { return false; }
  void write(base::LogLevel, std::string_view) override {}
};

class StoppedClock final : public base::Clock {
 public:
  base::MonoTime now() const override { return {}; }
  base::MonoTime read() const override { return {}; }
  base::Timestamp wall() const override { return base::Timestamp{0}; }
};

}  // namespace stele::fuzz
