// What the answers of commands are made with: text that lives in the arena of the answer.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory_resource>
#include <optional>
#include <string_view>

#include "base/error_code.h"
#include "base/result.h"

namespace stele::controller {

inline std::string_view keep(std::pmr::memory_resource* arena, std::string_view text) {
  if (text.empty()) return {};
  char* copy = static_cast<char*>(arena->allocate(text.size(), 1));
  std::memcpy(copy, text.data(), text.size());
  return {copy, text.size()};
}

// Kafka's own text of an error that is raised without one.
inline std::string_view default_message(base::ErrorCode code) {
  switch (code) {
    case base::ErrorCode::kUnknownTopicOrPartition:
      return "This server does not host this topic-partition.";
    case base::ErrorCode::kUnknownTopicId:
      return "This server does not host this topic ID.";
    case base::ErrorCode::kRequestTimedOut:
      return "The request timed out.";
    default:
      return {};
  }
}

// An Error without text is a null message.
template <class Result>
void set_error(Result& result, const base::Error& error, std::pmr::memory_resource* arena) {
  result.error_code = static_cast<int16_t>(error.code);
  result.error_message.reset();
  if (!error.message.empty()) result.error_message = keep(arena, error.message);
}

}  // namespace stele::controller
