#include "sim/client.h"

#include "record/reader.h"
#include "wire/create_topics_request.h"
#include "wire/create_topics_response.h"
#include "wire/fetch_request.h"
#include "wire/fetch_response.h"
#include "wire/produce_request.h"
#include "wire/produce_response.h"

namespace stele::sim {

namespace {

constexpr int16_t kProduceVersion = 11;  // the last ones by name
constexpr int16_t kFetchVersion = 12;

std::vector<FetchedRecord> records_of(base::Bytes bytes, int64_t from) {
  std::vector<FetchedRecord> all;
  record::BatchReader batches{bytes};
  while (const auto batch = batches.next().value()) {
    record::Decompressor decompressor;
    record::RecordReader records{*batch, decompressor};
    while (const auto record = records.next().value()) {
      if (record->offset.value() < from) continue;
      all.push_back({record->offset.value(), std::string{base::as_text(record->value.value_or(base::Bytes{}))}});
    }
  }
  return all;
}

}  // namespace

base::ByteVector encode(const Batch& batch) {
  record::BatchBuilder builder({.codec = batch.codec,
                                .producer_id = base::ProducerId{batch.producer_id},
                                .producer_epoch = base::ProducerEpoch{batch.producer_epoch},
                                .base_sequence = batch.sequence});
  for (const std::string& value : batch.values) {
    builder.add({.timestamp = base::Timestamp{1'700'000'000'000}, .value = base::as_bytes(value)});
  }
  return std::move(builder).build();
}

base::Task<std::unique_ptr<Client>> Client::connect(io::Shard& shard, std::string host, uint16_t port) {
  auto stream = co_await shard.connect({std::move(host), port});
  if (!stream.ok()) co_return nullptr;
  co_return std::make_unique<Client>(shard, *std::move(stream));
}

base::Task<std::unique_ptr<Client>> connect_patiently(io::Shard& shard) {
  while (true) {
    auto client = co_await Client::connect(shard);
    if (client) co_return client;
    co_await io::sleep_until(shard, shard.clock().now() + std::chrono::milliseconds{50});
  }
}

base::Task<bool> Client::send(base::ByteVector bytes) {
  base::Signal writable{shard_.executor()};
  for (size_t at = 0; at < bytes.size();) {
    const iovec part{bytes.data() + at, bytes.size() - at};
    const io::TransferResult result = stream_->try_write({&part, 1});
    if (result.status == io::Transfer::kWouldBlock) {
      stream_->notify_writable(&writable);
      co_await writable.wait();
      continue;
    }
    if (result.status != io::Transfer::kDone) co_return false;
    at += result.bytes;
  }
  co_return true;
}

base::Task<std::optional<base::ByteVector>> Client::receive() {
  base::Signal readable{shard_.executor()};
  while (true) {
    if (unread_.size() >= 4) {
      std::byte head[4];
      std::copy_n(unread_.begin(), 4, head);
      const auto size = static_cast<size_t>(base::load_be<int32_t>(head));
      if (unread_.size() >= 4 + size) {
        const auto from = unread_.begin() + 4;
        const auto to = from + static_cast<std::ptrdiff_t>(size);
        base::ByteVector frame{from, to};
        unread_.erase(unread_.begin(), to);
        co_return frame;
      }
    }
    std::byte bytes[4096];
    const iovec part{bytes, sizeof bytes};
    const io::TransferResult result = stream_->try_read({&part, 1});
    if (result.status == io::Transfer::kWouldBlock) {
      stream_->notify_readable(&readable);
      co_await readable.wait();
    } else if (result.status == io::Transfer::kDone) {
      unread_.insert(unread_.end(), bytes, bytes + result.bytes);
    } else {
      co_return std::nullopt;
    }
  }
}

base::Task<bool> Client::ended() {
  while (co_await receive()) {
  }
  co_return true;
}

base::Task<int16_t> Client::create_topic(std::string name, int32_t partitions) {
  wire::CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = name;
  topic.num_partitions = partitions;
  topic.replication_factor = 1;
  const auto answer = co_await call<wire::CreateTopicsResponse>(request, 7);
  co_return answer ? answer->topics.front().error_code : int16_t{-1};
}

base::ByteVector Client::produce_frame(int32_t correlation, const std::string& topic, int32_t partition, int16_t acks,
                                       const Batch& batch) {
  const base::ByteVector records = encode(batch);
  wire::ProduceRequest request;
  request.acks = acks;
  request.timeout_ms = 30'000;
  auto& data = request.topic_data.emplace_back();
  data.name = topic;
  auto& part = data.partition_data.emplace_back();
  part.index = partition;
  part.records = base::Bytes{records};
  return wire::request_frame(correlation, "model", request, kProduceVersion).value();
}

base::Task<Produced> Client::produce(std::string topic, int32_t partition, int16_t acks, Batch batch) {
  base::ByteVector bytes = produce_frame(++correlation_, topic, partition, acks, batch);
  if (!co_await send(std::move(bytes))) co_return Produced{};
  if (acks == 0) co_return Produced{};
  const auto answer = co_await read_answer<wire::ProduceResponse>(kProduceVersion);
  if (!answer) co_return Produced{};
  const auto& part = answer->responses.front().partition_responses.front();
  co_return Produced{part.error_code, part.base_offset};
}

base::Task<Fetched> Client::fetch(std::string topic, std::map<int32_t, int64_t> offsets, int32_t wait_ms,
                                  int32_t session_id, int32_t session_epoch) {
  wire::FetchRequest request;
  request.max_wait_ms = wait_ms;
  request.min_bytes = 1;
  request.session_id = session_id;
  request.session_epoch = session_epoch;
  if (!offsets.empty()) {
    auto& wanted = request.topics.emplace_back();
    wanted.topic = topic;
    for (const auto& [partition, offset] : offsets) {
      auto& part = wanted.partitions.emplace_back();
      part.partition = partition;
      part.fetch_offset = offset;
      part.partition_max_bytes = 1 << 16;
    }
  }
  Fetched fetched;
  const auto answer = co_await call<wire::FetchResponse>(request, kFetchVersion);
  if (!answer) co_return fetched;
  fetched.code = answer->error_code;
  fetched.session_id = answer->session_id;
  for (const auto& topic_in : answer->responses) {
    for (const auto& part : topic_in.partitions) {
      fetched.codes[part.partition_index] = part.error_code;
      if (!part.records || part.records->empty()) continue;
      const auto from = offsets.find(part.partition_index);
      fetched.records[part.partition_index] = records_of(*part.records, from == offsets.end() ? 0 : from->second);
    }
  }
  co_return fetched;
}

base::Task<std::vector<FetchedRecord>> Client::read_all(std::string topic, int32_t partition) {
  std::vector<FetchedRecord> all;
  int64_t next = 0;
  while (true) {
    Fetched fetched = co_await fetch(topic, {{partition, next}}, 0);
    auto& records = fetched.records[partition];
    if (records.empty()) co_return all;
    next = records.back().offset + 1;
    std::move(records.begin(), records.end(), std::back_inserter(all));
  }
}

}  // namespace stele::sim
