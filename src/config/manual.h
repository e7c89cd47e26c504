// The manual of all options, docs/configuration.md, written from the table.
#pragma once

#include <string>

namespace stele::config {

std::string configuration_manual();

}  // namespace stele::config
