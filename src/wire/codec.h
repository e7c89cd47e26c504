// Whole messages and whole frames in one call. Hot paths measure, then encode into a buffer of their own.
#pragma once

#include <memory>

#include "wire/api.h"
#include "wire/message.h"
#include "wire/reader.h"
#include "wire/response_header.h"
#include "wire/writer.h"

namespace stele::wire {

// Every frame begins with its length as int32, which does not count itself.
inline constexpr size_t kFrameLengthBytes = 4;

// An M whose vectors use `arena`.
template <class M>
M make_message(std::pmr::memory_resource* arena = std::pmr::get_default_resource()) {
  return std::make_obj_using_allocator<M>(Allocator{arena});
}

// The message is a view of the reader's bytes and lives in its arena.
template <class M>
base::Result<M> read_message(Reader& in, int16_t version) {
  M message = make_message<M>(in.arena());
  STELE_TRY(decode(in, version, message));
  return message;
}

// Bytes after the message are ignored, as Kafka ignores them. The message is a view of `bytes`.
template <class M>
base::Result<M> from_bytes(base::Bytes bytes, int16_t version,
                           std::pmr::memory_resource* arena = std::pmr::get_default_resource()) {
  Reader in{bytes, arena};
  return read_message<M>(in, version);
}

// UNSUPPORTED_VERSION where the version cannot express the message.
template <class M>
base::Result<base::ByteVector> to_bytes(const M& message, int16_t version) {
  STELE_TRY_ASSIGN(const EncodedSize size, measure(message, version));
  base::ByteVector bytes(size.total);
  Writer out{bytes};
  encode(out, message, version);
  STELE_CHECK(out.written() == bytes.size());
  return bytes;
}

template <class M>
int16_t response_header_version(int16_t version) {
  return find_api(M::kApiKey)->response_header_version(version);
}

// The size of a whole response frame, length and header included.
template <class M>
base::Result<EncodedSize> measure_response_frame(const M& response, int16_t version) {
  STELE_TRY_ASSIGN(EncodedSize size, measure(response, version));
  size.total += kFrameLengthBytes + encoded_size(ResponseHeader{}, response_header_version<M>(version));
  return size;
}

// `size` is what measure_response_frame gave.
template <class M>
void encode_response_frame(Writer& out, int32_t correlation_id, const M& response, int16_t version, EncodedSize size) {
  out.put(static_cast<int32_t>(size.total - kFrameLengthBytes));
  encode(out, ResponseHeader{.correlation_id = correlation_id}, response_header_version<M>(version));
  encode(out, response, version);
}

template <class M>
base::Result<base::ByteVector> response_frame(int32_t correlation_id, const M& response, int16_t version) {
  STELE_TRY_ASSIGN(const EncodedSize size, measure_response_frame(response, version));
  base::ByteVector bytes(size.total);
  Writer out{bytes};
  encode_response_frame(out, correlation_id, response, version, size);
  STELE_CHECK(out.written() == bytes.size());
  return bytes;
}

template <class M>
base::Result<base::ByteVector> request_frame(int32_t correlation_id, std::optional<std::string_view> client_id,
                                             const M& request, int16_t version) {
  const RequestHeader header{.request_api_key = M::kApiKey,
                             .request_api_version = version,
                             .correlation_id = correlation_id,
                             .client_id = client_id};
  const int16_t header_version = find_api(M::kApiKey)->request_header_version(version);
  STELE_TRY_ASSIGN(const EncodedSize body, measure(request, version));
  STELE_TRY_ASSIGN(const EncodedSize head, measure(header, header_version));
  base::ByteVector bytes(kFrameLengthBytes + head.total + body.total);
  Writer out{bytes};
  out.put(static_cast<int32_t>(head.total + body.total));
  encode(out, header, header_version);
  encode(out, request, version);
  STELE_CHECK(out.written() == bytes.size());
  return bytes;
}

}  // namespace stele::wire
