#include "wire/json_printer.h"

#include <fmt/format.h>

#include <cmath>

namespace stele::wire {

void JsonPrinter::quote(std::string_view text) {
  text_ += '"';
  for (char c : text) {
    switch (c) {
      case '"':
        text_ += "\\\"";
        break;
      case '\\':
        text_ += "\\\\";
        break;
      case '\n':
        text_ += "\\n";
        break;
      case '\r':
        text_ += "\\r";
        break;
      case '\t':
        text_ += "\\t";
        break;
      case '\b':
        text_ += "\\b";
        break;
      case '\f':
        text_ += "\\f";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          text_ += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
        } else {
          text_ += c;
        }
    }
  }
  text_ += '"';
}

void JsonPrinter::value(base::Bytes bytes) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  separate();
  text_ += '"';
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (i + k < bytes.size() ? std::to_integer<uint32_t>(bytes[i + k]) : 0);
    }
    for (size_t k = 0; k < 4; ++k) {
      text_ += i + k > bytes.size() ? '=' : kDigits[group >> (18 - 6 * k) & 0x3f];
    }
  }
  text_ += '"';
}

// Java's Double.toString: digits with a point between 10^-3 and 10^7, else one digit before it and an exponent.
void JsonPrinter::value(double value) {
  if (!std::isfinite(value)) {
    plain(std::isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    return;
  }
  const double size = std::abs(value);
  if (size == 0 || (size >= 1e-3 && size < 1e7)) {
    const std::string digits = fmt::format("{}", value);
    plain(digits.find('.') == std::string::npos ? digits + ".0" : digits);
    return;
  }
  // The shortest digits that give the value back, whatever form they come in, brought to d.dddEn.
  for (int precision = 0; precision < 18; ++precision) {
    std::string digits = fmt::format("{:.{}e}", value, precision);
    if (std::strtod(digits.c_str(), nullptr) != value) continue;
    const size_t e = digits.find('e');
    const int exponent = std::stoi(digits.substr(e + 1));
    digits.resize(e);
    if (digits.find('.') == std::string::npos) digits += ".0";
    plain(fmt::format("{}E{}", digits, exponent));
    return;
  }
}

}  // namespace stele::wire
