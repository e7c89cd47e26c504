#include "coordinator/group/record_codec.h"

#include <utility>

#include "wire/codec.h"
#include "wire/group_metadata_key.h"
#include "wire/group_metadata_value.h"
#include "wire/offset_commit_key.h"
#include "wire/offset_commit_value.h"

namespace stele::coordinator {
namespace {

constexpr int16_t kOldOffsetCommitType = 0;
constexpr int16_t kOffsetCommitType = 1;
constexpr int16_t kGroupMetadataType = 2;
constexpr int16_t kOffsetValueVersion = 4;
constexpr int16_t kOffsetValueVersionWithExpiration = 1;
constexpr int16_t kGroupValueVersion = 3;

template <class M>
base::Result<base::ByteVector> prefixed(int16_t prefix, const M& message, int16_t version) {
  STELE_TRY_ASSIGN(const wire::EncodedSize size, wire::measure(message, version));
  base::ByteVector bytes(sizeof prefix + size.total);
  wire::Writer out{bytes};
  out.put(prefix);
  wire::encode(out, message, version);
  return bytes;
}

std::optional<std::string_view> view(const std::optional<std::string>& text) {
  return text ? std::optional<std::string_view>(*text) : std::nullopt;
}
std::optional<std::string> own(const std::optional<std::string_view>& text) {
  return text ? std::optional<std::string>(*text) : std::nullopt;
}
base::ByteVector own(base::Bytes bytes) { return {bytes.begin(), bytes.end()}; }

base::Result<LogRecord> encode(const OffsetRecord& record) {
  wire::OffsetCommitKey key;
  key.group = record.group_id;
  key.topic = record.topic;
  key.partition = record.partition;
  LogRecord encoded;
  STELE_TRY_ASSIGN(encoded.key, prefixed(kOffsetCommitType, key, wire::OffsetCommitKey::kMinVersion));
  if (!record.value) return encoded;
  wire::OffsetCommitValue value;
  value.offset = record.value->offset;
  value.leader_epoch = record.value->leader_epoch;
  value.metadata = record.value->metadata;
  value.commit_timestamp = record.value->commit_timestamp;
  value.expire_timestamp = record.value->expire_timestamp;
  value.topic_id = record.value->topic_id;
  const int16_t version = value.expire_timestamp == -1 ? kOffsetValueVersion : kOffsetValueVersionWithExpiration;
  STELE_TRY_ASSIGN(encoded.value, prefixed(version, value, version));
  return encoded;
}

base::Result<LogRecord> encode(const GroupRecord& record) {
  wire::GroupMetadataKey key;
  key.group = record.group_id;
  LogRecord encoded;
  STELE_TRY_ASSIGN(encoded.key, prefixed(kGroupMetadataType, key, wire::GroupMetadataKey::kMinVersion));
  if (!record.value) return encoded;
  const StoredGroup& stored = *record.value;
  wire::GroupMetadataValue value;
  value.protocol_type = stored.protocol_type;
  value.generation = stored.generation;
  value.protocol = view(stored.protocol);
  value.leader = view(stored.leader);
  value.current_state_timestamp = stored.state_timestamp;
  for (const StoredMember& from : stored.members) {
    auto& to = value.members.emplace_back();
    to.member_id = from.member_id;
    to.group_instance_id = view(from.instance_id);
    to.client_id = from.client_id;
    to.client_host = from.client_host;
    to.rebalance_timeout = from.rebalance_timeout_ms;
    to.session_timeout = from.session_timeout_ms;
    to.subscription = from.subscription;
    to.assignment = from.assignment;
  }
  STELE_TRY_ASSIGN(encoded.value, prefixed(kGroupValueVersion, value, kGroupValueVersion));
  return encoded;
}

// The int16 in front of a key or value.
base::Result<int16_t> read_prefix(base::Bytes& bytes) {
  if (bytes.size() < sizeof(int16_t)) {
    return {base::ErrorCode::kCorruptMessage, "a record of __consumer_offsets ends too early"};
  }
  const auto prefix = base::load_be<int16_t>(bytes.data());
  bytes = bytes.subspan(sizeof prefix);
  return prefix;
}

base::Result<GroupLogRecord> decode_offset(base::Bytes key_bytes, std::optional<base::Bytes> value_bytes) {
  STELE_TRY_ASSIGN(const auto key,
                   wire::from_bytes<wire::OffsetCommitKey>(key_bytes, wire::OffsetCommitKey::kMinVersion));
  OffsetRecord record{std::string(key.group), std::string(key.topic), key.partition, std::nullopt};
  if (!value_bytes) return GroupLogRecord{std::move(record)};
  STELE_TRY_ASSIGN(const int16_t version, read_prefix(*value_bytes));
  STELE_TRY_ASSIGN(const auto value, wire::from_bytes<wire::OffsetCommitValue>(*value_bytes, version));
  CommittedOffset& to = record.value.emplace();
  to.offset = value.offset;
  to.leader_epoch = value.leader_epoch;
  to.metadata = value.metadata;
  to.commit_timestamp = value.commit_timestamp;
  to.expire_timestamp = value.expire_timestamp;
  to.topic_id = value.topic_id;
  return GroupLogRecord{std::move(record)};
}

base::Result<GroupLogRecord> decode_group(base::Bytes key_bytes, std::optional<base::Bytes> value_bytes) {
  STELE_TRY_ASSIGN(const auto key,
                   wire::from_bytes<wire::GroupMetadataKey>(key_bytes, wire::GroupMetadataKey::kMinVersion));
  GroupRecord record{std::string(key.group), std::nullopt};
  if (!value_bytes) return GroupLogRecord{std::move(record)};
  STELE_TRY_ASSIGN(const int16_t version, read_prefix(*value_bytes));
  STELE_TRY_ASSIGN(const auto value, wire::from_bytes<wire::GroupMetadataValue>(*value_bytes, version));
  StoredGroup& to = record.value.emplace();
  to.protocol_type = value.protocol_type;
  to.generation = value.generation;
  to.protocol = own(value.protocol);
  to.leader = own(value.leader);
  to.state_timestamp = value.current_state_timestamp;
  for (const auto& from : value.members) {
    StoredMember& member = to.members.emplace_back();
    member.member_id = from.member_id;
    member.instance_id = own(from.group_instance_id);
    member.client_id = from.client_id;
    member.client_host = from.client_host;
    member.rebalance_timeout_ms = from.rebalance_timeout;
    member.session_timeout_ms = from.session_timeout;
    member.subscription = own(from.subscription);
    member.assignment = own(from.assignment);
  }
  return GroupLogRecord{std::move(record)};
}

}  // namespace

base::Result<LogRecord> encode_group_record(const GroupLogRecord& record) {
  return std::visit([](const auto& kind) { return encode(kind); }, record);
}

base::Result<std::variant<GroupLogRecord, OtherRecord>> decode_group_record(base::Bytes key,
                                                                            std::optional<base::Bytes> value) {
  using Decoded = std::variant<GroupLogRecord, OtherRecord>;
  STELE_TRY_ASSIGN(const int16_t type, read_prefix(key));
  switch (type) {
    case kOldOffsetCommitType:
    case kOffsetCommitType: {
      STELE_TRY_ASSIGN(auto record, decode_offset(key, value));
      return Decoded{std::move(record)};
    }
    case kGroupMetadataType: {
      STELE_TRY_ASSIGN(auto record, decode_group(key, value));
      return Decoded{std::move(record)};
    }
    default:
      return Decoded{OtherRecord{type}};
  }
}

}  // namespace stele::coordinator
