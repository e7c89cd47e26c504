#include "metadata/snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "metadata/record_form.h"
#include "record/builder.h"
#include "record/record.h"
#include "wire/kraft_version_record.h"
#include "wire/leader_change_message.h"
#include "wire/snapshot_footer_record.h"
#include "wire/snapshot_header_record.h"
#include "wire/voters_record.h"

namespace stele::metadata {
namespace {

using base::ErrorCode;

// ControlRecordType of Kafka.
enum class Control : int16_t {
  kLeaderChange = 2,
  kSnapshotHeader = 3,
  kSnapshotFooter = 4,
  kKraftVersion = 5,
  kKraftVoters = 6,
};

// Kafka's snapshots are written in batches of up to 8 MiB; ours stay small enough to be read with little memory.
constexpr size_t kBatchBytes = 256 * 1024;

struct ControlRecord {
  Control type;
  base::ByteVector value;
};

base::ByteVector control_batch(base::Offset index, base::LeaderEpoch epoch, const std::vector<ControlRecord>& records,
                               base::Timestamp now) {
  record::BatchOptions options;
  options.base_offset = index;
  options.leader_epoch = epoch;
  options.is_control = true;
  record::BatchBuilder builder{options};
  for (const ControlRecord& control : records) {
    base::ByteVector key;
    base::append_be<int16_t>(key, 0);
    base::append_be<int16_t>(key, std::to_underlying(control.type));
    builder.add({.timestamp = now, .key = base::Bytes{key}, .value = base::Bytes{control.value}});
  }
  return std::move(builder).build();
}

class SnapshotWriter {
 public:
  SnapshotWriter(base::LeaderEpoch epoch, base::Timestamp now) : epoch_(epoch), now_(now) {}

  void control(const std::vector<ControlRecord>& records) {
    base::append(out_, control_batch(next_, epoch_, records, now_));
    next_ = next_ + static_cast<int64_t>(records.size());
  }
  void records(const Records& all) {
    for (size_t from = 0; from < all.size();) {
      Records part;
      for (size_t bytes = 0; from < all.size() && (part.empty() || bytes + all[from].size() <= kBatchBytes); ++from) {
        bytes += all[from].size();
        part.push_back(all[from]);
      }
      base::append(out_, record_batch(next_, epoch_, part, now_));
      next_ = next_ + static_cast<int64_t>(part.size());
    }
  }
  base::ByteVector take() { return std::move(out_); }

