// Reads the syntax of java.util.Properties: `#` and `!` comments, `=`, `:` or blanks between key and value, a backslash
// that continues a line, \t \n \r \f and \uXXXX escapes. Bytes are ISO-8859-1, as Java reads them; what comes out is
// UTF-8.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace stele::config {

struct Property {
  std::string key;
  std::string value;
  int line = 0;  // where the key stands, from 1
};

// In the order of the file, a key as often as it occurs (the last one counts). Fails only on a malformed \u escape.
base::Result<std::vector<Property>> parse_properties(std::string_view text);

}  // namespace stele::config
