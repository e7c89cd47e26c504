// Prints docs/configuration.md. `make docs` runs it.
#include <cstdio>

#include "config/manual.h"

int main() {
  const std::string page = stele::config::configuration_manual();
  return std::fwrite(page.data(), 1, page.size(), stdout) == page.size() && std::fflush(stdout) == 0 ? 0 : 1;
}
