#include "fuzz/target.h"

namespace stele::fuzz {

std::span<const Target> targets() {
  static constexpr Target kAll[] = {
      {"wire_message", wire_message},
      {"request_frame", request_frame},
      {"record_batches", record_batches},
      {"append_batch", append_batch},
      {"decompress", decompress},
      {"small_file", small_file},
      {"partition_directory", partition_directory},
      {"journal", journal},
      {"metadata_log", metadata_log},
      {"metadata_records", metadata_records},
      {"group_records", group_records},
      {"broker_config", broker_config},
      {"fetch_sessions", fetch_sessions},
      {"connection", connection},
      {"http_requests", http_requests},
  };
  return kAll;
}

}  // namespace stele::fuzz
