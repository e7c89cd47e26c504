// What formatting writes into a log dir: the files of `kafka-storage format`, byte for byte but for ids and times.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/task.h"
#include "base/uuid.h"
#include "io/file.h"
#include "metadata/features.h"
#include "metadata/record.h"

namespace stele::metadata {

inline constexpr char kBootstrapCheckpoint[] = "bootstrap.checkpoint";

// The FeatureLevel records of a new cluster at this metadata.version, in Kafka's order: metadata.version first.
Records bootstrap_records(MetadataVersion version);
base::ByteVector bootstrap_checkpoint(MetadataVersion version, base::Timestamp now);

// The voter of a quorum whose voters stand in the log (`--standalone`).
struct Voter {
  base::BrokerId node{0};
  std::string listener;  // CONTROLLER
  std::string host;
  uint16_t port = 0;
};
// 00000000000000000000-0000000000.checkpoint of the metadata log.
base::ByteVector standalone_checkpoint(const Voter& voter, base::DirectoryId directory, base::Timestamp now);

struct Format {
  std::string cluster_id;
  base::BrokerId node{0};
  base::DirectoryId directory;
  MetadataVersion version = kMetadataVersionLatest;
  std::optional<Voter> standalone;  // in the log dir of the metadata alone
};
// Formats one empty log dir. meta.properties comes last: a dir without it is not formatted, whatever else is in it. All
// is on stable storage on return.
base::Task<base::Result<void>> format_log_dir(io::Directory& dir, Format format, base::Timestamp now);

// The records of bootstrap.checkpoint in the log dir of the metadata; none where there is no such file.
base::Task<base::Result<Records>> read_bootstrap(io::Directory& dir);

}  // namespace stele::metadata
