// Offline reading of a log dir's files, for `stele log dump` and `stele log verify`. Nothing is changed. Kafka's own
// files are read the same way; the words of a line are those of Kafka's DumpLogSegments.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/task.h"
#include "io/file.h"
#include "record/batch.h"
#include "record/record.h"

namespace stele::log {

struct DumpField {
  std::string name;
  std::string value;
  bool quoted = false;    // a text in JSON; else `value` is JSON
  std::string json = {};  // stands for `value` in JSON, where they differ
};

struct DumpLine {
  std::string kind;  // "batch", "record", "index", "problem", ...
  std::vector<DumpField> fields;

  // "baseOffset: 0 lastOffset: 2 ..."; records are led by "| ".
  std::string to_text() const;
};

DumpField dump_text(std::string name, std::string value);
DumpField dump_json(std::string name, std::string value);

// Says what key and value of a record mean; false for one that means nothing to it, which is shown as it is.
using RecordDecoder =
    std::function<bool(const record::BatchView& batch, const record::RecordView& record, DumpLine& line)>;
// A line for a file of a name that this layer does not know; nothing for one that is none of a log.
using FileDecoder = std::function<base::Result<std::optional<DumpLine>>(std::string_view name, base::Bytes content)>;

struct DumpOptions {
  bool records = false;                            // every record of every batch
  bool verify = false;                             // only problems
  std::function<void(uint64_t bytes)> on_batch{};  // told of each batch, for progress; this and the next may be empty
  RecordDecoder decode{};
  FileDecoder decode_file{};
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

// Files beside the partitions that dump_file() reads: meta.properties, the mark of a clean stop, the offset
// checkpoints.
bool is_log_dir_file(std::string_view name);

// One file, told by its name: .log, .checkpoint (a snapshot of the metadata), .index, .timeindex, .txnindex, .snapshot,
// leader-epoch-checkpoint, the offset checkpoints, partition.metadata, meta.properties, .kafka_cleanshutdown. Damage is
// a "problem" line, not an error. kInvalidRequest: a name of none of these.
base::Task<base::Result<DumpReport>> dump_file(io::Directory& directory, std::string path, DumpOptions options,
                                               DumpSink sink);

// All files of a partition's directory, and that they agree: offsets rise over all segments, every index entry points
// at the first byte of the batch it names, every checksum is right.
base::Task<base::Result<DumpReport>> dump_partition(io::Directory& log_dir, std::string name, DumpOptions options,
                                                    DumpSink sink);

}  // namespace stele::log
