// The inputs that fuzzing begins with, and that every run of the tests goes through.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "fuzz/target.h"

namespace stele::fuzz {

struct Seed {
  std::string name;
  base::ByteVector input;
};

class Seeds {
 public:
  void add(std::string_view target, base::Bytes input) {
    add(target, "first-" + std::to_string(of(target).size()), {input.begin(), input.end()});
  }
  void add(std::string_view target, std::string name, base::ByteVector input) {
    by_target_[std::string{target}].push_back({std::move(name), std::move(input)});
  }
  const std::vector<Seed>& of(std::string_view target) { return by_target_[std::string{target}]; }

 private:
  std::map<std::string, std::vector<Seed>> by_target_;
};

// Made out of the golden data that the unit tests have.
Seeds first_inputs();
// Those of corpus/<target>.txt: past findings by their names, and what long runs found that the first ones do not
// reach.
Seeds stored_inputs();

}  // namespace stele::fuzz
