// Reads the tables that tests/peers/config_oracle printed from Apache Kafka's own classes.
#pragma once

#include <fstream>
#include <string>
#include <vector>

namespace stele::config::testing {

using Row = std::vector<std::string>;

inline Row split_tabs(const std::string& line) {
  Row row(1);
  for (const char c : line) {
    if (c == '\t') {
      row.emplace_back();
    } else {
      row.back().push_back(c);
    }
  }
  return row;
}

inline std::vector<Row> golden_rows(const std::string& name) {
  std::ifstream in(std::string(STELE_SOURCE_DIR) + "/tests/peers/config_oracle/golden/" + name);
  std::vector<Row> rows;
  for (std::string line; std::getline(in, line);) rows.push_back(split_tabs(line));
  return rows;
}

}  // namespace stele::config::testing
