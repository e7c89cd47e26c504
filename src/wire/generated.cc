#include "wire/generated.h"

namespace stele::wire::generated {

void keep_unknown(Reader& in, Reader::Tag tag, std::pmr::vector<RawTaggedField>& unknown) {
  const base::Bytes data = in.get_raw(tag.size);
  if (!in.ok()) return;
  const auto at = std::lower_bound(unknown.begin(), unknown.end(), tag.number,
                                   [](const RawTaggedField& field, uint32_t number) { return field.tag < number; });
  if (at != unknown.end() && at->tag == tag.number) {
    at->data = data;
  } else {
    unknown.insert(at, RawTaggedField{tag.number, data});
  }
}

base::Error no_such_version(std::string_view name, int16_t version) {
  return {base::ErrorCode::kUnsupportedVersion, fmt::format("{} has no version {}", name, version)};
}

}  // namespace stele::wire::generated
