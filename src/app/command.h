// What the subcommands of `stele` share: how they are registered, what their exit codes mean, how they speak.
#pragma once

#include <functional>
#include <string_view>

#include "base/result.h"

namespace CLI {
class App;
}

namespace stele::app {

inline constexpr int kExitOk = 0;
inline constexpr int kExitRefused = 1;  // a broker said no, or could not be reached; damage was found
inline constexpr int kExitUsage = 2;    // the command line, or a file named on it, is wrong

// What the command line asked for: set while it is parsed, run afterwards.
using Chosen = std::function<int()>;

// Each adds its subcommands to `program`; both arguments outlive the parse and the run.
void add_broker_command(CLI::App& program, Chosen& chosen);
void add_format_command(CLI::App& program, Chosen& chosen);
void add_topic_commands(CLI::App& program, Chosen& chosen);
void add_produce_command(CLI::App& program, Chosen& chosen);
void add_consume_command(CLI::App& program, Chosen& chosen);
void add_log_commands(CLI::App& program, Chosen& chosen);
void add_top_command(CLI::App& program, Chosen& chosen);
void add_docs_commands(CLI::App& program, Chosen& chosen);
void add_help_command(CLI::App& program, Chosen& chosen);

// One line on standard output.
void print_line(std::string_view line);

// "stele: CODE: sentence" on standard error, with what to do about it on a second line; one JSON line where `json`.
// Answers kExitRefused.
int report(const base::Error& error, bool json);
// The same for a fault in what the user wrote. Answers kExitUsage.
int report_usage(std::string_view sentence, bool json);

}  // namespace stele::app
