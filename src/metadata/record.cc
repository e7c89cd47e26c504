#include "metadata/record.h"

#include <fmt/format.h>

#include <limits>

#include "base/varint.h"

namespace stele::metadata {
namespace {

constexpr uint32_t kFrameVersion = 1;

}  // namespace

base::Result<RecordHead> read_record_head(base::Bytes value) {
  wire::Reader in{value};
  const uint32_t frame = in.get_uvarint();
  const uint32_t type = in.get_uvarint();
  const uint32_t version = in.get_uvarint();
  constexpr uint32_t kMax = std::numeric_limits<int16_t>::max();
  if (!in.ok() || type > kMax || version > kMax) {
    return {base::ErrorCode::kInvalidRecord, "a metadata record ends inside its head"};
  }
  if (frame != kFrameVersion) {
    return {base::ErrorCode::kInvalidRecord, fmt::format("a metadata record has frame version {}, not 1", frame)};
  }
  return RecordHead{static_cast<int16_t>(type), static_cast<int16_t>(version), value.subspan(in.position())};
}

void append_record_head(base::ByteVector& out, int16_t type, int16_t version) {
  std::byte head[3 * base::kMaxVarint32];
  size_t size = base::write_uvarint(head, kFrameVersion);
  size += base::write_uvarint(head + size, static_cast<uint16_t>(type));
  size += base::write_uvarint(head + size, static_cast<uint16_t>(version));
  base::append(out, base::Bytes{head, size});
}

std::string record_type_name(int16_t type) {
  using T = wire::MetadataRecordType;
  switch (static_cast<T>(type)) {
    case T::kRegisterBroker:
      return "RegisterBrokerRecord";
    case T::kUnregisterBroker:
      return "UnregisterBrokerRecord";
    case T::kTopic:
      return "TopicRecord";
    case T::kPartition:
      return "PartitionRecord";
    case T::kConfig:
      return "ConfigRecord";
    case T::kPartitionChange:
      return "PartitionChangeRecord";
    case T::kFenceBroker:
      return "FenceBrokerRecord";
    case T::kUnfenceBroker:
      return "UnfenceBrokerRecord";
    case T::kRemoveTopic:
      return "RemoveTopicRecord";
    case T::kDelegationToken:
      return "DelegationTokenRecord";
    case T::kUserScramCredential:
      return "UserScramCredentialRecord";
    case T::kFeatureLevel:
      return "FeatureLevelRecord";
    case T::kClientQuota:
      return "ClientQuotaRecord";
    case T::kProducerIds:
      return "ProducerIdsRecord";
    case T::kBrokerRegistrationChange:
      return "BrokerRegistrationChangeRecord";
    case T::kAccessControlEntry:
      return "AccessControlEntryRecord";
    case T::kRemoveAccessControlEntry:
      return "RemoveAccessControlEntryRecord";
    case T::kNoOp:
      return "NoOpRecord";
    case T::kZkMigrationState:
      return "ZkMigrationStateRecord";
    case T::kRemoveUserScramCredential:
      return "RemoveUserScramCredentialRecord";
    case T::kBeginTransaction:
      return "BeginTransactionRecord";
    case T::kEndTransaction:
      return "EndTransactionRecord";
    case T::kAbortTransaction:
      return "AbortTransactionRecord";
    case T::kRemoveDelegationToken:
      return "RemoveDelegationTokenRecord";
    case T::kRegisterController:
      return "RegisterControllerRecord";
    case T::kClearElr:
      return "ClearElrRecord";
  }
  return fmt::format("record type {}", type);
}

}  // namespace stele::metadata
