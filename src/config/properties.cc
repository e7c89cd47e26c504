#include "config/properties.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>

namespace stele::config {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\f'; }

void append_utf8(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out.push_back(static_cast<char>(0xC0 | (code >> 6)));
    out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
  } else if (code < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | (code >> 12)));
    out.push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
  } else {
    out.push_back(static_cast<char>(0xF0 | (code >> 18)));
    out.push_back(static_cast<char>(0x80 | ((code >> 12) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
  }
}

// One logical line: continuations joined, escapes still in place.
struct LogicalLine {
  std::string text;
  int line = 0;
};

class LineReader {
 public:
  explicit LineReader(std::string_view text) : text_(text) {}

  // False at the end. Comments and blank lines are passed over; a comment is never continued.
  bool next(LogicalLine& out) {
    out.text.clear();
    bool cut = false;  // the text ends in a lone backslash: to Java a property without a name
    while (at_ < text_.size()) {
      const int line = line_;
      std::string_view natural = natural_line();
      // As Java has it, a continuation of nothing is a fresh start: what follows may be a comment or blank.
      const bool continued = !out.text.empty();
      natural.remove_prefix(std::min(natural.size(), blanks(natural)));
      if (!continued) {
        cut = false;
        if (natural.empty() || natural[0] == '#' || natural[0] == '!') continue;
        out.line = line;
      }
      const bool continuing = ends_with_odd_backslashes(natural);
      if (continuing) natural.remove_suffix(1);
      out.text += natural;
      cut = continuing && out.text.empty();
      if (!continuing && !out.text.empty()) return true;
    }
    return cut || !out.text.empty();
  }

 private:
  static size_t blanks(std::string_view line) {
    size_t n = 0;
    while (n < line.size() && is_blank(line[n])) ++n;
    return n;
  }
  static bool ends_with_odd_backslashes(std::string_view line) {
    size_t n = 0;
    while (n < line.size() && line[line.size() - 1 - n] == '\\') ++n;
    return n % 2 == 1;
  }
  std::string_view natural_line() {
    const size_t end = text_.find_first_of("\r\n", at_);
    const std::string_view line = text_.substr(at_, end == std::string_view::npos ? end : end - at_);
    if (end == std::string_view::npos) {
      at_ = text_.size();
    } else {
      const bool crlf = text_[end] == '\r' && end + 1 < text_.size() && text_[end + 1] == '\n';
      at_ = end + (crlf ? 2 : 1);
    }
    ++line_;
    return line;
  }

  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1;
};

// UTF-16 surrogate pairs written as two escapes become one character; a lone half becomes U+FFFD.
base::Result<std::string> unescape(std::string_view in, int line) {
  std::string out;
  uint32_t high = 0;
  const auto put = [&](uint32_t code) {
    const bool low = code >= 0xDC00 && code < 0xE000;
    if (high != 0) {
      append_utf8(out, low ? 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00) : 0xFFFD);
      high = 0;
      if (low) return;
    }
    if (code >= 0xD800 && code < 0xDC00) {
      high = code;
    } else {
      append_utf8(out, low ? 0xFFFD : code);
    }
  };
  for (size_t i = 0; i < in.size(); ++i) {
    if (in[i] != '\\' || i + 1 == in.size()) {
      if (in[i] != '\\') put(static_cast<uint8_t>(in[i]));
      continue;
    }
    const char c = in[++i];
    if (c == 'u') {
      uint32_t code = 0;
      const std::string_view digits = in.substr(i + 1, 4);
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
      if (digits.size() < 4 || error != std::errc{} || end != digits.data() + 4) {
        return base::Error{
            base::ErrorCode::kInvalidConfig,
            fmt::format("line {}: malformed \\u escape; write four hexadecimal digits after \\u, or \\\\ "
                        "for a backslash",
                        line)};
      }
      put(code);
      i += 4;
    } else {
      constexpr std::string_view kFrom = "tnrf";
      constexpr std::string_view kTo = "\t\n\r\f";
      const size_t at = kFrom.find(c);
      put(static_cast<uint8_t>(at == std::string_view::npos ? c : kTo[at]));
    }
  }
  if (high != 0) append_utf8(out, 0xFFFD);
  return out;
}

}  // namespace

base::Result<std::vector<Property>> parse_properties(std::string_view text) {
  std::vector<Property> properties;
  LineReader reader(text);
  for (LogicalLine line; reader.next(line);) {
    const std::string_view all = line.text;
    size_t key_end = 0;
    while (key_end < all.size() && all[key_end] != '=' && all[key_end] != ':' && !is_blank(all[key_end])) {
      key_end += all[key_end] == '\\' ? 2 : 1;
    }
    key_end = std::min(key_end, all.size());
    size_t value_begin = key_end;
    while (value_begin < all.size() && is_blank(all[value_begin])) ++value_begin;
    if (value_begin < all.size() && (all[value_begin] == '=' || all[value_begin] == ':')) {
      ++value_begin;
      while (value_begin < all.size() && is_blank(all[value_begin])) ++value_begin;
    }
    STELE_TRY_ASSIGN(std::string key, unescape(all.substr(0, key_end), line.line));
    STELE_TRY_ASSIGN(std::string value, unescape(all.substr(value_begin), line.line));
    properties.push_back({std::move(key), std::move(value), line.line});
  }
  return properties;
}

}  // namespace stele::config
