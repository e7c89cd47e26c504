// The fuzz targets: each takes one input and aborts where the code under test does not keep what it promises. The same
// functions run under libFuzzer (main.cc) and over the stored inputs in an ordinary test (regressions_test.cc).
#pragma once

#include <span>
#include <string_view>

#include "base/bytes.h"

namespace stele::fuzz {

struct Target {
  std::string_view name;
  void (*run)(base::Bytes input);
};

// Never more than this is allocated at a time for one input, whatever it claims to hold. Beside it the window of one
// zstd frame, which the library takes at once as large as the frame says, up to 128 MiB, and touches as far as data
// comes: a producer with compression.zstd.level=22 asks for no less. A shard unfolds one batch at a time.
constexpr size_t memory_allowed(size_t input_bytes) {
  constexpr size_t kZstdWindow = size_t{129} << 20;
  return (size_t{64} << 20) + kZstdWindow + 10 * input_bytes;
}

void wire_message(base::Bytes input);
void request_frame(base::Bytes input);
void record_batches(base::Bytes input);
void append_batch(base::Bytes input);
void decompress(base::Bytes input);
void small_file(base::Bytes input);
void partition_directory(base::Bytes input);
void journal(base::Bytes input);
void metadata_log(base::Bytes input);
void metadata_records(base::Bytes input);
void group_records(base::Bytes input);
void broker_config(base::Bytes input);
void fetch_sessions(base::Bytes input);
void connection(base::Bytes input);
void http_requests(base::Bytes input);

std::span<const Target> targets();

}  // namespace stele::fuzz
