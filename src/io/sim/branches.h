// The names that product code gives to Shard::maybe() and Shard::mark(), so that a runner can tell which of them no
// seed has reached. A check compares the list with the sources.
#pragma once

#include <span>
#include <string_view>

namespace stele::io {

std::span<const std::string_view> known_branches();

}  // namespace stele::io
