#include "io/stderr_log.h"

#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

namespace stele::io {

namespace {

std::string_view name_of(base::LogLevel level) {
  switch (level) {
    case base::LogLevel::kDebug:
      return "DEBUG";
    case base::LogLevel::kInfo:
      return "INFO ";
    case base::LogLevel::kWarn:
      return "WARN ";
    case base::LogLevel::kError:
      return "ERROR";
  }
  return "?";
}

std::string time_text(base::Timestamp at, char between) {
  const time_t seconds = at.value() / 1000;
  tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     between, utc.tm_hour, utc.tm_min, utc.tm_sec, at.value() % 1000);
}

}  // namespace

std::string format_json_log_line(base::Timestamp at, base::LogLevel level, std::string_view text) {
  std::string name{name_of(level).substr(0, name_of(level).find(' '))};
  std::ranges::transform(name, name.begin(), [](char c) { return static_cast<char>(c - 'A' + 'a'); });
  std::string line = fmt::format(R"({{"time":"{}","level":"{}","message":")", time_text(at, 'T'), name);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') line += '\\';
    line += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  return line + "\"}\n";
}

std::string format_log_line(base::Timestamp at, base::LogLevel level, std::string_view text) {
  std::string line = fmt::format("{} {} ", time_text(at, ' '), name_of(level));
  const size_t start = line.size();
  line += text;
  std::replace_if(
      line.begin() + static_cast<std::ptrdiff_t>(start), line.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  line += '\n';
  return line;
}

void StderrLog::write(base::LogLevel level, std::string_view line) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const base::Timestamp at{now.tv_sec * 1000 + now.tv_nsec / 1'000'000};
  const std::string text =
      form_ == LogForm::kJson ? format_json_log_line(at, level, line) : format_log_line(at, level, line);
  // A log line that can't be written has nowhere to be reported.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace stele::io
