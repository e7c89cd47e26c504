// For tests: one shard of the production world over a directory that goes away with the fixture.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>

#include "base/bytes.h"
#include "base/task.h"
#include "io/world.h"

namespace stele::metadata {

class SilentLog final : public base::LogSink {
 public:
  bool enabled(base::LogLevel) const override { return false; }
  void write(base::LogLevel, std::string_view) override {}
};

class OnDisk : public ::testing::Test {
 protected:
  OnDisk() {
    std::string pattern = (std::filesystem::temp_directory_path() / "stele-metadata-XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) root = pattern;
  }
  ~OnDisk() override { std::filesystem::remove_all(root); }

  // Runs the coroutine on a shard of its own world, to its end.
  void run(std::function<base::Task<void>(io::Shard&)> body) {
    SilentLog log;
    io::World world{{.shards = 1, .offload_threads = 1, .log = &log}};
    world.start([&](io::Shard& shard) { return body(shard); });
    world.join();
  }

  std::string path(std::string_view name) const { return (root / name).string(); }
  base::ByteVector file(std::string_view name) const {
    std::ifstream in{root / name, std::ios::binary};
    const std::string text{std::istreambuf_iterator<char>{in}, {}};
    const base::Bytes bytes = base::as_bytes(text);
    return {bytes.begin(), bytes.end()};
  }
  std::string text(std::string_view name) const { return std::string{base::as_text(file(name))}; }
  void write(std::string_view name, base::Bytes content) const {
    std::filesystem::create_directories((root / name).parent_path());
    std::ofstream{root / name, std::ios::binary} << base::as_text(content);
  }

  std::filesystem::path root;
};

// A file beside the tests that Apache Kafka 4.3.1 wrote.
inline base::ByteVector kafka_file(std::string_view name) {
  std::ifstream in{std::string{STELE_SOURCE_DIR} + "/src/metadata/testdata/" + std::string{name}, std::ios::binary};
  const std::string text{std::istreambuf_iterator<char>{in}, {}};
  const base::Bytes bytes = base::as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

}  // namespace stele::metadata
