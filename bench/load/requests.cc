#include "load/requests.h"

#include <time.h>

#include <array>
#include <random>
#include <string_view>

#include "load/frames.h"
#include "record/builder.h"

namespace stele::bench {

namespace {

constexpr int16_t kProduce = 0;

// Words, so that a codec has something to find: about a third of the size with lz4.
std::string text_of(size_t bytes, std::mt19937& random) {
  constexpr std::array<std::string_view, 16> kWords{
      "order", "customer", "amount", "currency", "created", "shipped",   "warehouse", "quantity",
      "price", "discount", "street", "postcode", "country", "reference", "status",    "returned"};
  std::string text;
  while (text.size() < bytes) {
    text += kWords[random() % kWords.size()];
    text += '=';
    text += std::to_string(random());
    text += ' ';
  }
  text.resize(bytes);
  return text;
}

struct Batch {
  base::ByteVector bytes;
  int64_t records = 0;
  int64_t uncompressed_bytes = 0;
};

Batch make_batch(const RequestOptions& options, std::mt19937& random) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);  // old records would fall to retention
  const base::Timestamp created{int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000};
  record::BatchBuilder builder(record::BatchOptions{.codec = options.codec});
  size_t last = 0;
  Batch batch;
  while (true) {
    const bool full = options.records > 0
                          ? batch.records == options.records
                          : batch.records > 0 && builder.uncompressed_size() + last > options.batch_bytes;
    if (full) break;
    const size_t before = builder.uncompressed_size();
    const std::string key = text_of(options.key_bytes, random), value = text_of(options.record_bytes, random);
    record::NewRecord record{.timestamp = created, .value = base::as_bytes(value)};
    if (options.key_bytes > 0) record.key = base::as_bytes(key);
    builder.add(record);
    last = builder.uncompressed_size() - before;
    ++batch.records;
  }
  batch.uncompressed_bytes = static_cast<int64_t>(builder.uncompressed_size());
  batch.bytes = std::move(builder).build();
  return batch;
}

}  // namespace

std::vector<PreparedRequest> prepare_requests(const RequestOptions& options) {
  std::mt19937 random(1);
  std::vector<Batch> batches;
  for (int32_t i = 0; i < options.partitions; ++i) batches.push_back(make_batch(options, random));
  std::vector<PreparedRequest> requests;
  for (int32_t first = 0; first < options.partitions; ++first) {
    PreparedRequest request;
    FrameWriter frame(kProduce, 7);
    frame.null_text().put(options.acks).put(int32_t{30'000}).put(int32_t{1}).text(options.topic);
    frame.put(options.partitions_per_request);
    for (int32_t i = 0; i < options.partitions_per_request; ++i) {
      const int32_t partition = (first + i) % options.partitions;
      const Batch& batch = batches[static_cast<size_t>(partition)];
      frame.put(partition).raw(batch.bytes);
      request.records += batch.records;
      request.batch_bytes += static_cast<int64_t>(batch.bytes.size());
      request.uncompressed_bytes += batch.uncompressed_bytes;
    }
    request.frame = std::move(frame).done();
    requests.push_back(std::move(request));
  }
  return requests;
}

}  // namespace stele::bench
