// Requests to the HTTP listener.
#include <algorithm>
#include <vector>

#include "base/check.h"
#include "fuzz/input.h"
#include "fuzz/target.h"
#include "io/http.h"

namespace stele::fuzz {

namespace {

// What a reader makes of the bytes that come in pieces of this size, up to the first error.
std::vector<io::HttpRequest> requests_of(base::Bytes bytes, size_t piece) {
  const io::HttpLimits limits;
  io::HttpReader reader{limits};
  std::vector<io::HttpRequest> all;
  while (!bytes.empty()) {
    const base::ByteVector some = exact(bytes.first(std::min(piece, bytes.size())));
    bytes = bytes.subspan(some.size());
    reader.feed(some);
    while (true) {
      auto request = reader.next();
      if (!request.ok()) return all;
      if (!*request) break;
      STELE_CHECK((*request)->target.size() <= limits.header_bytes_max &&
                  (*request)->body.size() <= limits.body_bytes_max);
      STELE_CHECK(!io::to_http(**request, {.body = (*request)->body}).empty());
      all.push_back(**std::move(request));
    }
  }
  return all;
}

}  // namespace

// The first byte is the size of the pieces. However the bytes are cut, the same requests come out of them.
void http_requests(base::Bytes bytes) {
  if (bytes.empty()) return;
  const size_t piece = static_cast<size_t>(bytes.front()) + 1;
  bytes = bytes.subspan(1);
  const auto whole = requests_of(bytes, bytes.size() + 1);
  const auto cut = requests_of(bytes, piece);
  // Bytes that are no request may be noticed sooner or later.
  for (size_t i = 0; i < std::min(whole.size(), cut.size()); ++i) {
    STELE_CHECK(whole[i].method == cut[i].method && whole[i].target == cut[i].target && whole[i].body == cut[i].body &&
                whole[i].keep_alive == cut[i].keep_alive);
  }
}

}  // namespace stele::fuzz
