#include "metadata/delta.h"

#include <fmt/format.h>

#include <array>
#include <memory_resource>

#include "metadata/record_form.h"
#include "record/record.h"
#include "wire/abort_transaction_record.h"
#include "wire/begin_transaction_record.h"
#include "wire/broker_registration_change_record.h"
#include "wire/clear_elr_record.h"
#include "wire/config_record.h"
#include "wire/feature_level_record.h"
#include "wire/fence_broker_record.h"
#include "wire/kraft_version_record.h"
#include "wire/partition_change_record.h"
#include "wire/partition_record.h"
#include "wire/register_broker_record.h"
#include "wire/remove_topic_record.h"
#include "wire/topic_record.h"
#include "wire/unfence_broker_record.h"
#include "wire/unregister_broker_record.h"

namespace stele::metadata {
namespace {

using base::ErrorCode;
using wire::MetadataRecordType;

base::Error invalid(std::string text) { return {ErrorCode::kInvalidRecord, std::move(text)}; }

constexpr int16_t kControlKraftVersion = 5;
constexpr int16_t kControlKraftVoters = 6;

}  // namespace

bool Changes::empty() const {
  return partitions.empty() && topics_created.empty() && topics_deleted.empty() && brokers.empty() && configs.empty() &&
         !features && !producer_ids && !security;
}

void Changes::add(const Changes& later) {
  for (const auto& [id, name] : later.topics_deleted) {
    partitions.erase(id);
    // Made and deleted between two images: nobody has seen it.
    if (topics_created.erase(id) == 0) topics_deleted.emplace(id, name);
  }
  for (const auto& [id, indexes] : later.partitions) partitions[id].insert(indexes.begin(), indexes.end());
  topics_created.insert(later.topics_created.begin(), later.topics_created.end());
  brokers.insert(later.brokers.begin(), later.brokers.end());
  configs.insert(later.configs.begin(), later.configs.end());
  features |= later.features;
  producer_ids |= later.producer_ids;
  security |= later.security;
}

Delta::Delta(ImagePtr base) : base_(std::move(base)), next_(std::make_unique<Image>(*base_)) { ++next_->generation; }

ImagePtr Delta::finish() && {
  own_topics_.clear();
  return ImagePtr{std::move(next_)};
}

Topic* Delta::own_topic(const base::TopicId& id) {
  if (const auto own = own_topics_.find(id); own != own_topics_.end()) return own->second.get();
  const auto* found = next_->topics.find(id);
  if (found == nullptr) return nullptr;
  auto copy = std::make_shared<Topic>(**found);
  next_->topics.set(id, copy, edit());
  return own_topics_.emplace(id, std::move(copy)).first->second.get();
}

base::Result<void> Delta::apply(base::Bytes value) {
  STELE_TRY_ASSIGN(const RecordHead head, read_record_head(value));
  auto done = apply(head, value);
  // Whatever the decoder says of the bytes: the record is no record.
  if (!done.ok()) return invalid(fmt::format("{}: {}", record_type_name(head.type), done.error().message));
  return {};
}

base::Result<void> Delta::apply(const RecordHead& head, base::Bytes value) {
  switch (static_cast<MetadataRecordType>(head.type)) {
    case MetadataRecordType::kTopic:
    case MetadataRecordType::kPartition:
    case MetadataRecordType::kPartitionChange:
    case MetadataRecordType::kRemoveTopic:
    case MetadataRecordType::kClearElr:
      return apply_topic_record(head.type, head.version, head.message, value);
    case MetadataRecordType::kRegisterBroker:
    case MetadataRecordType::kUnregisterBroker:
    case MetadataRecordType::kFenceBroker:
    case MetadataRecordType::kUnfenceBroker:
    case MetadataRecordType::kBrokerRegistrationChange:
      return apply_broker_record(head.type, head.version, head.message, value);
    case MetadataRecordType::kBeginTransaction:
    case MetadataRecordType::kEndTransaction:
    case MetadataRecordType::kAbortTransaction:
      return apply_transaction_record(head.type, head.version, head.message);
    case MetadataRecordType::kNoOp:
      return {};
    default:
      return apply_kept_record(head.type, head.version, head.message, value);
  }
}

base::Result<void> Delta::apply_batch(base::Bytes batch) {
  STELE_TRY_ASSIGN(const record::BatchView view, record::BatchView::open(batch));
  if (!view.is_whole() || view.is_legacy() || view.is_compressed()) {
    return invalid("a batch of the metadata log is cut, compressed or of an old form");
  }
  record::RecordIterator records{view};
  for (;;) {
    STELE_TRY_ASSIGN(const auto record, records.next());
    if (!record) break;
    if (view.is_control()) {
      STELE_TRY(apply_control(record->key.value_or(base::Bytes{}), record->value.value_or(base::Bytes{})));
    } else if (!record->value) {
      return invalid("a metadata record has no value");
    } else if (auto done = apply(*record->value); !done.ok()) {
      return invalid(fmt::format("metadata record at index {}: {}", record->offset.value(), done.error().message));
    }
  }
  next_->next_index = view.next_offset();
  next_->epoch = view.leader_epoch();
  next_->timestamp = view.max_timestamp();
  return {};
}

base::Result<void> Delta::apply_control(base::Bytes key, base::Bytes value) {
  wire::Reader in{key};
  in.get<int16_t>();
  const auto type = in.get<int16_t>();
  if (!in.ok()) return invalid("a control record of the metadata log has no type");
  if (type == kControlKraftVersion) {
    wire::KRaftVersionRecord version;
    wire::Reader body{value};
    STELE_TRY(decode(body, wire::KRaftVersionRecord::kMaxVersion, version));
    next_->control.kraft_version = version.k_raft_version;
  } else if (type == kControlKraftVoters) {
    next_->control.voters = std::string{base::as_text(value)};
  }
  return {};
}

namespace {

template <class R>
base::Result<R> decode_record(int16_t version, base::Bytes message, std::pmr::memory_resource* arena) {
  wire::Reader in{message, arena};
  R record = [&] {
    if constexpr (std::uses_allocator_v<R, wire::Allocator>) {
      return R(wire::Allocator{arena});
    } else {
      return R{};
    }
  }();
  STELE_TRY(decode(in, version, record));
  return record;
}

// Decoded fields live here for the time of one apply().
struct Scratch {
  std::array<std::byte, 4096> first;
  std::pmr::monotonic_buffer_resource arena{first.data(), first.size()};
};

}  // namespace

template <>
base::Result<void> Delta::on(const wire::TopicRecord& record, base::Bytes value) {
  const std::string name{record.name};
  if (next_->topics.contains(record.topic_id)) return invalid(fmt::format("topic id of {} is there twice", name));
  // Kafka's own image takes a second record of one name as well; the later one has it.
  if (const base::TopicId* other = next_->topic_ids.find(name)) remove_topic(base::TopicId{*other});
  auto topic = std::make_shared<Topic>();
  topic->name = name;
  topic->id = record.topic_id;
  topic->raw = std::string{base::as_text(value)};
  next_->topics.set(topic->id, topic, edit());
  next_->topic_ids.set(name, topic->id, edit());
  changes_.topics_created.insert(topic->id);
  changes_.partitions[topic->id];
  own_topics_.emplace(topic->id, std::move(topic));
  return {};
}

template <>
base::Result<void> Delta::on(const wire::PartitionRecord& record, base::Bytes) {
  Topic* topic = own_topic(record.topic_id);
  if (topic == nullptr) return invalid("a partition of a topic that is not there");
  if (record.partition_id < 0) return invalid("a partition with a negative index");
  if (!topic->partitions.contains(record.partition_id)) ++next_->partitions_total;
  topic->partitions.set(record.partition_id, std::make_shared<const Partition>(partition_of(record)), edit());
  changes_.partitions[topic->id].insert(record.partition_id);
  return {};
}

template <>
base::Result<void> Delta::on(const wire::PartitionChangeRecord& record, base::Bytes) {
  Topic* topic = own_topic(record.topic_id);
  const auto* old = topic == nullptr ? nullptr : topic->partitions.find(record.partition_id);
  if (old == nullptr) return invalid("a change of a partition that is not there");
  auto changed = std::make_shared<const Partition>(merged(**old, record));
  topic->partitions.set(record.partition_id, std::move(changed), edit());
  changes_.partitions[topic->id].insert(record.partition_id);
  return {};
}

void Delta::remove_topic(const base::TopicId& id) {
  const Topic* topic = next_->topic(id);
  const std::string name = topic->name;
  next_->partitions_total -= topic->partitions.size();
  own_topics_.erase(id);
  next_->topics.erase(id, edit());
  next_->topic_ids.erase(name, edit());
  // The configs of a topic go with it, without a record of their own.
  const ConfigResource resource{ResourceType::kTopic, name};
  if (next_->configs.erase(resource, edit())) changes_.configs.insert(resource);
  changes_.partitions.erase(id);
  if (changes_.topics_created.erase(id) == 0) changes_.topics_deleted.emplace(id, name);
}

template <>
base::Result<void> Delta::on(const wire::RemoveTopicRecord& record, base::Bytes) {
  if (next_->topic(record.topic_id) == nullptr) return invalid("the removal of a topic that is not there");
  remove_topic(record.topic_id);
  return {};
}

template <>
base::Result<void> Delta::on(const wire::ClearElrRecord& record, base::Bytes) {
  std::vector<base::TopicId> ids;
  if (record.topic_name.empty()) {
    next_->topics.for_each([&](const base::TopicId& id, const auto&) { ids.push_back(id); });
  } else if (const Topic* topic = next_->topic(record.topic_name)) {
    ids.push_back(topic->id);
  } else {
    return invalid(fmt::format("the eligible leaders of a topic {} that is not there", record.topic_name));
  }
  for (const base::TopicId& id : ids) {
    std::vector<int32_t> indexes;
    next_->topic(id)->partitions.for_each([&](int32_t index, const auto& partition) {
      if (!partition->elr.empty() || !partition->last_known_elr.empty()) indexes.push_back(index);
    });
    for (const int32_t index : indexes) {
      Topic* topic = own_topic(id);
      auto cleared = std::make_shared<Partition>(**topic->partitions.find(index));
      cleared->elr.clear();
      cleared->last_known_elr.clear();
      topic->partitions.set(index, std::move(cleared), edit());
      changes_.partitions[id].insert(index);
    }
  }
  return {};
}

base::Result<void> Delta::apply_topic_record(int16_t type, int16_t version, base::Bytes message, base::Bytes value) {
  Scratch scratch;
  const auto as = [&]<class R>(std::type_identity<R>) -> base::Result<void> {
    STELE_TRY_ASSIGN(const R record, decode_record<R>(version, message, &scratch.arena));
    return on(record, value);
  };
  switch (static_cast<MetadataRecordType>(type)) {
    case MetadataRecordType::kTopic:
      return as(std::type_identity<wire::TopicRecord>{});
    case MetadataRecordType::kPartition:
      return as(std::type_identity<wire::PartitionRecord>{});
    case MetadataRecordType::kPartitionChange:
      return as(std::type_identity<wire::PartitionChangeRecord>{});
    case MetadataRecordType::kRemoveTopic:
      return as(std::type_identity<wire::RemoveTopicRecord>{});
    default:
      return as(std::type_identity<wire::ClearElrRecord>{});
  }
}

template <>
base::Result<void> Delta::on(const wire::RegisterBrokerRecord& record, base::Bytes) {
  next_->brokers.set(record.broker_id, std::make_shared<const Broker>(broker_of(record)), edit());
  changes_.brokers.insert(base::BrokerId{record.broker_id});
  return {};
}

template <>
base::Result<void> Delta::on(const wire::UnregisterBrokerRecord& record, base::Bytes) {
  if (!next_->brokers.erase(record.broker_id, edit())) return invalid("the removal of a broker that is not registered");
  changes_.brokers.insert(base::BrokerId{record.broker_id});
  return {};
}

namespace {

// The registration that a record names, copied to be changed.
base::Result<std::shared_ptr<Broker>> registered(const Image& image, int32_t id, int64_t epoch) {
  const Broker* broker = image.broker(base::BrokerId{id});
  if (broker == nullptr) return invalid(fmt::format("a change of broker {}, which is not registered", id));
  if (broker->epoch.value() != epoch) return invalid(fmt::format("a change of broker {} at epoch {}", id, epoch));
  return std::make_shared<Broker>(*broker);
}

}  // namespace

template <>
base::Result<void> Delta::on(const wire::BrokerRegistrationChangeRecord& record, base::Bytes) {
  STELE_TRY_ASSIGN(auto broker, registered(*next_, record.broker_id, record.broker_epoch));
  STELE_TRY(change(*broker, record));
  changes_.brokers.insert(broker->id);
  next_->brokers.set(record.broker_id, std::move(broker), edit());
  return {};
}

template <>
base::Result<void> Delta::on(const wire::FenceBrokerRecord& record, base::Bytes) {
  STELE_TRY_ASSIGN(auto broker, registered(*next_, record.id, record.epoch));
  broker->fenced = true;
  changes_.brokers.insert(broker->id);
  next_->brokers.set(record.id, std::move(broker), edit());
  return {};
}

template <>
base::Result<void> Delta::on(const wire::UnfenceBrokerRecord& record, base::Bytes) {
  STELE_TRY_ASSIGN(auto broker, registered(*next_, record.id, record.epoch));
  broker->fenced = false;
  changes_.brokers.insert(broker->id);
  next_->brokers.set(record.id, std::move(broker), edit());
  return {};
}

base::Result<void> Delta::apply_broker_record(int16_t type, int16_t version, base::Bytes message, base::Bytes value) {
  Scratch scratch;
  const auto as = [&]<class R>(std::type_identity<R>) -> base::Result<void> {
    STELE_TRY_ASSIGN(const R record, decode_record<R>(version, message, &scratch.arena));
    return on(record, value);
  };
  switch (static_cast<MetadataRecordType>(type)) {
    case MetadataRecordType::kRegisterBroker:
      return as(std::type_identity<wire::RegisterBrokerRecord>{});
    case MetadataRecordType::kUnregisterBroker:
      return as(std::type_identity<wire::UnregisterBrokerRecord>{});
    case MetadataRecordType::kFenceBroker:
      return as(std::type_identity<wire::FenceBrokerRecord>{});
    case MetadataRecordType::kUnfenceBroker:
      return as(std::type_identity<wire::UnfenceBrokerRecord>{});
    default:
      return as(std::type_identity<wire::BrokerRegistrationChangeRecord>{});
  }
}

base::Result<void> Delta::apply_kept_record(int16_t type, int16_t version, base::Bytes message, base::Bytes value) {
  STELE_TRY_ASSIGN(const KeptChange change, kept_change(*next_, type, version, message, value));
  apply_kept(*next_, change, edit());
  if (change.config) changes_.configs.insert(*change.config);
  changes_.features |= change.features;
  changes_.producer_ids |= change.producer_ids;
  changes_.security |= change.security;
  return {};
}

base::Result<void> Delta::apply_transaction_record(int16_t type, int16_t version, base::Bytes message) {
  Scratch scratch;
  Image& image = *next_;
  const bool open = image.before_transaction != nullptr;
  if (static_cast<MetadataRecordType>(type) == MetadataRecordType::kBeginTransaction) {
    if (open) return invalid("a metadata transaction begins inside another");
    STELE_TRY_ASSIGN(const auto record, decode_record<wire::BeginTransactionRecord>(version, message, &scratch.arena));
    image.before_transaction = std::make_shared<const Image>(image);
    image.transaction_name = std::string{record.name.value_or("")};
    image.transaction_begin = image.next_index;
    // What the saved image holds is not changed in place from here on.
    ++image.generation;
    own_topics_.clear();
    return {};
  }
  if (!open) return invalid("a metadata transaction ends that has not begun");
  if (static_cast<MetadataRecordType>(type) == MetadataRecordType::kAbortTransaction) {
    const EditId generation = image.generation + 1;
    const ImagePtr before = image.before_transaction;
    image = *before;
    image.generation = generation;
    own_topics_.clear();
    return {};
  }
  image.before_transaction.reset();
  image.transaction_name.clear();
  image.transaction_begin = base::kNoOffset;
  return {};
}

}  // namespace stele::metadata
