#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/random.h"
#include "metadata/delta.h"
#include "metadata/log_fixture.h"
#include "metadata/record.h"
#include "metadata/record_form.h"
#include "metadata/snapshot.h"
#include "record/batch.h"
#include "wire/abort_transaction_record.h"
#include "wire/access_control_entry_record.h"
#include "wire/begin_transaction_record.h"
#include "wire/client_quota_record.h"
#include "wire/config_record.h"
#include "wire/delegation_token_record.h"
#include "wire/end_transaction_record.h"
#include "wire/feature_level_record.h"
#include "wire/partition_change_record.h"
#include "wire/partition_record.h"
#include "wire/producer_ids_record.h"
#include "wire/remove_topic_record.h"
#include "wire/topic_record.h"
#include "wire/user_scram_credential_record.h"

namespace stele::metadata {
namespace {

using base::BrokerId;
using base::ErrorCode;
using ::testing::ElementsAre;

constexpr base::TopicId kOrders{7, 1};
constexpr base::TopicId kOther{7, 2};

base::ByteVector topic(std::string_view name, base::TopicId id) {
  wire::TopicRecord record;
  record.name = name;
  record.topic_id = id;
  return encode_record(record, 0);
}
base::ByteVector partition(base::TopicId id, int32_t index) {
  Partition p;
  p.replicas = p.isr = {BrokerId{1}};
  p.leader = BrokerId{1};
  p.leader_epoch = base::LeaderEpoch{0};
  p.partition_epoch = 0;
  p.directories = {base::DirectoryId{9, 9}};
  return encode_partition(p, id, index, kMetadataVersionLatest);
}
base::ByteVector config(ResourceType type, std::string_view of, std::string_view key,
                        std::optional<std::string_view> value) {
  wire::ConfigRecord record;
  record.resource_type = static_cast<int8_t>(type);
  record.resource_name = of;
  record.name = key;
  record.value = value;
  return encode_record(record, 0);
}

class AnImage : public ::testing::Test {
 protected:
  base::Result<void> apply(const Records& records) {
    Delta delta{image};
    for (const auto& record : records) {
      if (auto done = delta.apply(record); !done.ok()) return done;
    }
    changes = delta.changes();
    image = std::move(delta).finish();
    return {};
  }
  ImagePtr image = std::make_shared<const Image>();
  Changes changes;
};

TEST_F(AnImage, finds_a_topic_by_name_and_by_id) {
  ASSERT_TRUE(apply({topic("orders", kOrders), partition(kOrders, 0), partition(kOrders, 1)}).ok());
  ASSERT_NE(image->topic("orders"), nullptr);
  EXPECT_EQ(image->topic("orders"), image->topic(kOrders));
  EXPECT_EQ(image->partition("orders", base::PartitionIndex{1})->leader, BrokerId{1});
  EXPECT_EQ(image->partition("orders", base::PartitionIndex{2}), nullptr);
  EXPECT_EQ(image->partition_count(), 2u);
  EXPECT_TRUE(changes.topics_created.contains(kOrders));
}

TEST_F(AnImage, does_not_change_once_it_is_published) {
  ASSERT_TRUE(apply({topic("orders", kOrders), partition(kOrders, 0)}).ok());
  const ImagePtr before = image;
  const Partition* old = before->partition(kOrders, base::PartitionIndex{0});
  wire::PartitionChangeRecord change;
  change.partition_id = 0;
  change.topic_id = kOrders;
  change.leader = -1;
  change.isr.emplace();
  ASSERT_TRUE(apply({encode_record(change, 2), topic("other", kOther)}).ok());
  EXPECT_EQ(before->partition(kOrders, base::PartitionIndex{0}), old);
  EXPECT_EQ(old->leader, BrokerId{1});
  EXPECT_EQ(before->topic("other"), nullptr);
  const Partition* now = image->partition(kOrders, base::PartitionIndex{0});
  EXPECT_EQ(now->leader, base::kNoBroker);
  EXPECT_EQ(now->leader_epoch, base::LeaderEpoch{1});
  EXPECT_EQ(now->partition_epoch, 1);
  EXPECT_TRUE(now->isr.empty());
  EXPECT_THAT(changes.partitions[kOrders], ElementsAre(0));
}

TEST_F(AnImage, a_removed_topic_takes_its_configs_with_it) {
  ASSERT_TRUE(apply({topic("orders", kOrders), config(ResourceType::kTopic, "orders", "retention.ms", "5"),
                     partition(kOrders, 0)})
                  .ok());
  EXPECT_EQ(image->config(ResourceType::kTopic, "orders", "retention.ms"), "5");
  wire::RemoveTopicRecord removal;
  removal.topic_id = kOrders;
  ASSERT_TRUE(apply({encode_record(removal, 0)}).ok());
  EXPECT_EQ(image->topic("orders"), nullptr);
  EXPECT_EQ(image->config(ResourceType::kTopic, "orders", "retention.ms"), std::nullopt);
  EXPECT_EQ(image->partition_count(), 0u);
  EXPECT_EQ(changes.topics_deleted.at(kOrders), "orders");
}

TEST_F(AnImage, refuses_what_contradicts_it) {
  EXPECT_EQ(apply({partition(kOrders, 0)}).code(), ErrorCode::kInvalidRecord);
  EXPECT_EQ(apply({base::from_hex("016300")}).code(), ErrorCode::kInvalidRecord);  // type 99
  EXPECT_EQ(apply({base::from_hex("010209")}).code(), ErrorCode::kInvalidRecord);  // a topic of version 9
  EXPECT_EQ(apply({base::from_hex("0102")}).code(), ErrorCode::kInvalidRecord);
  EXPECT_EQ(apply({base::from_hex("020200")}).code(), ErrorCode::kInvalidRecord);  // another frame
}

TEST_F(AnImage, an_aborted_transaction_leaves_nothing) {
  ASSERT_TRUE(apply({topic("orders", kOrders), partition(kOrders, 0)}).ok());
  ASSERT_TRUE(apply({encode_record(wire::BeginTransactionRecord{}, 0), topic("other", kOther)}).ok());
  ASSERT_TRUE(apply({partition(kOther, 0)}).ok());
  EXPECT_NE(image->before_transaction, nullptr);
  ASSERT_TRUE(apply({encode_record(wire::AbortTransactionRecord{}, 0)}).ok());
  EXPECT_EQ(image->topic("other"), nullptr);
  EXPECT_NE(image->topic("orders"), nullptr);
  EXPECT_EQ(image->partition_count(), 1u);
  EXPECT_EQ(image->before_transaction, nullptr);
}

Records one_of_each_kept_kind() {
  wire::UserScramCredentialRecord scram;
  scram.name = "ann";
  scram.mechanism = 1;
  const base::ByteVector salt = base::from_hex("0102");
  scram.salt = scram.stored_key = scram.server_key = salt;
  wire::AccessControlEntryRecord acl;
  acl.id = base::Uuid{1, 2};
  acl.principal = "User:ann";
  wire::ClientQuotaRecord quota;
  auto& entity = quota.entity.emplace_back();
  entity.entity_type = "user";
  entity.entity_name = std::nullopt;
  quota.key = "producer_byte_rate";
  quota.value = 1.5;
  wire::DelegationTokenRecord token;
  token.token_id = "t";
  wire::ProducerIdsRecord ids;
  ids.broker_id = 1;
  ids.next_producer_id = 3000;
  wire::FeatureLevelRecord feature;
  feature.name = "a.feature.of.tomorrow";
  feature.feature_level = 4;
  return {encode_record(scram, 0),
          encode_record(acl, 0),
          encode_record(quota, 0),
          encode_record(token, 0),
          encode_record(ids, 0),
          encode_record(feature, 0),
          config(ResourceType::kBroker, "", "min.insync.replicas", "1")};
}

TEST_F(AnImage, tells_what_it_keeps_but_does_not_enforce) {
  EXPECT_TRUE(image->unenforced().empty());
  ASSERT_TRUE(apply(one_of_each_kept_kind()).ok());
  EXPECT_THAT(image->unenforced(), ElementsAre("1 ACL", "1 SCRAM credential", "1 client quota", "1 delegation token"));
  EXPECT_EQ(image->next_producer_id(), 3000);
}

TEST_F(AnImage, comes_back_from_a_snapshot_with_every_record) {
  ASSERT_TRUE(apply(one_of_each_kept_kind()).ok());
  // A partition with a tagged field of a newer Kafka.
  base::ByteVector from_tomorrow = partition(kOrders, 1);
  ASSERT_EQ(from_tomorrow.back(), std::byte{0});
  from_tomorrow.back() = std::byte{1};
  base::append(from_tomorrow, base::from_hex("6302abcd"));
  ASSERT_TRUE(apply({topic("orders", kOrders), partition(kOrders, 0), from_tomorrow}).ok());
  const base::ByteVector file = write_snapshot(*image, base::Timestamp{5});
  const auto back = read_snapshot(file);
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(image_records(**back), image_records(*image));
  EXPECT_EQ(image_records(**back).size(), 10u);
  EXPECT_EQ((*back)->partition(kOrders, base::PartitionIndex{1})->unknown.at(0).first, 0x63u);
  EXPECT_EQ((*back)->feature("a.feature.of.tomorrow"), 4);
}

TEST_F(AnImage, a_damaged_snapshot_is_refused) {
  ASSERT_TRUE(apply({topic("orders", kOrders), partition(kOrders, 0)}).ok());
  const base::ByteVector file = write_snapshot(*image, base::Timestamp{5});
  EXPECT_EQ(read_snapshot(base::Bytes{file}.first(file.size() - 1)).code(), ErrorCode::kInvalidRecord);
  EXPECT_FALSE(read_snapshot({}).ok());
  for (size_t at = 17; at < file.size(); at += 7) {
    base::ByteVector damaged = file;
    damaged[at] ^= std::byte{1};
    const auto read = read_snapshot(damaged);
    // Base offset and leader epoch lie outside of the checksum and mean nothing here.
    EXPECT_TRUE(!read.ok() || image_records(**read) == image_records(*image)) << at;
  }
}

TEST_F(AnImage, loads_what_kafka_wrote) {
  const base::ByteVector log = kafka_file("kafka_restarts.log");
  record::BatchReader reader{log};
  Delta delta{image};
  for (;;) {
    const auto batch = reader.next();
    ASSERT_TRUE(batch.ok());
    if (!*batch) break;
    const auto done = delta.apply_batch((*batch)->bytes());
    ASSERT_TRUE(done.ok()) << done.error().message;
  }
  image = std::move(delta).finish();
  EXPECT_EQ(image->epoch, base::LeaderEpoch{4});
  EXPECT_EQ(image->metadata_version(), kMetadataVersionLatest);
  EXPECT_TRUE(image->elr_enabled());
  EXPECT_EQ(image->topic("gone"), nullptr);
  EXPECT_EQ(image->config(ResourceType::kTopic, "t1", "cleanup.policy"), "compact");
  EXPECT_EQ(image->config(ResourceType::kBroker, "", "min.insync.replicas"), "1");
  const Partition* p = image->partition("t1", base::PartitionIndex{2});
  ASSERT_NE(p, nullptr);
  EXPECT_EQ(p->leader, BrokerId{1});
  EXPECT_EQ(p->recovery, LeaderRecovery::kRecovering);
  EXPECT_EQ(p->leader_epoch, base::LeaderEpoch{4});
  EXPECT_EQ(p->partition_epoch, 5);
  const Broker* broker = image->broker(BrokerId{1});
  ASSERT_NE(broker, nullptr);
  EXPECT_FALSE(broker->fenced);
  EXPECT_EQ(broker->epoch, base::BrokerEpoch{158});
  ASSERT_NE(broker->endpoint("PLAINTEXT"), nullptr);
  EXPECT_EQ(broker->endpoint("PLAINTEXT")->port, 24000);
  const auto back = read_snapshot(write_snapshot(*image, base::Timestamp{1}));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(image_records(**back), image_records(*image));
}

TEST(a_persistent_map, agrees_with_a_map_and_leaves_old_versions_alone) {
  base::SeededRandom random{3};
  PersistentMap<int32_t, int> map;
  std::map<int32_t, int> model;
  std::vector<std::pair<PersistentMap<int32_t, int>, std::map<int32_t, int>>> versions;
  EditId edit = 1;
  for (int i = 0; i < 4000; ++i) {
    const auto key = static_cast<int32_t>(random.below(300));
    if (random.below(3) == 0) {
      EXPECT_EQ(map.erase(key, edit), model.erase(key) == 1);
    } else {
      map.set(key, i, edit);
      model[key] = i;
    }
    if (random.below(50) == 0) {
      versions.emplace_back(map, model);
      ++edit;
    }
  }
  versions.emplace_back(map, model);
  for (const auto& [version, expected] : versions) {
    std::map<int32_t, int> got;
    version.for_each([&](int32_t key, int value) { got[key] = value; });
    EXPECT_EQ(got, expected);
    EXPECT_EQ(version.size(), expected.size());
    std::vector<int32_t> tail;
    version.for_each_from(150, [&](int32_t key, int) { tail.push_back(key); });
    EXPECT_TRUE(std::is_sorted(tail.begin(), tail.end()));
    EXPECT_EQ(tail.size(), static_cast<size_t>(std::distance(expected.lower_bound(150), expected.end())));
  }
}

}  // namespace
}  // namespace stele::metadata
