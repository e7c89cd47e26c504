#include "metadata/features.h"

#include <array>

namespace stele::metadata {
namespace {

struct Named {
  int16_t level;
  std::string_view name;
};
constexpr std::array kVersions{
    Named{22, "4.0-IV0"}, Named{23, "4.0-IV1"}, Named{24, "4.0-IV2"}, Named{25, "4.0-IV3"}, Named{26, "4.1-IV0"},
    Named{27, "4.1-IV1"}, Named{28, "4.2-IV0"}, Named{29, "4.2-IV1"}, Named{30, "4.3-IV0"},
};

constexpr std::array kSupported{
    SupportedFeature{kMetadataVersionFeature, 7, kMetadataVersionLatest.level, 0},
    SupportedFeature{kElrFeature, 0, 1, 26},
    SupportedFeature{kGroupFeature, 0, 1, 22},
    SupportedFeature{kKraftFeature, 0, 1, 0},
    SupportedFeature{kShareFeature, 0, 1, 28},
    SupportedFeature{kStreamsFeature, 0, 1, 29},
    SupportedFeature{kTransactionFeature, 0, 2, 24},
};

}  // namespace

std::string_view metadata_version_name(MetadataVersion version) {
  for (const Named& known : kVersions) {
    if (known.level == version.level) return known.name;
  }
  return "";
}

std::optional<MetadataVersion> parse_metadata_version(std::string_view text) {
  std::optional<MetadataVersion> found;
  for (const Named& known : kVersions) {
    const std::string_view release = known.name.substr(0, known.name.find('-'));
    if (text == known.name || text == release) found = MetadataVersion{known.level};
  }
  return found;
}

std::span<const SupportedFeature> supported_features() { return kSupported; }

}  // namespace stele::metadata
