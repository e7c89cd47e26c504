// The parts of the broker's table, one source file each. Use option.h.
#pragma once

#include <span>

#include "config/option.h"

namespace stele::config {

std::span<const Option> network_options();
std::span<const Option> log_options();
std::span<const Option> cluster_options();
std::span<const Option> groups_options();
std::span<const Option> security_options();
std::span<const Option> tiered_options();
std::span<const Option> stele_options();

}  // namespace stele::config
