#include <limits>

#include "coordinator/group/group_fixture.h"
#include "coordinator/group/partition_of_group.h"

namespace stele::coordinator {
namespace {

using base::ErrorCode;

class GroupOffsets : public GroupTest {
 protected:
  void SetUp() override { start(); }
};

TEST_F(GroupOffsets, a_simple_consumer_commits_without_a_generation) {
  EXPECT_EQ(fetch(), -1);
  EXPECT_EQ(commit(commit_of(42)), ErrorCode::kNone);
  EXPECT_EQ(fetch(), 42);
  EXPECT_EQ(state(), "Empty");
  ASSERT_EQ(log.entries.size(), 1u);
  const OffsetRecord expected{"g", "t", 0, CommittedOffset{42, 3, "note", 1'000'000, -1, {}}};
  EXPECT_EQ(std::get<OffsetRecord>(record(0)), expected);
}

TEST_F(GroupOffsets, those_over_the_limit_are_refused_and_known_ones_go_on) {
  options.offsets_max = 2;
  start();
  const auto commit_to = [this](const char* topic, int64_t offset) {
    OffsetCommit one = commit_of(offset);
    one.topics.front().name = topic;
    return commit(one);
  };
  EXPECT_EQ(commit_to("a", 1), ErrorCode::kNone);
  EXPECT_EQ(commit_to("b", 1), ErrorCode::kNone);
  EXPECT_EQ(commit_to("c", 1), ErrorCode::kInvalidCommitOffsetSize);
  EXPECT_EQ(commit_to("a", 2), ErrorCode::kNone);
}

TEST_F(GroupOffsets, records_have_kafkas_bytes) {
  commit(commit_of(42));
  EXPECT_EQ(base::to_hex(log.entries[0].key),
            "0001"
            "000167"
            "000174"
            "00000000");
  // version 4 is flexible: compact metadata, no topic id, no tagged fields
  EXPECT_EQ(base::to_hex(*log.entries[0].value),
            "0004"
            "000000000000002a"
            "00000003"
            "056e6f7465"
            "00000000000f4240"
            "00");
  OffsetCommit with_retention = commit_of(7);
  with_retention.retention_time_ms = 1'000;
  commit(with_retention);
  EXPECT_EQ(base::to_hex(*log.entries[1].value),
            "0001"
            "0000000000000007"
            "00046e6f7465"
            "00000000000f4240"
            "00000000000f4628");
}

TEST_F(GroupOffsets, a_generation_needs_its_group_and_member) {
  OffsetCommit old = commit_of(1, "m", 3);
  old.api_version = 7;
  EXPECT_EQ(commit(old), ErrorCode::kIllegalGeneration);
  old.api_version = 9;
  EXPECT_EQ(commit(old), ErrorCode::kGroupIdNotFound);
  const std::string id = stable_member();
  EXPECT_EQ(commit(commit_of(1, id, 2)), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(commit(commit_of(1, "m", 1)), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(commit(commit_of(1)), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(commit(commit_of(1, id, -1)), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(commit(commit_of(1, id, 1)), ErrorCode::kNone);
}

TEST_F(GroupOffsets, between_join_and_sync_a_commit_must_wait) {
  auto [id, request] = arrive();
  pass(3'000);
  EXPECT_EQ(commit(commit_of(1, id, 1)), ErrorCode::kRebalanceInProgress);
}

TEST_F(GroupOffsets, a_commit_keeps_the_session_alive) {
  const std::string id = stable_member();
  for (int i = 0; i < 5; ++i) {
    pass(9'000);
    EXPECT_EQ(commit(commit_of(i, id, 1)), ErrorCode::kNone);
  }
}

TEST_F(GroupOffsets, metadata_is_limited_in_utf16_units) {
  options.offset_metadata_max = 4;
  start();
  OffsetCommit what = commit_of(1);
  what.topics[0].partitions[0].metadata = "12345";
  EXPECT_EQ(commit(what), ErrorCode::kOffsetMetadataTooLarge);
  EXPECT_TRUE(log.entries.empty());
  what.topics[0].partitions[0].metadata = "\xc3\xa4\xc3\xb6\xf0\x9f\x98\x80";  // two letters and a pair
  EXPECT_EQ(commit(what), ErrorCode::kNone);
  what.topics[0].partitions[0].metadata = std::nullopt;
  EXPECT_EQ(commit(what), ErrorCode::kNone);
}

TEST_F(GroupOffsets, all_topics_are_listed_on_null) {
  OffsetCommit what = commit_of(1);
  what.topics.push_back({"u", {}, {{2, 5, -1, std::nullopt}, {1, 4, -1, std::nullopt}}});
  commit(what);
  OffsetFetch all;
  all.group_id = "g";
  const auto& answer = reply<OffsetFetchReply>(send(all));
  ASSERT_EQ(answer.topics.size(), 2u);
  EXPECT_EQ(answer.topics[1].name, "u");
  EXPECT_EQ(answer.topics[1].partitions[0].partition, 1);
  EXPECT_EQ(answer.topics[1].partitions[1].offset, 5);
  all.group_id = "other";
  EXPECT_TRUE(reply<OffsetFetchReply>(send(all)).topics.empty());
}

TEST_F(GroupOffsets, an_offset_of_a_topic_made_anew_is_not_shown) {
  OffsetCommit what = commit_of(9);
  what.topics[0].id = base::Uuid{1, 1};
  commit(what);
  OffsetFetch by_id;
  by_id.group_id = "g";
  by_id.topics.emplace().push_back({"t", base::Uuid{1, 2}, {0}});
  EXPECT_EQ(reply<OffsetFetchReply>(send(by_id)).topics[0].partitions[0].offset, -1);
  by_id.topics->at(0).id = base::Uuid{1, 1};
  EXPECT_EQ(reply<OffsetFetchReply>(send(by_id)).topics[0].partitions[0].offset, 9);
  EXPECT_EQ(fetch(), 9);
}

TEST_F(GroupOffsets, restart_restores_groups_and_offsets) {
  const std::string id = stable_member();
  commit(commit_of(42, id, 1));
  restart();
  EXPECT_EQ(state(), "Stable");
  EXPECT_EQ(fetch(), 42);
  EXPECT_EQ(beat(id, 1), ErrorCode::kNone);
  EXPECT_EQ(text(synced(send(sync_of(id, 1))).assignment), "a1");
  pass(10'000);
  EXPECT_EQ(state(), "Empty");
  EXPECT_EQ(fetch(), 42);
}

TEST_F(GroupOffsets, offsets_of_an_empty_group_expire_after_the_retention) {
  options.offsets_retention_ms = 1'000'000;
  start();
  const std::string id = stable_member();
  commit(commit_of(42, id, 1));
  leave({{id, std::nullopt}});
  pass(990'000);
  EXPECT_EQ(fetch(), 42);
  pass(1'000'000);
  EXPECT_EQ(fetch(), -1);
  EXPECT_EQ(state(), "none");
  restart();
  EXPECT_EQ(state(), "none");
}

TEST_F(GroupOffsets, an_explicit_retention_is_kept) {
  OffsetCommit what = commit_of(1);
  what.retention_time_ms = 100'000;
  commit(what);
  pass(600'000);
  EXPECT_EQ(fetch(), -1);
}

TEST_F(GroupOffsets, deleted_topics_take_their_offsets_along) {
  commit(commit_of(42));
  send(ForgetTopics{{"t", "u"}});
  EXPECT_EQ(fetch(), -1);
  EXPECT_EQ(std::get<OffsetRecord>(record(1)), (OffsetRecord{"g", "t", 0, std::nullopt}));
}

TEST_F(GroupOffsets, a_transaction_of_kafkas_log_shows_its_offsets_at_its_end) {
  auto machine = std::make_unique<GroupCoordinator>(options, random, complaints);
  const base::ProducerId producer{5};
  const GroupLogRecord pending = OffsetRecord{"g", "t", 0, CommittedOffset{9, -1, "", 1, -1, {}}};
  machine->replay(base::Offset{0}, producer, pending);
  EXPECT_EQ(machine->offsets().find("g", "t", 0), nullptr);
  EXPECT_TRUE(machine->offsets().has_pending("g", "t", 0));
  machine->end_transaction(producer, true);
  EXPECT_EQ(machine->offsets().find("g", "t", 0)->offset, 9);
}

TEST_F(GroupOffsets, describe_and_list_show_the_group) {
  EXPECT_EQ(reply<DescribeGroupReply>(send(DescribeGroup{"g"})).state, "Dead");
  EXPECT_EQ(reply<DescribeGroupReply>(last_request).error, ErrorCode::kGroupIdNotFound);
  const std::string id = stable_member();
  const auto& shown = reply<DescribeGroupReply>(send(DescribeGroup{"g"}));
  EXPECT_EQ(shown.state, "Stable");
  EXPECT_EQ(shown.protocol, "range");
  EXPECT_EQ(shown.members.at(0).client_host, "/127.0.0.1");
  EXPECT_EQ(text(shown.members.at(0).assignment), "a1");
  EXPECT_EQ(reply<ListGroupsReply>(send(ListGroups{{"sTable"}, {"Classic"}})).groups.size(), 1u);
  EXPECT_TRUE(reply<ListGroupsReply>(send(ListGroups{{"empty"}, {}})).groups.empty());
  EXPECT_TRUE(reply<ListGroupsReply>(send(ListGroups{{}, {"consumer"}})).groups.empty());
}

TEST(PartitionOfGroup, is_javas_hash) {
  EXPECT_EQ(java_hash(""), 0);
  EXPECT_EQ(java_hash("console-consumer-12345"), 158455506);
  EXPECT_EQ(java_hash("gr\xc3\xbc\xc3\x9f"
                      "e \xf0\x9f\x98\x80"),
            347379084);
  EXPECT_EQ(java_hash("polygenelubricants"), std::numeric_limits<int32_t>::min());
  EXPECT_EQ(partition_of_group("polygenelubricants", 50), 0);
  EXPECT_EQ(partition_of_group("console-consumer-12345", 50), 6);
}

}  // namespace
}  // namespace stele::coordinator