 private:
  base::LeaderEpoch epoch_;
  base::Timestamp now_;
  base::Offset next_{0};
  base::ByteVector out_;
};

base::ByteVector bytes_of(const RawRecord& raw) {
  const base::Bytes bytes = base::as_bytes(raw);
  return {bytes.begin(), bytes.end()};
}

template <class K>
void add_kept(const PersistentMap<K, Kept>& map, Records& out) {
  map.for_each([&](const K&, const Kept& kept) { out.push_back(bytes_of(kept.raw)); });
}

}  // namespace

base::ByteVector record_batch(base::Offset index, base::LeaderEpoch epoch, const Records& records,
                              base::Timestamp now) {
  record::BatchOptions options;
  options.base_offset = index;
  options.leader_epoch = epoch;
  record::BatchBuilder builder{options};
  for (const base::ByteVector& value : records) builder.add({.timestamp = now, .value = base::Bytes{value}});
  return std::move(builder).build();
}

base::ByteVector leader_change_batch(base::Offset index, base::LeaderEpoch epoch, base::BrokerId leader,
                                     base::Timestamp now) {
  wire::LeaderChangeMessage message;
  message.leader_id = leader.value();
  message.voters.push_back({leader.value(), base::kZeroUuid});
  message.granting_voters = message.voters;
  return control_batch(index, epoch, {{Control::kLeaderChange, encode_message(message, 0)}}, now);
}

ControlState standalone_control(base::BrokerId node, base::DirectoryId directory, std::string_view listener,
                                std::string_view host, uint16_t port) {
  wire::VotersRecord voters;
  auto& voter = voters.voters.emplace_back();
  voter.voter_id = node.value();
  voter.voter_directory_id = directory;
  voter.endpoints.push_back({.name = listener, .host = host, .port = port});
  voter.k_raft_version_feature.max_supported_version = 1;
  const base::ByteVector coded = encode_message(voters, 0);
  return {1, std::string{base::as_text(coded)}};
}

Records image_records(const Image& image) {
  Records out;
  const MetadataVersion version = image.metadata_version();
  // The form of everything else depends on it, so it comes first.
  if (const auto* level = image.features.find(kMetadataVersionFeature)) out.push_back(bytes_of(level->second));
  image.features.for_each([&](const std::string& name, const std::pair<int16_t, RawRecord>& feature) {
    if (name != kMetadataVersionFeature) out.push_back(bytes_of(feature.second));
  });
  image.brokers.for_each([&](int32_t, const auto& broker) { out.push_back(encode_broker(*broker, version)); });
  add_kept(image.controllers, out);
  image.for_each_topic([&](const Topic& topic) {
    out.push_back(bytes_of(topic.raw));
    topic.partitions.for_each([&](int32_t index, const auto& partition) {
      out.push_back(encode_partition(*partition, topic.id, index, version));
    });
  });
  image.configs.for_each([&](const ConfigResource&, const auto& map) {
    for (const auto& [key, value] : *map) out.push_back(bytes_of(value.raw));
  });
  add_kept(image.client_quotas, out);
  if (!image.producer_ids.empty()) out.push_back(bytes_of(image.producer_ids));
  add_kept(image.acls, out);
  add_kept(image.scram_credentials, out);
  add_kept(image.delegation_tokens, out);
  if (!image.zk_migration.empty()) out.push_back(bytes_of(image.zk_migration));
  return out;
}

base::ByteVector write_snapshot(const Records& records, const SnapshotForm& form) {
  SnapshotWriter writer{form.epoch, form.now};
  wire::SnapshotHeaderRecord header;
  header.last_contained_log_timestamp = form.last_contained.value();
  std::vector<ControlRecord> first{{Control::kSnapshotHeader, encode_message(header, 0)}};
  if (form.control.kraft_version > 0) {
    wire::KRaftVersionRecord version;
    version.k_raft_version = form.control.kraft_version;
    first.push_back({Control::kKraftVersion, encode_message(version, 0)});
    if (!form.control.voters.empty()) first.push_back({Control::kKraftVoters, bytes_of(form.control.voters)});
  }
  writer.control(first);
  writer.records(records);
  writer.control({{Control::kSnapshotFooter, encode_message(wire::SnapshotFooterRecord{}, 0)}});
  return writer.take();
}

base::ByteVector write_snapshot(const Image& image, base::Timestamp now) {
  return write_snapshot(image_records(image), {image.epoch, image.timestamp, now, image.control});
}

namespace {

std::optional<Control> control_type(const record::RecordView& record) {
  wire::Reader key{record.key.value_or(base::Bytes{})};
  key.get<int16_t>();
  const auto type = key.get<int16_t>();
  if (!key.ok()) return std::nullopt;
  return static_cast<Control>(type);
}

base::Error damaged(std::string_view what) {
  return {ErrorCode::kInvalidRecord, fmt::format("the metadata snapshot is damaged: {}", what)};
}

// Calls f(batch) for each batch once its checksum holds, and sees to header and footer.
template <class F>
base::Result<void> for_each_batch(base::Bytes file, F&& f) {
  record::BatchReader reader{file};
  bool header = false;
  bool footer = false;
  for (;;) {
    STELE_TRY_ASSIGN(const auto batch, reader.next());
    if (!batch) break;
    if (footer) return damaged("it goes on behind its footer");
    if (batch->is_legacy() || batch->is_compressed() || !batch->crc_valid()) return damaged("a checksum is wrong");
    if (batch->is_control()) {
      record::RecordIterator records{*batch};
      for (;;) {
        STELE_TRY_ASSIGN(const auto record, records.next());
        if (!record) break;
        const auto type = control_type(*record);
        header |= type == Control::kSnapshotHeader;
        footer |= type == Control::kSnapshotFooter;
      }
    }
    if (!header) return damaged("it does not begin with a header");
    STELE_TRY(f(*batch));
  }
  if (reader.end() != record::BatchEnd::kClean || !footer) return damaged("it is cut off");
  return {};
}

}  // namespace

base::Result<ImagePtr> read_snapshot(base::Bytes file) {
  Delta delta{std::make_shared<const Image>()};
  STELE_TRY(for_each_batch(file, [&](const record::BatchView& batch) { return delta.apply_batch(batch.bytes()); }));
  return std::move(delta).finish();
}

base::Result<Records> read_snapshot_records(base::Bytes file) {
  Records out;
  STELE_TRY(for_each_batch(file, [&](const record::BatchView& batch) -> base::Result<void> {
    if (batch.is_control()) return {};
    record::RecordIterator records{batch};
    for (;;) {
      STELE_TRY_ASSIGN(const auto record, records.next());
      if (!record) return {};
      if (!record->value) return damaged("a record has no value");
      out.emplace_back(record->value->begin(), record->value->end());
    }
  }));
  return out;
}

}  // namespace stele::metadata
