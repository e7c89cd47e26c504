#include "metadata/format.h"

#include <utility>

#include "log/meta_properties.h"
#include "metadata/local_log.h"
#include "metadata/quorum_state.h"
#include "metadata/snapshot.h"
#include "wire/feature_level_record.h"

namespace stele::metadata {
namespace {

constexpr uint64_t kBootstrapBytesMax = 16 << 20;

base::ByteVector feature_level(std::string_view name, int16_t level) {
  wire::FeatureLevelRecord record;
  record.name = name;
  record.feature_level = level;
  return encode_record(record, 0);
}

}  // namespace

Records bootstrap_records(MetadataVersion version) {
  Records out{feature_level(kMetadataVersionFeature, version.level)};
  for (const SupportedFeature& feature : supported_features()) {
    if (feature.name == kMetadataVersionFeature || feature.name == kKraftFeature) continue;
    if (version.level >= feature.since) out.push_back(feature_level(feature.name, feature.max));
  }
  return out;
}

base::ByteVector bootstrap_checkpoint(MetadataVersion version, base::Timestamp now) {
  return write_snapshot(bootstrap_records(version), {.now = now});
}

base::ByteVector standalone_checkpoint(const Voter& voter, base::DirectoryId directory, base::Timestamp now) {
  SnapshotForm form;
  form.last_contained = form.now = now;
  form.control = standalone_control(voter.node, directory, voter.listener, voter.host, voter.port);
  return write_snapshot(Records{}, form);
}

base::Task<base::Result<void>> format_log_dir(io::Directory& dir, Format format, base::Timestamp now) {
  STELE_CO_TRY(co_await io::write_atomically(dir, kBootstrapCheckpoint, bootstrap_checkpoint(format.version, now)));
  if (format.standalone) {
    STELE_CO_TRY_ASSIGN(const auto log, co_await dir.open_directory(kMetadataLogDirectory, true));
    STELE_CO_TRY(co_await io::write_atomically(*log, snapshot_name(base::Offset{0}, base::LeaderEpoch{0}),
                                               standalone_checkpoint(*format.standalone, format.directory, now)));
  }
  const log::MetaProperties meta{
      .cluster_id = format.cluster_id, .node_id = format.node, .directory_id = format.directory};
  const std::string text = log::format_meta_properties(meta, log::properties_date(now));
  const base::Bytes bytes = base::as_bytes(text);
  co_return co_await io::write_atomically(dir, std::string{log::kMetaPropertiesName}, {bytes.begin(), bytes.end()});
}

base::Task<base::Result<Records>> read_bootstrap(io::Directory& dir) {
  auto content = co_await io::read_whole(dir, kBootstrapCheckpoint, kBootstrapBytesMax);
  if (!content.ok()) {
    if (content.error().os_error == ENOENT) co_return Records{};
    co_return std::move(content).error();
  }
  co_return read_snapshot_records(*content);
}

}  // namespace stele::metadata
