// Log lines on stderr: "2026-11-21 15:11:06.123Z WARN  text" or a document of JSON, one write(2) for each.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/log_sink.h"

namespace stele::io {

enum class LogForm : uint8_t { kText, kJson };

class StderrLog final : public base::LogSink {
 public:
  explicit StderrLog(base::LogLevel least, LogForm form = LogForm::kText) : least_(least), form_(form) {}
  bool enabled(base::LogLevel level) const override { return level >= least_; }
  void write(base::LogLevel level, std::string_view line) override;

 private:
  base::LogLevel least_;
  LogForm form_;
};

// The line as it is written, with its newline. Control characters in the text become '?', so that bytes of a peer can't
// forge a line.
std::string format_log_line(base::Timestamp at, base::LogLevel level, std::string_view text);
// {"time":"2026-11-21T15:11:06.123Z","level":"warn","message":"text"}, likewise with its newline.
std::string format_json_log_line(base::Timestamp at, base::LogLevel level, std::string_view text);

}  // namespace stele::io
