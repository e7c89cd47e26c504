// Just enough of an HTTP/1.1 server: requests out of bytes, responses into bytes. Routing is admin/'s.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace stele::io {

struct HttpRequest {
  std::string method;  // "GET"
  std::string target;  // "/metrics?name=x", as it came
  std::string body;
  bool keep_alive = true;
};

struct HttpResponse {
  uint16_t status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

struct HttpLimits {
  uint32_t header_bytes_max = 8 * 1024;
  uint64_t body_bytes_max = 64 * 1024;
};

// The requests of one connection, in their order.
class HttpReader {
 public:
  explicit HttpReader(HttpLimits limits);
  ~HttpReader();

  // Takes all of the bytes in.
  void feed(base::Bytes bytes);
  // The next whole request, or nothing while it is not complete. After an error (malformed, over a limit) the
  // connection is to be closed.
  base::Result<std::optional<HttpRequest>> next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The whole answer. A HEAD request gets the headers alone.
std::string to_http(const HttpRequest& request, const HttpResponse& response);

}  // namespace stele::io
