// What a person can do about an error that a broker answered.
#pragma once

#include <string_view>

#include "base/error_code.h"

namespace stele::app {

// One sentence; empty where the error's own message says it all.
std::string_view advice_for(base::ErrorCode code);

}  // namespace stele::app
