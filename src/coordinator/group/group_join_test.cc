#include "coordinator/group/group_fixture.h"

namespace stele::coordinator {
namespace {

using base::ErrorCode;

class GroupJoin : public GroupTest {
 protected:
  void SetUp() override { start(); }
};

TEST_F(GroupJoin, first_join_asks_for_the_id_and_writes_an_empty_group) {
  const RequestId first = send(join_of(""));
  EXPECT_EQ(joined(first).error, ErrorCode::kMemberIdRequired);
  EXPECT_EQ(joined(first).member_id.substr(0, 7), "client-");
  EXPECT_EQ(joined(first).member_id.size(), 7u + 36u);
  ASSERT_EQ(log.entries.size(), 1u);
  StoredGroup empty;
  empty.state_timestamp = 1'000'000;
  EXPECT_EQ(std::get<GroupRecord>(record(0)), (GroupRecord{"g", empty}));
}

TEST_F(GroupJoin, one_member_is_stable_after_the_initial_delay_and_its_sync) {
  auto [id, request] = arrive();
  EXPECT_FALSE(answered(request));
  pass(2'999);
  EXPECT_FALSE(answered(request));
  pass(1);
  const JoinGroupReply& reply = joined(request);
  EXPECT_EQ(reply.error, ErrorCode::kNone);
  EXPECT_EQ(reply.generation, 1);
  EXPECT_EQ(reply.leader, id);
  EXPECT_EQ(reply.protocol_type, "consumer");
  EXPECT_EQ(reply.protocol_name, "range");
  EXPECT_EQ(reply.members, (std::vector<JoinedMember>{{id, std::nullopt, bytes("m-range")}}));
  EXPECT_EQ(state(), "CompletingRebalance");

  const RequestId sync = send(sync_of(id, 1, {{id, "a1"}, {"nobody", "a2"}}));
  EXPECT_EQ(text(synced(sync).assignment), "a1");
  EXPECT_EQ(synced(sync).protocol_name, "range");
  EXPECT_EQ(state(), "Stable");
  ASSERT_EQ(log.entries.size(), 2u);
  StoredGroup stored{"consumer", 1, "range", id, 1'003'000, {}};
  stored.members.push_back({id, std::nullopt, "client", "/127.0.0.1", 60'000, 10'000, bytes("m-range"), bytes("a1")});
  EXPECT_EQ(std::get<GroupRecord>(record(1)), (GroupRecord{"g", stored}));
}

TEST_F(GroupJoin, members_that_come_during_the_delay_extend_it_and_share_the_generation) {
  auto [first, first_join] = arrive();
  pass(2'000);
  auto [second, second_join] = arrive();
  pass(1'000);
  EXPECT_FALSE(answered(first_join));  // extended once
  pass(3'000);
  EXPECT_EQ(joined(first_join).generation, 1);
  EXPECT_EQ(joined(second_join).generation, 1);
  EXPECT_EQ(joined(second_join).leader, first);
  EXPECT_EQ(joined(first_join).members.size(), 2u);
  EXPECT_TRUE(joined(second_join).members.empty());
}

TEST_F(GroupJoin, extension_ends_with_the_rebalance_timeout) {
  options.initial_rebalance_delay_ms = 3'000;
  start();
  auto small = [&](const std::string& id) {
    JoinGroup join = join_of(id);
    join.rebalance_timeout_ms = 5'000;
    join.member_id_required = false;
    return join;
  };
  const RequestId first = send(small(""));
  pass(2'500);
  send(small(""));
  pass(500);  // extended by min(3000, 5000 - 3000) = 2000; nothing remains
  send(small(""));
  pass(1'999);
  EXPECT_FALSE(answered(first));
  pass(1);
  EXPECT_EQ(joined(first).members.size(), 3u);
}

TEST_F(GroupJoin, old_versions_join_without_asking_for_an_id) {
  JoinGroup join = join_of("");
  join.member_id_required = false;
  const RequestId request = send(join);
  ASSERT_EQ(log.entries.size(), 1u);  // the empty group
  pass(3'000);
  EXPECT_EQ(joined(request).generation, 1);
}

TEST_F(GroupJoin, second_member_makes_the_first_rejoin) {
  const std::string first = stable_member();
  auto [second, second_join] = arrive();
  EXPECT_EQ(state(), "PreparingRebalance");
  EXPECT_EQ(beat(first, 1), ErrorCode::kRebalanceInProgress);
  EXPECT_FALSE(answered(second_join));
  const RequestId first_join = send(join_of(first));
  EXPECT_EQ(joined(first_join).generation, 2);
  EXPECT_EQ(joined(second_join).generation, 2);
  const RequestId follower = send(sync_of(second, 2));
  EXPECT_FALSE(answered(follower));
  EXPECT_EQ(beat(second, 2), ErrorCode::kNone);
  const RequestId leader = send(sync_of(first, 2, {{first, "x"}, {second, "y"}}));
  EXPECT_EQ(text(synced(leader).assignment), "x");
  EXPECT_EQ(text(synced(follower).assignment), "y");
  EXPECT_EQ(text(synced(send(sync_of(second, 2))).assignment), "y");
}

TEST_F(GroupJoin, a_member_that_does_not_rejoin_in_time_is_left_out) {
  const std::string first = stable_member();
  auto [second, second_join] = arrive();
  for (int i = 0; i < 20; ++i) {
    pass(3'000);
    if (i < 19) {
      EXPECT_EQ(beat(first, 1), ErrorCode::kRebalanceInProgress);
    }
  }
  EXPECT_EQ(joined(second_join).generation, 2);
  EXPECT_EQ(joined(second_join).leader, second);
  EXPECT_EQ(beat(first, 1), ErrorCode::kUnknownMemberId);
}

TEST_F(GroupJoin, a_session_that_ends_empties_the_group) {
  const std::string id = stable_member();
  pass(9'999);
  EXPECT_EQ(state(), "Stable");
  pass(1);
  EXPECT_EQ(state(), "Empty");
  StoredGroup stored{"consumer", 2, std::nullopt, std::nullopt, 1'013'000, {}};
  EXPECT_EQ(std::get<GroupRecord>(record(2)), (GroupRecord{"g", stored}));
  EXPECT_EQ(beat(id, 1), ErrorCode::kUnknownMemberId);
}

TEST_F(GroupJoin, a_pending_member_that_stays_away_does_not_hold_the_rebalance) {
  const std::string first = stable_member();
  const RequestId pending = send(join_of(""));
  EXPECT_EQ(joined(pending).error, ErrorCode::kMemberIdRequired);
  EXPECT_EQ(beat(joined(pending).member_id, 1), ErrorCode::kUnknownMemberId);
  const RequestId rejoin = send(join_of(first));  // the leader
  EXPECT_FALSE(answered(rejoin));
  pass(10'000);
  EXPECT_EQ(joined(rejoin).generation, 2);
}

TEST_F(GroupJoin, votes_choose_the_protocol_that_all_know) {
  auto [first, first_join] = arrive({"a", "b", "c"});
  auto [second, second_join] = arrive({"c", "b"});
  auto [third, third_join] = arrive({"c", "a", "b"});
  pass(6'000);
  EXPECT_EQ(joined(first_join).protocol_name, "c");
  EXPECT_EQ(joined(first_join).members.at(0).metadata, bytes("m-c"));
}

TEST_F(GroupJoin, protocols_must_fit) {
  JoinGroup none = join_of("");
  none.protocols.clear();
  EXPECT_EQ(joined(send(none)).error, ErrorCode::kInconsistentGroupProtocol);
  JoinGroup untyped = join_of("");
  untyped.protocol_type = "";
  EXPECT_EQ(joined(send(untyped)).error, ErrorCode::kInconsistentGroupProtocol);
  const std::string id = stable_member();
  JoinGroup other = join_of("");
  other.protocol_type = "connect";
  EXPECT_EQ(joined(send(other)).error, ErrorCode::kInconsistentGroupProtocol);
  EXPECT_EQ(joined(send(join_of("", {"sticky"}))).error, ErrorCode::kInconsistentGroupProtocol);
  SyncGroup sync = sync_of(id, 1);
  sync.protocol_name = "sticky";
  EXPECT_EQ(synced(send(sync)).error, ErrorCode::kInconsistentGroupProtocol);
}

TEST_F(GroupJoin, refusals_have_kafkas_codes) {
  JoinGroup join = join_of("");
  join.group_id = "";
  EXPECT_EQ(joined(send(join)).error, ErrorCode::kInvalidGroupId);
  join = join_of("someone");
  EXPECT_EQ(joined(send(join)).error, ErrorCode::kUnknownMemberId);
  EXPECT_EQ(joined(last_request).member_id, "someone");
  join.session_timeout_ms = 5'999;
  EXPECT_EQ(joined(send(join)).error, ErrorCode::kInvalidSessionTimeout);
  join.session_timeout_ms = 1'800'001;
  EXPECT_EQ(joined(send(join)).error, ErrorCode::kInvalidSessionTimeout);
  EXPECT_EQ(synced(send(sync_of("someone", 1))).error, ErrorCode::kUnknownMemberId);
  EXPECT_EQ(beat("someone", 1), ErrorCode::kUnknownMemberId);

  const std::string id = stable_member();
  EXPECT_EQ(beat(id, 2), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(synced(send(sync_of(id, 0))).error, ErrorCode::kIllegalGeneration);
  EXPECT_EQ(joined(send(join_of("someone"))).error, ErrorCode::kUnknownMemberId);
  EXPECT_EQ(joined(last_request).protocol_name, std::nullopt);
}

TEST_F(GroupJoin, a_full_group_refuses_the_next_member) {
  options.max_size = 1;
  start();
  const std::string id = stable_member();
  EXPECT_EQ(joined(send(join_of(""))).error, ErrorCode::kGroupMaxSizeReached);
  EXPECT_EQ(joined(last_request).member_id, "");
  EXPECT_EQ(beat(id, 1), ErrorCode::kNone);
}

TEST_F(GroupJoin, members_hold_no_more_bytes_than_allowed) {
  options.members_bytes_max = 10'000;
  start();
  const auto machine = [this]() -> const GroupCoordinator& { return *runtime->machine(); };
  JoinGroup large = join_of("");
  large.protocols.front().metadata.resize(9'900);
  EXPECT_EQ(joined(send(large)).error, ErrorCode::kMemberIdRequired);
  EXPECT_GT(machine().members_bytes(), 0U) << "an id that was given out takes memory too";
  large.member_id = joined(last_request).member_id;
  EXPECT_EQ(joined(send(large)).error, ErrorCode::kGroupMaxSizeReached);
  pass(10'000);
  EXPECT_EQ(machine().members_bytes(), 0U) << "the id was not used";

  auto [first, first_join] = arrive();
  auto [second, second_join] = arrive();
  pass(6'000);
  const size_t held = machine().members_bytes();
  large.member_id = second;
  EXPECT_EQ(joined(send(large)).error, ErrorCode::kGroupMaxSizeReached) << "a member that is there may not grow";
  EXPECT_EQ(machine().members_bytes(), held);
  const RequestId again = send(join_of(second, {"range", "x"}));
  EXPECT_FALSE(answered(again)) << "others go on";
  EXPECT_GT(machine().members_bytes(), held);
  leave({{first, {}}, {second, {}}});
  EXPECT_EQ(machine().members_bytes(), 0U);
}

TEST_F(GroupJoin, assignments_count_among_the_bytes_of_members) {
  options.members_bytes_max = 10'000;
  start();
  const auto held = [this]() { return runtime->machine()->members_bytes(); };
  auto [id, request] = arrive();
  pass(options.initial_rebalance_delay_ms);
  const size_t before = held();
  const std::string large(9'900, 'a');
  EXPECT_EQ(synced(send(sync_of(id, 1, {{id, large}}))).error, ErrorCode::kGroupMaxSizeReached);
  EXPECT_EQ(held(), before);
  EXPECT_EQ(state(), "CompletingRebalance");
  EXPECT_EQ(complaints.limits().of(base::Limit::kGroupMembersBytes), 1U);
  EXPECT_EQ(synced(send(sync_of(id, 1, {{id, "a"}, {"nobody", large}}))).error, ErrorCode::kNone)
      << "what is for nobody is not kept";
  EXPECT_EQ(held(), before + 1);
  const RequestId again = send(join_of(id, {"range", "x"}));
  EXPECT_EQ(joined(again).generation, 2);
  EXPECT_EQ(synced(send(sync_of(id, 2, {{id, std::string(5'000, 'a')}}))).error, ErrorCode::kNone);
  EXPECT_GT(held(), before + 5'000);
  restart();
  EXPECT_GT(held(), 5'000U) << "as loaded";
  leave({{id, {}}});
  EXPECT_EQ(held(), 0U);
}

TEST_F(GroupJoin, pending_ids_are_bounded) {
  options.members_bytes_max = 10'000;
  start();
  int given = 0;
  while (given < 100 && joined(send(join_of(""))).error == ErrorCode::kMemberIdRequired) ++given;
  EXPECT_EQ(joined(last_request).error, ErrorCode::kGroupMaxSizeReached);
  EXPECT_GT(given, 5);
  EXPECT_LT(given, 40);
}

TEST_F(GroupJoin, a_follower_with_the_same_metadata_gets_the_present_generation) {
  auto [first, first_join] = arrive();
  auto [second, second_join] = arrive();
  pass(6'000);
  const std::string leader = joined(first_join).leader;
  const std::string follower = leader == first ? second : first;
  const RequestId sync = send(sync_of(follower, 1));
  send(sync_of(leader, 1, {{follower, "f"}}));
  EXPECT_EQ(text(synced(sync).assignment), "f");
  const RequestId again = send(join_of(follower));
  EXPECT_EQ(joined(again).generation, 1);
  EXPECT_EQ(state(), "Stable");
  const RequestId changed = send(join_of(follower, {"range", "sticky"}));
  EXPECT_EQ(state(), "PreparingRebalance");
  EXPECT_FALSE(answered(changed));
}

TEST_F(GroupJoin, a_join_sent_again_replaces_the_one_that_waits) {
  auto [id, first] = arrive();
  const RequestId again = send(join_of(id));
  EXPECT_EQ(joined(first).error, ErrorCode::kRebalanceInProgress);
  pass(3'000);
  EXPECT_EQ(joined(again).generation, 1);
}

TEST_F(GroupJoin, members_without_a_sync_are_removed) {
  auto [first, first_join] = arrive();
  auto [second, second_join] = arrive();
  pass(6'000);
  const std::string leader = joined(first_join).leader;
  const std::string other = leader == first ? second : first;
  const RequestId sync = send(sync_of(leader, 1, {{leader, "x"}}));
  EXPECT_EQ(synced(sync).error, ErrorCode::kNone);
  for (int i = 0; i < 20; ++i) {
    pass(3'000);
    if (i < 19) beat(other, 1);
    if (i < 19) beat(leader, 1);
  }
  EXPECT_EQ(beat(other, 1), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(beat(leader, 1), ErrorCode::kRebalanceInProgress);
}

TEST_F(GroupJoin, leaving_moves_the_group_on_at_once) {
  const std::string id = stable_member();
  EXPECT_EQ(leave({{"nobody", std::nullopt}, {id, std::nullopt}}),
            (std::vector{ErrorCode::kNone, ErrorCode::kUnknownMemberId, ErrorCode::kNone}));
  EXPECT_EQ(state(), "Empty");
  EXPECT_EQ(std::get<GroupRecord>(record(2)).value->generation, 2);
  EXPECT_EQ(leave({{id, std::nullopt}}), (std::vector{ErrorCode::kNone, ErrorCode::kUnknownMemberId}));
}

TEST_F(GroupJoin, leaving_a_group_that_is_not_there) {
  EXPECT_EQ(leave({{"m", std::nullopt}}), (std::vector{ErrorCode::kNone, ErrorCode::kUnknownMemberId}));
}

TEST_F(GroupJoin, who_leaves_while_waiting_is_answered) {
  const std::string first = stable_member();
  auto [second, waiting] = arrive();
  leave({{second, std::nullopt}});
  EXPECT_EQ(joined(waiting).error, ErrorCode::kUnknownMemberId);
}

class StaticMembers : public GroupTest {
 protected:
  void SetUp() override { start(); }
  static JoinGroup static_join(const std::string& member_id = "") {
    JoinGroup join = join_of(member_id);
    join.instance_id = "i1";
    return join;
  }
  std::string stable_static() {
    const RequestId request = send(static_join());
    pass(3'000);
    const std::string id = joined(request).member_id;
    SyncGroup sync = sync_of(id, 1, {{id, "a1"}});
    sync.instance_id = "i1";
    EXPECT_EQ(text(synced(send(sync)).assignment), "a1");
    return id;
  }
};

TEST_F(StaticMembers, join_needs_no_second_request) {
  const std::string id = stable_static();
  EXPECT_EQ(id.substr(0, 3), "i1-");
}

TEST_F(StaticMembers, a_restarted_member_takes_its_place_without_a_rebalance) {
  const std::string old_id = stable_static();
  const RequestId request = send(static_join());
  const JoinGroupReply& reply = joined(request);
  EXPECT_EQ(reply.error, ErrorCode::kNone);
  EXPECT_EQ(reply.generation, 1);
  EXPECT_NE(reply.member_id, old_id);
  EXPECT_EQ(reply.leader, reply.member_id);
  EXPECT_TRUE(reply.skip_assignment);
  EXPECT_EQ(reply.members.size(), 1u);
  EXPECT_EQ(text(synced(send(sync_of(reply.member_id, 1))).assignment), "a1");
  EXPECT_EQ(this->reply<HeartbeatReply>(send(Heartbeat{"g", 1, old_id, "i1"})).error, ErrorCode::kFencedInstanceId);
}

TEST_F(StaticMembers, before_version_9_the_leader_is_told_its_old_id) {
  const std::string old_id = stable_static();
  JoinGroup join = static_join();
  join.can_skip_assignment = false;
  const JoinGroupReply& reply = joined(send(join));
  EXPECT_EQ(reply.leader, old_id);
  EXPECT_TRUE(reply.members.empty());
  EXPECT_FALSE(reply.skip_assignment);
}

TEST_F(StaticMembers, the_old_id_is_fenced) {
  const std::string old_id = stable_static();
  send(static_join());
  EXPECT_EQ(joined(send(static_join(old_id))).error, ErrorCode::kFencedInstanceId);
  EXPECT_EQ(leave({{old_id, "i1"}}), (std::vector{ErrorCode::kNone, ErrorCode::kFencedInstanceId}));
  EXPECT_EQ(leave({{"", "i1"}}), (std::vector{ErrorCode::kNone, ErrorCode::kNone}));
  EXPECT_EQ(state(), "Empty");
}

}  // namespace
}  // namespace stele::coordinator
