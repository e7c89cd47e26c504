#include "admin/metrics_text.h"

#include <fmt/format.h>

namespace stele::admin {

namespace {

// A label's value in quotes; the help line escapes the same, save for the quotes.
std::string escaped(std::string_view text, bool quoted) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quoted) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

void MetricsText::begin(std::string_view name, std::string_view help, std::string_view type) {
  name_ = name;
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, escaped(help, false), name, type);
}

void MetricsText::sample(uint64_t value, Labels labels) { add("", fmt::to_string(value), labels); }
void MetricsText::sample(double value, Labels labels) { add("", fmt::format("{:.6g}", value), labels); }
void MetricsText::sample_sum(double value, Labels labels) { add("_sum", fmt::format("{:.6f}", value), labels); }
void MetricsText::sample_count(uint64_t value, Labels labels) { add("_count", fmt::to_string(value), labels); }

void MetricsText::add(std::string_view suffix, const std::string& value, Labels labels) {
  text_ += name_;
  text_ += suffix;
  char before = '{';
  for (const auto& [label, content] : labels) {
    text_ += fmt::format("{}{}=\"{}\"", before, label, escaped(content, true));
    before = ',';
  }
  if (before == ',') text_ += '}';
  text_ += ' ';
  text_ += value;
  text_ += '\n';
}

}  // namespace stele::admin
