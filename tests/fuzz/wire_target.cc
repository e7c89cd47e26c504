// Every message at every version, and request frames as a connection gets them.
#include <string>

#include "base/check.h"
#include "fuzz/input.h"
#include "fuzz/target.h"
#include "wire/api.h"
#include "wire/catalog_test.h"
#include "wire/codec.h"

namespace stele::fuzz {

namespace {

// What was decoded must come back from its own bytes.
void decode_and_back(const wire::CatalogEntry& entry, base::Bytes bytes, int16_t version) {
  const base::Result<void> result = entry.decode_and_back(exact(bytes), version);
  STELE_CHECK(result.ok(), "{} v{}: {}", entry.name, version, result.error().message);
}

const wire::CatalogEntry* request_of(int16_t key) {
  const wire::ApiInfo* api = wire::find_api(key);
  if (api == nullptr) return nullptr;
  const std::string name = std::string{api->name} + "Request";
  for (const wire::CatalogEntry* entry : wire::catalog()) {
    if (entry->name == name) return entry;
  }
  return nullptr;
}

}  // namespace

// | message | version | bytes
void wire_message(base::Bytes bytes) {
  Input input{bytes};
  const auto catalog = wire::catalog();
  const wire::CatalogEntry& entry = *catalog[input.below(catalog.size())];
  const int versions = entry.max_version - entry.min_version + 1;
  const auto version = static_cast<int16_t>(entry.min_version + input.byte() % versions);
  decode_and_back(entry, input.rest(), version);
}

void request_frame(base::Bytes bytes) {
  const base::ByteVector frame = exact(bytes);
  wire::Reader in{frame};
  const auto header = wire::decode_request_header(in);
  if (!header.ok()) return;
  const wire::ApiInfo* api = wire::find_api(header->request_api_key);
  STELE_CHECK(api != nullptr, "a header of key {}", header->request_api_key);
  const int16_t header_version = api->request_header_version(header->request_api_version);
  const auto coded = wire::to_bytes(*header, header_version);
  STELE_CHECK(coded.ok(), "{}", coded.error().message);
  wire::Reader again{*coded};
  const auto back = wire::decode_request_header(again);
  STELE_CHECK(back.ok() && *back == *header && again.remaining() == 0, "a header came back different");
  const wire::CatalogEntry* entry = request_of(header->request_api_key);
  if (entry == nullptr) return;
  decode_and_back(*entry, base::Bytes{frame}.subspan(in.position()), header->request_api_version);
}

}  // namespace stele::fuzz
