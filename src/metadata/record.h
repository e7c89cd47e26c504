// The value of a record of the metadata log: uvarint frame version (1), uvarint record type, uvarint record version,
// message (AbstractApiMessageSerde of Kafka).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/message.h"
#include "wire/reader.h"
#include "wire/record_types.h"
#include "wire/writer.h"

namespace stele::metadata {

// Coded values, in the order in which they are to be appended.
using Records = std::vector<base::ByteVector>;

struct RecordHead {
  int16_t type = 0;
  int16_t version = 0;
  base::Bytes message;
};

// INVALID_RECORD where the bytes are no framed record.
base::Result<RecordHead> read_record_head(base::Bytes value);
// "TopicRecord" for 2; "record type 99" for one that is unknown.
std::string record_type_name(int16_t type);

// Room for the frame of any known record.
void append_record_head(base::ByteVector& out, int16_t type, int16_t version);

// `version` is one that the record has, and can express it: it is our own record, so a failure is a bug of ours.
template <class R>
base::ByteVector encode_record(const R& record, int16_t version) {
  base::ByteVector out;
  append_record_head(out, R::kRecordType, version);
  const auto size = measure(record, version);
  STELE_CHECK(size.ok(), "{}", size.ok() ? std::string{} : size.error().message);
  const size_t at = out.size();
  out.resize(at + size->total);
  wire::Writer writer{base::MutableBytes{out}.subspan(at)};
  encode(writer, record, version);
  return out;
}

// A message without a frame, as control records carry them.
template <class R>
base::ByteVector encode_message(const R& message, int16_t version) {
  base::ByteVector out(encoded_size(message, version));
  wire::Writer writer{base::MutableBytes{out}};
  encode(writer, message, version);
  return out;
}

}  // namespace stele::metadata
