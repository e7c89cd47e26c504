// fuzz_unpack <directory>: every known input as a file <directory>/<target>/<name>, as libFuzzer wants them.
#include <filesystem>
#include <fstream>

#include "fuzz/seeds.h"

int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  if (argc != 2) return 2;
  for (stele::fuzz::Seeds seeds : {stele::fuzz::first_inputs(), stele::fuzz::stored_inputs()}) {
    for (const stele::fuzz::Target& target : stele::fuzz::targets()) {
      const fs::path directory = fs::path{argv[1]} / target.name;
      fs::create_directories(directory);
      for (const stele::fuzz::Seed& seed : seeds.of(target.name)) {
        std::ofstream{directory / seed.name, std::ios::binary} << stele::base::as_text(seed.input);
      }
    }
  }
  return 0;
}
