// Prints values as the JSON of Kafka's own tools: bytes in base64, ids in their text form, doubles as Java writes them.
#pragma once

#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/bytes.h"
#include "base/uuid.h"

namespace stele::wire {

class JsonPrinter {
 public:
  const std::string& text() const { return text_; }

  void begin_object() { begin('{'); }
  void end_object() { end('}'); }
  void name(std::string_view name) {
    separate();
    quote(name);
    text_ += ':';
    first_ = true;
  }

  void value(bool value) { plain(value ? "true" : "false"); }
  void value(double value);
  void value(std::string_view value) {
    separate();
    quote(value);
  }
  void value(base::Bytes bytes);
  void value(const base::Uuid& id) { value(std::string_view{id.to_string()}); }
  template <class T>
    requires std::is_integral_v<T>
  void value(T value) {
    plain(std::to_string(value));
  }
  // Structures are printed by print(printer, version, structure), found beside their type.
  template <class T>
  void print_value(int16_t version, const T& value) {
    if constexpr (requires { this->value(value); }) {
      this->value(value);
    } else {
      print(*this, version, value);
    }
  }
  template <class T>
  void print_value(int16_t version, const std::pmr::vector<T>& values) {
    begin('[');
    for (const T& value : values) print_value(version, value);
    end(']');
  }
  template <class T>
  void print_value(int16_t version, const std::optional<T>& value) {
    if (value) {
      print_value(version, *value);
    } else {
      plain("null");
    }
  }

 private:
  void separate() {
    if (!first_) text_ += ',';
    first_ = false;
  }
  void begin(char bracket) {
    separate();
    text_ += bracket;
    first_ = true;
  }
  void end(char bracket) {
    text_ += bracket;
    first_ = false;
  }
  void plain(std::string_view value) {
    separate();
    text_ += value;
  }
  void quote(std::string_view text);

  std::string text_;
  bool first_ = true;
};

}  // namespace stele::wire
