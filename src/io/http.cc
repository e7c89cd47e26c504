#include "io/http.h"

#include <fmt/format.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>
#include <utility>

namespace stele::io {

namespace http = boost::beast::http;

struct HttpReader::Impl {
  HttpLimits limits;
  std::string unread;
  std::optional<http::request_parser<http::string_body>> parser;

  void start() {
    parser.emplace();
    parser->header_limit(limits.header_bytes_max);
    parser->body_limit(limits.body_bytes_max);
    parser->eager(true);
  }
};

HttpReader::HttpReader(HttpLimits limits) : impl_(std::make_unique<Impl>()) {
  impl_->limits = limits;
  impl_->start();
}
HttpReader::~HttpReader() = default;

void HttpReader::feed(base::Bytes bytes) { impl_->unread += base::as_text(bytes); }

base::Result<std::optional<HttpRequest>> HttpReader::next() {
  Impl& self = *impl_;
  while (!self.unread.empty() && !self.parser->is_done()) {
    boost::system::error_code failed;
    const size_t taken = self.parser->put(boost::asio::buffer(self.unread), failed);
    self.unread.erase(0, taken);
    if (failed == http::error::need_more) break;
    if (failed) return base::Error{base::ErrorCode::kInvalidRequest, "not an HTTP request: " + failed.message()};
    if (taken == 0) break;
  }
  if (!self.parser->is_done()) return std::optional<HttpRequest>{};
  http::request<http::string_body> message = self.parser->release();
  HttpRequest request{.method = std::string{message.method_string()},
                      .target = std::string{message.target()},
                      .body = std::move(message.body()),
                      .keep_alive = message.keep_alive()};
  self.start();
  return std::optional<HttpRequest>{std::move(request)};
}

std::string to_http(const HttpRequest& request, const HttpResponse& response) {
  const std::string_view reason{http::obsolete_reason(http::int_to_status(response.status))};
  std::string text =
      fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: {}\r\n\r\n", response.status,
                  reason, response.content_type, response.body.size(), request.keep_alive ? "keep-alive" : "close");
  if (request.method != "HEAD") text += response.body;
  return text;
}

}  // namespace stele::io
