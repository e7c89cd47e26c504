// What the records of internal topics, control records and the files of the metadata quorum mean, in the words of
// Kafka's kafka-dump-log.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "log/dump.h"
#include "record/batch.h"
#include "record/record.h"

namespace stele::app {

enum class Decoder : uint8_t {
  kNone,  // control records alone
  kMetadata,
  kOffsets,
  kTransactions,
  kShareGroups,
};

// By the directory of a partition ("__consumer_offsets-7") or, for snapshots of the metadata, the name of the file.
Decoder decoder_for(std::string_view directory, std::string_view file);

// Appends "key" and "payload" as JSON, or what a control record says. False where the bytes are nothing that the
// decoder knows.
bool decode_record(Decoder decoder, const record::BatchView& batch, const record::RecordView& record,
                   log::DumpLine& line);

// quorum-state; nothing for any other name. kInvalidRecord where it is damaged.
base::Result<std::optional<log::DumpLine>> decode_quorum_file(std::string_view name, base::Bytes content);

}  // namespace stele::app
