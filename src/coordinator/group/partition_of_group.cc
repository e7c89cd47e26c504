#include "coordinator/group/partition_of_group.h"

#include <cstdlib>
#include <limits>

namespace stele::coordinator {
namespace {

// The code point at `at`, which moves behind it. A byte that begins no character stands for U+FFFD, as Java decodes it.
char32_t next_code_point(std::string_view text, size_t& at) {
  constexpr char32_t kReplacement = 0xfffd;
  const auto first = static_cast<unsigned char>(text[at++]);
  if (first < 0x80) return first;
  const int more = first >= 0xf0 && first < 0xf8   ? 3
                   : first >= 0xe0 && first < 0xf0 ? 2
                   : first >= 0xc2 && first < 0xe0 ? 1
                                                   : 0;
  if (more == 0) return kReplacement;
  char32_t point = first & (0x3f >> more);
  for (int i = 0; i < more; ++i) {
    if (at >= text.size() || (static_cast<unsigned char>(text[at]) & 0xc0) != 0x80) return kReplacement;
    point = (point << 6) | (static_cast<unsigned char>(text[at++]) & 0x3f);
  }
  return point;
}

}  // namespace

int32_t java_hash(std::string_view text) {
  uint32_t hash = 0;
  for (size_t at = 0; at < text.size();) {
    const char32_t point = next_code_point(text, at);
    if (point < 0x10000) {
      hash = hash * 31 + point;
    } else {
      hash = hash * 31 + (0xd800 + ((point - 0x10000) >> 10));
      hash = hash * 31 + (0xdc00 + ((point - 0x10000) & 0x3ff));
    }
  }
  return static_cast<int32_t>(hash);
}

int32_t partition_of_group(std::string_view group_id, int32_t partitions) {
  const int32_t hash = java_hash(group_id);
  return (hash == std::numeric_limits<int32_t>::min() ? 0 : std::abs(hash)) % partitions;
}

}  // namespace stele::coordinator
