#include "coordinator/group/group_fixture.h"

namespace stele::coordinator {
namespace {

using base::ErrorCode;

class Runtime : public GroupTest {
 protected:
  void SetUp() override {
    start();
    auto_commit = false;
  }
};

TEST_F(Runtime, an_answer_waits_for_its_records) {
  const RequestId commit = send(commit_of(1));
  EXPECT_FALSE(answered(commit));
  keep(runtime->committed(base::Offset{1}));
  EXPECT_TRUE(answered(commit));
}

TEST_F(Runtime, a_read_waits_for_what_it_read) {
  send(commit_of(1));
  const RequestId other = send(DescribeGroup{"other"});
  EXPECT_TRUE(answered(other));
  const RequestId read = send(DescribeGroup{"g"});
  EXPECT_FALSE(answered(read));
  keep(runtime->committed(base::Offset{1}));
  EXPECT_TRUE(answered(read));
}

TEST_F(Runtime, commands_pipeline) {
  const RequestId first = send(commit_of(1));
  const RequestId second = send(commit_of(2));
  OffsetFetch all;
  all.group_id = "g";
  const RequestId read = send(all);
  keep(runtime->committed(base::Offset{1}));
  EXPECT_TRUE(answered(first));
  EXPECT_FALSE(answered(second));
  keep(runtime->committed(base::Offset{2}));
  EXPECT_TRUE(answered(second));
  EXPECT_EQ(reply<OffsetFetchReply>(read).topics[0].partitions[0].offset, 2);
}

TEST_F(Runtime, a_commit_that_takes_too_long_is_not_available) {
  const RequestId commit = send(commit_of(1));
  pass(5'000);
  EXPECT_EQ(reply<OffsetCommitReply>(commit).topics[0].partitions[0].error, ErrorCode::kCoordinatorNotAvailable);
}

TEST_F(Runtime, a_failed_log_drops_the_state_and_answers_all_that_wait) {
  auto_commit = true;
  const std::string id = stable_member();
  auto [second, join] = arrive();
  auto_commit = false;
  const RequestId commit = send(commit_of(5, id, 1));
  keep(runtime->failed(ErrorCode::kKafkaStorageError));
  EXPECT_EQ(joined(join).error, ErrorCode::kNotCoordinator);
  EXPECT_EQ(reply<OffsetCommitReply>(commit).topics[0].partitions[0].error, ErrorCode::kNotCoordinator);
  EXPECT_EQ(beat(id, 1), ErrorCode::kNotCoordinator);
  log.entries.pop_back();  // it was not written after all
  auto_commit = true;
  restart();
  EXPECT_EQ(fetch(), -1);
  EXPECT_EQ(state(), "Stable");
}

TEST_F(Runtime, a_failing_append_drops_the_state) {
  log.error = ErrorCode::kNotLeaderOrFollower;
  EXPECT_EQ(commit(commit_of(1)), ErrorCode::kNotCoordinator);
  EXPECT_EQ(runtime->state(), GroupTest::Runtime::State::kInactive);
}

TEST_F(Runtime, a_log_that_takes_no_records_for_a_while_is_still_answered_from) {
  auto_commit = true;
  EXPECT_EQ(commit(commit_of(1)), ErrorCode::kNone);
  log.error = ErrorCode::kKafkaStorageError;
  EXPECT_EQ(commit(commit_of(2)), ErrorCode::kNotCoordinator);
  EXPECT_EQ(fetch(), 1);
  log.error = ErrorCode::kNone;
  EXPECT_EQ(commit(commit_of(3)), ErrorCode::kNone);
  EXPECT_EQ(fetch(), 3);
}

TEST_F(Runtime, what_is_too_large_harms_its_own_group_alone) {
  auto_commit = true;
  auto [id, join] = arrive();
  pass(3'000);
  log.error = ErrorCode::kRecordListTooLarge;
  EXPECT_EQ(synced(send(sync_of(id, 1, {{id, "a1"}}))).error, ErrorCode::kUnknownServerError);
  EXPECT_EQ(state(), "PreparingRebalance");
  EXPECT_EQ(beat(id, 1), ErrorCode::kRebalanceInProgress);
  log.error = ErrorCode::kNone;
  EXPECT_EQ(joined(send(join_of(id))).generation, 2);
}

TEST_F(Runtime, a_name_too_long_for_the_log_is_refused) {
  auto_commit = true;
  JoinGroup join = join_of("");
  join.group_id = std::string(40'000, 'g');
  EXPECT_EQ(joined(send(join)).error, ErrorCode::kUnknownServerError);
  EXPECT_TRUE(log.entries.empty());
}

TEST_F(Runtime, while_loading_only_heartbeats_are_let_through) {
  GroupTest::Runtime loading(log, std::chrono::milliseconds(5'000));
  EXPECT_EQ(std::get<HeartbeatReply>(loading.submit({1, Heartbeat{"g", 1, "m", {}}}, now()).at(0).body).error,
            ErrorCode::kNotCoordinator);
  loading.start_loading(base::LeaderEpoch{1}, std::make_unique<GroupCoordinator>(options, random, complaints));
  EXPECT_EQ(std::get<HeartbeatReply>(loading.submit({1, Heartbeat{"g", 1, "m", {}}}, now()).at(0).body).error,
            ErrorCode::kNone);
  EXPECT_EQ(std::get<JoinGroupReply>(loading.submit({2, join_of("")}, now()).at(0).body).error,
            ErrorCode::kCoordinatorLoadInProgress);
}

TEST_F(Runtime, resigning_answers_who_waits_for_a_sync) {
  auto_commit = true;
  auto [first, first_join] = arrive();
  auto [second, second_join] = arrive();
  pass(6'000);
  const std::string follower = joined(first_join).leader == first ? second : first;
  const RequestId sync = send(sync_of(follower, 1));
  keep(runtime->resign());
  EXPECT_EQ(synced(sync).error, ErrorCode::kNotCoordinator);
  EXPECT_EQ(runtime->next_deadline(), std::nullopt);
}

}  // namespace
}  // namespace stele::coordinator
