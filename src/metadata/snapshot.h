// Snapshots of the metadata log: the image as records, between a header and a footer, in the form of Kafka's
// RecordsSnapshotWriter. A file of the same form, named bootstrap.checkpoint, seeds a new cluster.
#pragma once

#include <functional>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "metadata/delta.h"
#include "metadata/image.h"
#include "metadata/record.h"

namespace stele::metadata {

// The records that make this image out of an empty one.
Records image_records(const Image& image);

struct SnapshotForm {
  base::LeaderEpoch epoch{0};
  // The time of the last entry that the snapshot holds, and that of writing it.
  base::Timestamp last_contained{0};
  base::Timestamp now{0};
  // Carried along from the log; version 0 writes neither.
  ControlState control{};
};
// The bytes of a snapshot file.
base::ByteVector write_snapshot(const Records& records, const SnapshotForm& form);
base::ByteVector write_snapshot(const Image& image, base::Timestamp now);

// The image that a snapshot file holds; the caller sets its next index and epoch from the file's name. INVALID_RECORD
// where a batch is damaged or header or footer are missing.
base::Result<ImagePtr> read_snapshot(base::Bytes file);
// The metadata records of a snapshot file (of bootstrap.checkpoint), coded.
base::Result<Records> read_snapshot_records(base::Bytes file);

// One control batch: LeaderChange of a quorum with this one voter. Always of version 0, as Kafka writes it even with
// kraft.version 1: its own tools read no other.
base::ByteVector leader_change_batch(base::Offset index, base::LeaderEpoch epoch, base::BrokerId leader,
                                     base::Timestamp now);
// One batch of metadata records as Kafka's controller appends them.
base::ByteVector record_batch(base::Offset index, base::LeaderEpoch epoch, const Records& records, base::Timestamp now);

// Control records that say where a new quorum of one, whose voters stand in the log, begins.
ControlState standalone_control(base::BrokerId node, base::DirectoryId directory, std::string_view listener,
                                std::string_view host, uint16_t port);

}  // namespace stele::metadata
