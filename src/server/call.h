// One request on its way through a handler: decoded header, body bytes, arena, and the answer being made.
#pragma once

#include <cstdint>
#include <limits>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/complaints.h"
#include "base/result.h"
#include "server/request.h"
#include "server/response.h"
#include "wire/api.h"
#include "wire/codec.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace stele::broker {
class BrokerShard;
}

namespace stele::server {

class FetchSessions;

struct CallLimits {
  size_t request_elements_max = 1'000'000;  // stele.request.elements.max
  int64_t fetch_bytes_max = 57671680;       // fetch.max.bytes
  size_t fetch_waiters_max = 100'000;       // stele.fetch.waiters.max, of one shard
  size_t memory_max = size_t{256} << 20;    // stele.request.memory.max
};

// What handlers of one shard share beside the broker.
struct CallServices {
  FetchSessions& fetch_sessions;
  size_t& fetch_waiters;  // fetches that wait for records
  Budget& produce_waiters;
  base::Complaints& complaints;
  const CallLimits& limits;
};

// Lives on the shard that works on the request, for as long as its handler runs. Messages decoded from it are views of
// its frame and live in its arena.
class Call {
 public:
  Call(broker::BrokerShard& broker, CallServices services, wire::RequestHeader header, base::Bytes body,
       const ConnectionInfo& connection, base::MonoTime received, Response& response, Lease lease = {},
       Budget* budget = nullptr)
      : broker_(broker),
        services_(services),
        header_(header),
        body_(body),
        connection_(connection),
        received_(received),
        response_(response),
        lease_(std::move(lease)),
        budget_(budget),
        memory_(budget),
        arena_(first_, sizeof first_, &memory_) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  broker::BrokerShard& broker() const { return broker_; }
  const wire::RequestHeader& header() const { return header_; }
  int16_t version() const { return header_.request_api_version; }
  std::string_view client_id() const { return header_.client_id.value_or(std::string_view{}); }
  const ConnectionInfo& connection() const { return connection_; }
  base::MonoTime received() const { return received_; }
  // Of the request's frame; empty where the frame was carried from another shard.
  const Lease& lease() const { return lease_; }
  // Of the request's class, on the shard that works on it. What an answer holds may be charged to it only where the
  // connection is on this shard too.
  Budget* budget() const { return budget_; }
  // What the request was unfolded to, and the answer as far as it was built, have passed stele.request.memory.max:
  // a request of few bytes can name much. To be asked between the parts of an answer; then refuse_as_too_large().
  bool too_large() const { return memory_.held() > limits().memory_max; }
  Outcome refuse_as_too_large();
  size_t body_bytes() const { return body_.size(); }
  std::pmr::memory_resource* arena() { return &arena_; }
  FetchSessions& fetch_sessions() const { return services_.fetch_sessions; }
  size_t& fetch_waiters() const { return services_.fetch_waiters; }
  Budget& produce_waiters() const { return services_.produce_waiters; }
  base::Complaints& complaints() const { return services_.complaints; }
  const CallLimits& limits() const { return services_.limits; }
  // Text that lives as long as the call.
  std::string_view keep(std::string_view text);

  template <class M>
  base::Result<M> decode() {
    wire::Reader in{body_, arena()};
    in.set_elements_max(limits().request_elements_max);
    base::Result<M> message = wire::read_message<M>(in, version());
    if (in.elements_exceeded()) complaints().count(base::Limit::kRequestElements);
    return message;
  }
  template <class M>
  M make() {
    return wire::make_message<M>(arena());
  }
  // Encodes the answer; record bytes in it are spliced in, and `owner` keeps them alive until they are sent. Records
  // that are elsewhere are the ranges, in their order. An answer that this version cannot express is a bug of ours:
  // kClose.
  template <class M>
  Outcome respond(const M& message, std::shared_ptr<const void> owner = nullptr, std::span<io::FileRange> ranges = {}) {
    auto size = wire::measure_response_frame(message, version());
    if (!size.ok()) return refuse(size.error());
    if (size->total > std::numeric_limits<int32_t>::max()) return refuse_as_too_large();
    std::pmr::vector<wire::LeftOut> left_out{arena()};
    response_.head.resize(size->total - size->records);
    wire::Writer out{response_.head, &left_out};
    wire::encode_response_frame(out, header_.correlation_id, message, version(), *size);
    for (const wire::LeftOut& part : left_out) {
      Response::Splice& splice = response_.splices.emplace_back(part.position, part.bytes);
      if (!part.elsewhere()) continue;
      STELE_CHECK(!ranges.empty() && ranges.front().bytes == part.bytes.size());
      splice.bytes = {};
      splice.range = std::move(ranges.front());
      ranges = ranges.subspan(1);
    }
    if (owner) response_.owners.push_back(std::move(owner));
    return Outcome::kRespond;
  }
  // The same at another version than the one that was asked in.
  template <class M>
  Outcome respond_at(const M& message, int16_t version) {
    header_.request_api_version = version;
    return respond(message);
  }
  // Bytes that cannot be understood or answered: logged, and the connection ends, as Kafka ends it.
  Outcome refuse(const base::Error& error);

 private:
  broker::BrokerShard& broker_;
  CallServices services_;
  wire::RequestHeader header_;
  base::Bytes body_;
  const ConnectionInfo& connection_;
  base::MonoTime received_;
  Response& response_;
  Lease lease_;
  Budget* budget_;
  std::byte first_[1024];
  ChargedMemory memory_;
  std::pmr::monotonic_buffer_resource arena_;
};

}  // namespace stele::server
