// Produce requests, prepared before the load begins: every system gets the same bytes, and the load spends nothing on
// them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "record/batch.h"

namespace stele::bench {

struct RequestOptions {
  std::string topic;
  int32_t partitions = 8;
  int32_t partitions_per_request = 1;
  size_t batch_bytes = 65536;  // a batch is filled with records as long as it stays below; not used with `records`
  int32_t records = 0;         // in each batch, where it is not 0
  size_t record_bytes = 1024;  // of the value
  size_t key_bytes = 0;        // 0: no key
  int16_t acks = -1;
  record::Codec codec = record::Codec::kNone;
};

struct PreparedRequest {
  base::ByteVector frame;  // with length and header; the correlation id is set for each sending
  int64_t records = 0;
  int64_t batch_bytes = 0;         // of all batches in it, as they are sent
  int64_t uncompressed_bytes = 0;  // of the same batches without a codec
};

// As many as there are partitions; request i begins with partition i and goes on to those that follow it.
std::vector<PreparedRequest> prepare_requests(const RequestOptions& options);

}  // namespace stele::bench
