#include "wire/writer.h"

#include <fmt/format.h>

namespace stele::wire {

base::Result<EncodedSize> SizeCounter::result(std::string_view what, int16_t version) const {
  if (refused_ == nullptr) return size_;
  return base::Error{base::ErrorCode::kUnsupportedVersion,
                     fmt::format("{} v{} cannot express the value of {}", what, version, refused_)};
}

}  // namespace stele::wire
