#pragma once

#include <CLI/CLI.hpp>

#include "app/command.h"

namespace stele::app {

// `stele log recover`, below `log`.
void add_recover_command(CLI::App& log, Chosen& chosen);

}  // namespace stele::app
