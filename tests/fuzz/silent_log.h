#pragma once

#include "base/log_sink.h"

namespace stele::fuzz {

class SilentLog final : public base::LogSink {
 public:
  bool enabled(base::LogLevel) const override { return false; }
  void write(base::LogLevel, std::string_view) override {}
};

}  // namespace stele::fuzz
