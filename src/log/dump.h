// Offline reading of a log dir's files, for `stele log dump` and `stele log verify`. Nothing is changed. Kafka's own
// files are read the same way; the words of a line are those of Kafka's DumpLogSegments.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/task.h"
#include "io/file.h"

namespace stele::log {

struct DumpField {
  std::string name;
  std::string value;
  bool quoted = false;  // a text in JSON; else a number or a truth value
};

struct DumpLine {
  std::string kind;  // "batch", "record", "index", "problem", ...
  std::vector<DumpField> fields;

  // "baseOffset: 0 lastOffset: 2 ..."; records are led by "| ".
  std::string to_text() const;
  std::string to_json() const;
};

struct DumpOptions {
  bool records = false;                            // every record of every batch
  bool verify = false;                             // only problems
  std::function<void(uint64_t bytes)> on_batch{};  // told of each batch, for progress; may be empty
};

struct DumpReport {
  uint64_t files = 0;
  uint64_t bytes = 0;
  uint64_t batches = 0;
  uint64_t records = 0;
  uint64_t problems = 0;
  base::Offset end{0};  // behind the last batch of the last segment read
};

using DumpSink = std::function<void(const DumpLine&)>;

// Files beside the partitions that dump_file() reads: meta.properties and the offset checkpoints.
bool is_log_dir_file(std::string_view name);

// One file, told by its name: .log, .checkpoint (a snapshot of the metadata), .index, .timeindex, .txnindex, .snapshot,
// leader-epoch-checkpoint, the offset checkpoints, partition.metadata, meta.properties. Damage is a "problem" line, not
// an error. kInvalidRequest: a name of none of these.
base::Task<base::Result<DumpReport>> dump_file(io::Directory& directory, std::string path, DumpOptions options,
                                               DumpSink sink);

// All files of a partition's directory, and that they agree: offsets rise over all segments, every index entry points
// at the first byte of the batch it names, every checksum is right.
base::Task<base::Result<DumpReport>> dump_partition(io::Directory& log_dir, std::string name, DumpOptions options,
                                                    DumpSink sink);

}  // namespace stele::log
