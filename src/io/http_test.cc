#include "io/http.h"

#include <gtest/gtest.h>

namespace stele::io {
namespace {

class HttpReaderTest : public ::testing::Test {
 protected:
  void feed(std::string_view text) { reader_.feed(base::as_bytes(text)); }
  // The next request as "METHOD target [body]", "" where it is not complete, "error" on bad bytes.
  std::string next() {
    auto request = reader_.next();
    if (!request.ok()) return "error";
    if (!request->has_value()) return "";
    return (*request)->method + " " + (*request)->target + ((*request)->body.empty() ? "" : " " + (*request)->body);
  }

  HttpReader reader_{{.header_bytes_max = 1024, .body_bytes_max = 16}};
};

TEST_F(HttpReaderTest, a_request_is_complete_with_its_last_byte) {
  const std::string request = "GET /live HTTP/1.1\r\nHost: a\r\n\r\n";
  for (size_t i = 0; i + 1 < request.size(); ++i) {
    feed(request.substr(i, 1));
    EXPECT_EQ(next(), "");
  }
  feed("\n");
  EXPECT_EQ(next(), "GET /live");
  EXPECT_EQ(next(), "");
}

TEST_F(HttpReaderTest, requests_that_come_together_are_told_in_order) {
  feed("GET /a?b=c HTTP/1.1\r\n\r\nPOST /b HTTP/1.1\r\nContent-Length: 3\r\n\r\nxyzHEAD /c HTTP/1.0\r\n\r\n");
  EXPECT_EQ(next(), "GET /a?b=c");
  EXPECT_EQ(next(), "POST /b xyz");
  EXPECT_EQ(next(), "HEAD /c");
  EXPECT_EQ(next(), "");
}

TEST_F(HttpReaderTest, bytes_that_are_no_http_are_an_error) {
  feed(std::string_view{"\x00\x00\x00\x12", 4});
  EXPECT_EQ(next(), "error");
}

TEST_F(HttpReaderTest, headers_over_the_limit_are_an_error) {
  feed("GET / HTTP/1.1\r\nA: " + std::string(2000, 'x'));
  EXPECT_EQ(next(), "error");
}

TEST_F(HttpReaderTest, a_body_over_the_limit_is_an_error) {
  feed("POST / HTTP/1.1\r\nContent-Length: 17\r\n\r\n");
  EXPECT_EQ(next(), "error");
}

TEST(HttpResponseTest, a_response_tells_its_length_and_whether_the_connection_stays) {
  const HttpRequest get{.method = "GET", .target = "/", .body = "", .keep_alive = true};
  EXPECT_EQ(to_http(get, {.status = 200, .content_type = "text/plain", .body = "ok\n"}),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nok\n");
  const HttpRequest head{.method = "HEAD", .target = "/", .body = "", .keep_alive = false};
  EXPECT_EQ(to_http(head, {.status = 503, .content_type = "text/plain", .body = "no"}),
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n"
            "Connection: close\r\n\r\n");
}

}  // namespace
}  // namespace stele::io
