// Options that many subcommands have, and texts in several forms.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace CLI {
class App;
}

namespace stele::app {

struct ClientOptions {
  std::string bootstrap = "localhost:9092";
  double timeout_seconds = 30;
  bool json = false;

  std::chrono::milliseconds timeout() const {
    return std::chrono::milliseconds{static_cast<int64_t>(timeout_seconds * 1000)};
  }
};

// --bootstrap-server, --timeout, --json. `options` outlives the parse.
void add_client_options(CLI::App& command, ClientOptions& options);
void add_json_option(CLI::App& command, bool& json);

using KeyValue = std::pair<std::string, std::string>;
// "name=value" at the first '='; nothing where there is none or no name before it.
std::optional<KeyValue> split_key_value(std::string_view text);
// All of them, or kInvalidRequest with the first that is none.
base::Result<std::vector<KeyValue>> split_key_values(const std::vector<std::string>& texts);

// "\t", "\n", "\0", "\\", "\x1f" as bytes; anything else behind a backslash stays as it is.
std::string unescape(std::string_view text);

// "512 B", "1.5 KiB", "3.20 GiB"
std::string human_bytes(double bytes);
// "12,345,678"
std::string human_count(uint64_t count);

}  // namespace stele::app
