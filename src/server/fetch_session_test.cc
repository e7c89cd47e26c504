// The rules of KIP-227 as org.apache.kafka.server.FetchSession keeps them.
#include "server/fetch_session.h"

#include <gtest/gtest.h>

#include <limits>

namespace stele::server {
namespace {

using base::ErrorCode;

class FetchSessionTest : public ::testing::Test {
 protected:
  static wire::FetchRequest request(std::vector<int32_t> partitions, int32_t id, int32_t epoch) {
    wire::FetchRequest asked;
    asked.session_id = id;
    asked.session_epoch = epoch;
    if (partitions.empty()) return asked;
    auto& topic = asked.topics.emplace_back();
    topic.topic = "t";
    for (const int32_t partition : partitions) topic.partitions.emplace_back().partition = partition;
    return asked;
  }
  FetchSessions::Opened open(const wire::FetchRequest& asked, int16_t version = 12) {
    return sessions_.open(asked, version, now_);
  }
  std::shared_ptr<FetchSession> create(std::vector<int32_t> partitions) {
    auto opened = open(request(std::move(partitions), 0, 0));
    EXPECT_TRUE(opened.may_create);
    return sessions_.create(opened.wishes, false, now_).value_or(nullptr);
  }
  static std::vector<int32_t> partitions_of(const FetchSessions::Opened& opened) {
    std::vector<int32_t> all;
    for (const FetchWish& wish : opened.wishes) all.push_back(wish.key.partition);
    return all;
  }
  static wire::FetchResponse::PartitionData answer(int64_t high_watermark, std::string_view records = {}) {
    wire::FetchResponse::PartitionData data;
    data.high_watermark = high_watermark;
    data.log_start_offset = 0;
    data.records = base::as_bytes(records);
    return data;
  }
  static FetchKey key(int32_t partition) { return {"t", {}, partition}; }

