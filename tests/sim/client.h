// A client of the protocol, as small as a test can do with: one connection, one request at a time unless asked
// otherwise, bytes as they are where a test wants to send what no client would.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <vector>

#include "io/shard.h"
#include "record/builder.h"
#include "wire/codec.h"

namespace stele::sim {

// A decoded answer with what it lies in; empty where the connection ended instead.
template <class M>
struct Answer {
  std::unique_ptr<std::pmr::monotonic_buffer_resource> arena;
  base::ByteVector bytes;
  std::optional<M> message;
  explicit operator bool() const { return message.has_value(); }
  const M* operator->() const { return &*message; }
};

struct Produced {
  int16_t code = -1;  // of the first error of the answer; -1: no answer
  int64_t base_offset = -1;
  bool acknowledged() const { return code == 0; }
};

struct Batch {
  std::vector<std::string> values;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  int32_t sequence = -1;
  record::Codec codec = record::Codec::kNone;
};
base::ByteVector encode(const Batch& batch);

struct FetchedRecord {
  int64_t offset = 0;
  std::string value;
  friend auto operator<=>(const FetchedRecord&, const FetchedRecord&) = default;
};

struct Fetched {
  int16_t code = -1;
  int32_t session_id = 0;
  std::map<int32_t, std::vector<FetchedRecord>> records;  // by partition; records below the asked offset are left out
  std::map<int32_t, int16_t> codes;                       // of every partition of the answer
};

class Client {
 public:
  // Null where nobody listens.
  static base::Task<std::unique_ptr<Client>> connect(io::Shard& shard, std::string host = "broker",
                                                     uint16_t port = 9092);
  Client(io::Shard& shard, std::unique_ptr<io::Stream> stream) : shard_(shard), stream_(std::move(stream)) {}

  io::Shard& shard() { return shard_; }
  // False once the connection has ended.
  base::Task<bool> send(base::ByteVector bytes);
  // The next frame without its length; nothing once the connection has ended.
  base::Task<std::optional<base::ByteVector>> receive();
  // Whoever waits in receive() or send() hears that the connection has ended.
  void hang_up() { stream_->shutdown(); }
  // True once the peer has ended the connection, whatever it sends before.
  base::Task<bool> ended();

  template <class Response, class Request>
  base::ByteVector frame(const Request& request, int16_t version) {
    static_assert(Response::kApiKey == Request::kApiKey);
    return wire::request_frame(++correlation_, "model", request, version).value();
  }
  template <class Response>
  base::Task<Answer<Response>> read_answer(int16_t version) {
    Answer<Response> answer{std::make_unique<std::pmr::monotonic_buffer_resource>(), {}, std::nullopt};
    auto bytes = co_await receive();
    if (!bytes) co_return answer;
    answer.bytes = *std::move(bytes);
    const size_t header = wire::response_header_version<Response>(version) == 0 ? 4 : 5;
    auto message = wire::from_bytes<Response>(base::Bytes{answer.bytes}.subspan(header), version, answer.arena.get());
    answer.message.emplace(std::move(message).value());
    co_return answer;
  }
  template <class Response, class Request>
  base::Task<Answer<Response>> call(const Request& request, int16_t version) {
    base::ByteVector bytes = frame<Response>(request, version);
    if (!co_await send(std::move(bytes))) {
      co_return Answer<Response>{};
    }
    co_return co_await read_answer<Response>(version);
  }

  base::Task<int16_t> create_topic(std::string name, int32_t partitions);
  static base::ByteVector produce_frame(int32_t correlation, const std::string& topic, int32_t partition, int16_t acks,
                                        const Batch& batch);
  base::Task<Produced> produce(std::string topic, int32_t partition, int16_t acks, Batch batch);
  // Of partitions at offsets; a session where `session_epoch` is not -1.
  base::Task<Fetched> fetch(std::string topic, std::map<int32_t, int64_t> offsets, int32_t wait_ms,
                            int32_t session_id = 0, int32_t session_epoch = -1);
  // Every record of a partition.
  base::Task<std::vector<FetchedRecord>> read_all(std::string topic, int32_t partition);

 private:
  io::Shard& shard_;
  std::unique_ptr<io::Stream> stream_;
  std::deque<std::byte> unread_;
  int32_t correlation_ = 0;
};

// Tries until somebody listens.
base::Task<std::unique_ptr<Client>> connect_patiently(io::Shard& shard);

}  // namespace stele::sim
