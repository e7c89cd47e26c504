// Records as text: a line that becomes one, and one that becomes a line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace stele::app {

// Views into the line.
struct LineRecord {
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
};

// The line's newline, if it has one, is no part of the record. Without a separator the whole line is the value; with
// one, a line that lacks it is kInvalidRecord. A key or value equal to `null_text` is null.
base::Result<LineRecord> split_line(std::string_view line, const std::optional<std::string>& separator,
                                    const std::optional<std::string>& null_text);

// A record that was read. Views of what the reader holds.
struct ReadRecord {
  std::string_view topic;
  int32_t partition = 0;
  int64_t offset = 0;
  int64_t timestamp = -1;
  bool append_time = false;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::vector<std::pair<std::string_view, std::optional<std::string_view>>> headers;
};

// %t topic, %p partition, %o offset, %T timestamp in ms, %k key, %v value, %h headers as name=value with commas
// between, %% a percent sign. Null is shown as "null". Nothing is put behind it: the format says what ends a record.
void append_formatted(std::string& out, std::string_view format, const ReadRecord& record);
// What is wrong with a format; empty for a good one.
std::string format_fault(std::string_view format);

// One line of JSON, with its newline. Bytes that are no UTF-8 stand as base64 in key_base64, value_base64.
void append_json(std::string& out, const ReadRecord& record);

bool is_utf8(std::string_view text);
// With padding.
std::string base64(std::string_view bytes);

}  // namespace stele::app