  base::SeededRandom random_{5};
  base::MonoTime now_{std::chrono::hours{1}};
  FetchSessions sessions_{{.slots = 2, .partitions_max = 4}, base::ShardId{1}, 3, random_};
};

TEST_F(FetchSessionTest, a_session_id_names_its_shard) {
  for (int i = 0; i < 2; ++i) EXPECT_EQ(create({0})->id() % 3, 1);
}

TEST_F(FetchSessionTest, all_sessions_together_remember_no_more_than_their_limit) {
  FetchSessions few{{.slots = 10, .partitions_max = 4, .total_partitions_max = 6}, base::ShardId{1}, 3, random_};
  const auto make = [&](std::vector<int32_t> partitions) {
    return few.create(few.open(request(std::move(partitions), 0, 0), 12, now_).wishes, false, now_).value_or(nullptr);
  };
  const auto first = make({0, 1, 2});
  ASSERT_TRUE(make({0, 1}));
  EXPECT_EQ(few.total_weight(), 5U);
  EXPECT_FALSE(make({0, 1})) << "none is smaller, none is idle";
  EXPECT_TRUE(make({0, 1, 2})) << "a larger one takes the place of a smaller one";
  EXPECT_EQ(few.size(), 2U);
  EXPECT_EQ(few.open(request({3}, first->id(), 1), 12, now_).code, ErrorCode::kFetchSessionIdNotFound);
  EXPECT_EQ(few.total_weight(), 3U) << "one that grows over the limit goes";
  now_ += std::chrono::minutes{3};
  EXPECT_TRUE(make({0, 1, 2, 3})) << "an idle one makes room";
}

TEST_F(FetchSessionTest, a_partition_of_an_endless_topic_name_counts_for_many) {
  auto asked = request({0}, 0, 0);
  const std::string name(25'600, 'n');
  asked.topics.front().topic = name;
  ASSERT_TRUE(sessions_.create(open(asked).wishes, false, now_));
  EXPECT_EQ(sessions_.total_weight(), 101U);
}

TEST_F(FetchSessionTest, a_name_that_no_topic_can_have_is_not_copied_for_millions_of_partitions) {
  std::vector<int32_t> many(40);
  auto asked = request(many, 0, -1);
  const std::string endless(30'000, 'x');
  asked.topics.front().topic = endless;
  const auto opened = open(asked);
  EXPECT_EQ(opened.code, ErrorCode::kInvalidRequest);
  EXPECT_TRUE(opened.wishes.empty());
  asked.topics.front().partitions.resize(30);
  EXPECT_EQ(open(asked).wishes.size(), 30U) << "answered as any unknown topic";
}

TEST_F(FetchSessionTest, an_incremental_request_adds_and_forgets_partitions) {
  const int32_t id = create({0, 1})->id();
  auto asked = request({2}, id, 1);
  auto& forgotten = asked.forgotten_topics_data.emplace_back();
  forgotten.topic = "t";
  forgotten.partitions.push_back(0);
  EXPECT_EQ(partitions_of(open(asked)), (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(partitions_of(open(request({}, id, 2))), (std::vector<int32_t>{1, 2}));
}

TEST_F(FetchSessionTest, an_epoch_out_of_turn_and_an_unknown_id_are_refused) {
  const int32_t id = create({0})->id();
  EXPECT_EQ(open(request({}, id, 2)).code, ErrorCode::kInvalidFetchSessionEpoch);
  EXPECT_EQ(open(request({}, id + 3, 1)).code, ErrorCode::kFetchSessionIdNotFound);
  EXPECT_EQ(open(request({}, id, 1)).code, ErrorCode::kNone);
}

TEST_F(FetchSessionTest, a_session_by_name_is_not_gone_on_with_by_id) {
  const int32_t id = create({0})->id();
  EXPECT_EQ(open(request({}, id, 1), 13).code, ErrorCode::kFetchSessionTopicIdError);
}

TEST_F(FetchSessionTest, a_full_request_and_a_final_one_end_the_session_they_name) {
  const int32_t first = create({0})->id();
  EXPECT_TRUE(open(request({0}, first, 0)).may_create);
  EXPECT_EQ(sessions_.size(), 0U);
  const int32_t second = create({0})->id();
  EXPECT_FALSE(open(request({0}, second, -1)).may_create);
  EXPECT_EQ(sessions_.size(), 0U);
}

TEST_F(FetchSessionTest, a_session_that_forgot_its_last_partition_ends) {
  const int32_t id = create({0})->id();
  auto asked = request({}, id, 1);
  auto& forgotten = asked.forgotten_topics_data.emplace_back();
  forgotten.topic = "t";
  forgotten.partitions.push_back(0);
  EXPECT_EQ(open(asked).session, nullptr);
  EXPECT_EQ(sessions_.size(), 0U);
}

TEST_F(FetchSessionTest, a_partition_is_told_of_when_something_changed) {
  const auto session = create({0, 1});
  EXPECT_TRUE(session->tell(key(0), answer(10)));
  EXPECT_FALSE(session->tell(key(0), answer(10)));
  EXPECT_TRUE(session->tell(key(0), answer(11)));
  EXPECT_TRUE(session->tell(key(0), answer(11, "records")));
  auto failed = answer(11);
  failed.error_code = 6;
  EXPECT_TRUE(session->tell(key(0), failed));
  EXPECT_TRUE(session->tell(key(0), failed)) << "an error is told every time";
  EXPECT_TRUE(session->tell(key(0), answer(11))) << "and that it is over";
}

TEST_F(FetchSessionTest, a_partition_that_gave_records_has_its_next_turn_last) {
  const auto session = create({0, 1, 2});
  session->tell(key(0), answer(5, "records"));
  EXPECT_EQ(partitions_of(open(request({}, session->id(), 1))), (std::vector<int32_t>{1, 2, 0}));
}

TEST_F(FetchSessionTest, a_full_cache_makes_room_for_a_larger_session_or_of_a_stale_one) {
  create({0});
  create({0, 1});
  EXPECT_EQ(create({0}), nullptr) << "none is smaller";
  EXPECT_NE(create({0, 1}), nullptr) << "instead of the smallest";
  EXPECT_EQ(create({0}), nullptr);
  now_ += std::chrono::seconds{121};
  EXPECT_NE(create({0}), nullptr) << "instead of a stale one";
  EXPECT_EQ(sessions_.size(), 2U);
}

TEST_F(FetchSessionTest, a_session_over_its_partitions_limit_is_not_kept) {
  EXPECT_EQ(create({0, 1, 2, 3, 4}), nullptr);
  const int32_t id = create({0, 1, 2, 3})->id();
  EXPECT_EQ(open(request({4}, id, 1)).code, ErrorCode::kFetchSessionIdNotFound);
  EXPECT_EQ(sessions_.size(), 0U);
}

}  // namespace
}  // namespace stele::server
