#include "log/log_fixture.h"

namespace stele::log {
namespace {

using base::ErrorCode;
using base::Offset;
using base::Task;
using Ranges = std::vector<std::pair<int64_t, int64_t>>;

class PartitionLogTest : public LogTest {};

TEST_F(PartitionLogTest, what_is_appended_can_be_read) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open(shard, {});
    EXPECT_EQ(must(log.append({.records = 3})).base_offset, Offset{0});
    EXPECT_EQ(must(log.append({.records = 2})).base_offset, Offset{3});
    EXPECT_EQ(log->assigned_end(), Offset{5});
    EXPECT_EQ(log->written_end(), Offset{0});
    must(co_await log->wait_written(Offset{4}));
    EXPECT_EQ(log->written_end(), Offset{5});
    EXPECT_EQ((co_await offsets_of(*log.log, Offset{0})), (Ranges{{0, 2}, {3, 4}}));
    EXPECT_EQ((co_await offsets_of(*log.log, Offset{1})), (Ranges{{0, 2}, {3, 4}}));
    EXPECT_EQ((co_await offsets_of(*log.log, Offset{3})), (Ranges{{3, 4}}));
    EXPECT_EQ((co_await offsets_of(*log.log, Offset{5})), (Ranges{}));
    EXPECT_EQ((co_await log->read(Offset{6}, 100, Offset{9}, true)).code(), ErrorCode::kOffsetOutOfRange);
  });
}

TEST_F(PartitionLogTest, a_leaders_batch_that_ends_before_it_begins_is_refused) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open(shard, {});
    for (const auto& [base, last_delta] : {std::pair{int64_t{0}, -5}, {INT64_MAX - 1, 5}, {INT64_MAX, 0}}) {
      record::BatchBuilder builder{{}};
      builder.add({.timestamp = base::Timestamp{1}, .value = base::as_bytes("a")});
      base::ByteVector batch = std::move(builder).build();
      record::set_base_offset(batch, Offset{base});
      base::store_be(batch.data() + 23, int32_t{last_delta});
      record::update_crc(batch);
      const auto appended = log->append({batch, base::LeaderEpoch{1}, Origin::kReplica, base::Timestamp{1}});
      EXPECT_EQ(appended.code(), ErrorCode::kOffsetOutOfRange) << base;
    }
    EXPECT_EQ(log->assigned_end(), Offset{0});
  });
}

TEST_F(PartitionLogTest, a_killed_process_loses_nothing_that_was_written) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open(shard, {});
    must(log.append({.records = 3}));
    must(co_await log->wait_written(Offset{2}));
  });
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open(shard, {});
    EXPECT_EQ(log->assigned_end(), Offset{3});
    must(log.append({.records = 1}));
    must(co_await log->wait_written(Offset{3}));
    EXPECT_EQ((co_await offsets_of(*log.log, Offset{0})), (Ranges{{0, 2}, {3, 3}}));
    must(co_await log->close_clean());
  });
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open(shard, {.clean = true});
    EXPECT_EQ(log->assigned_end(), Offset{4});
    EXPECT_EQ((co_await offsets_of(*log.log, Offset{0})), (Ranges{{0, 2}, {3, 3}}));
  });
}

}  // namespace
}  // namespace stele::log
