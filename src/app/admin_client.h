// Administration of a cluster from the command line: one blocking connection, requests one at a time, at the highest
// version that both sides speak. Brokers pass on to the controller what is its to decide, so any broker will do.
#pragma once

#include <array>
#include <chrono>
#include <string_view>

#include "app/address.h"
#include "app/connection.h"
#include "base/result.h"
#include "wire/codec.h"

namespace stele::app {

// A response with the bytes that it is a view of.
template <class M>
struct Answer {
  base::ByteVector frame;
  int16_t version = 0;
  M message;

  M* operator->() { return &message; }
  const M* operator->() const { return &message; }
};

class AdminClient {
 public:
  // Connects to the first of `bootstrap` that answers, and asks for its versions.
  static base::Result<AdminClient> connect(std::string_view bootstrap, std::chrono::milliseconds timeout);

  // Response and Request are the two messages of one API. kUnsupportedVersion where the broker has no common version;
  // kRequestTimedOut without an answer in the timeout; errors inside the response are the caller's to look at.
  template <class Response, class Request>
  base::Result<Answer<Response>> call(const Request& request) {
    static_assert(Request::kApiKey == Response::kApiKey);
    STELE_TRY_ASSIGN(const int16_t version, version_of(Request::kApiKey));
    return call_at<Response>(request, version);
  }

  // The version that call() takes for an API; kUnsupportedVersion where there is none.
  base::Result<int16_t> version_of(int16_t api_key) const;
  std::chrono::milliseconds timeout() const { return timeout_; }
  int32_t timeout_ms() const { return static_cast<int32_t>(timeout_.count()); }
  const Address& address() const { return connection_.address(); }

 private:
  static constexpr int16_t kNoVersion = -1;
  // Keys of the protocol are small; what a broker names beyond is of no use to us.
  static constexpr int16_t kKeysMax = 128;

  AdminClient(Connection connection, std::chrono::milliseconds timeout);
  base::Result<void> negotiate();
  base::Result<base::ByteVector> exchange(base::Bytes frame, int16_t api_key, int32_t correlation);

  template <class Response, class Request>
  base::Result<Answer<Response>> call_at(const Request& request, int16_t version) {
    const int32_t correlation = ++correlation_;
    STELE_TRY_ASSIGN(const base::ByteVector bytes, wire::request_frame(correlation, "stele", request, version));
    Answer<Response> answer;
    STELE_TRY_ASSIGN(answer.frame, exchange(bytes, Request::kApiKey, correlation));
    answer.version = version;
    wire::Reader in{answer.frame};
    wire::ResponseHeader header;
    STELE_TRY(wire::decode(in, wire::response_header_version<Response>(version), header));
    STELE_TRY(decode(in, version, answer.message));
    return answer;
  }

  Connection connection_;
  std::chrono::milliseconds timeout_;
  int32_t correlation_ = 0;
  std::array<int16_t, kKeysMax> versions_;
};

}  // namespace stele::app
