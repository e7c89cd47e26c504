#include "metadata/local_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "metadata/log_fixture.h"
#include "metadata/metadata_log_suite.h"
#include "metadata/record.h"
#include "metadata/snapshot.h"
#include "wire/no_op_record.h"

namespace stele::metadata {
namespace {

using base::Offset;
using ::testing::ElementsAre;

class ALocalLog : public OnDisk {
 protected:
  base::Task<base::Result<std::unique_ptr<LocalLog>>> open(io::Shard& shard) {
    auto dir = co_await shard.open_directory(root.string(), true);
    co_return co_await LocalLog::open(shard, *std::move(dir), options);
  }
  static base::ByteVector entry(const Claim& claim, Offset at, int records = 1,
                                base::Timestamp time = base::Timestamp{1000}) {
    const Records values(static_cast<size_t>(records), encode_record(wire::NoOpRecord{}, 0));
    return record_batch(at, claim.epoch, values, time);
  }
  std::string name(std::string_view file) const { return "__cluster_metadata-0/" + std::string{file}; }

  LocalLogOptions options{.node = base::BrokerId{1}, .directory = base::DirectoryId{4, 4}};
};

TEST_F(ALocalLog, passes_the_suite_of_every_backend) {
  run([&](io::Shard& shard) -> base::Task<void> {
    const MetadataLogSuite suite{shard.executor(), [&]() -> base::Task<std::unique_ptr<MetadataLog>> {
                                   auto log = co_await open(shard);
                                   EXPECT_TRUE(log.ok());
                                   co_return *std::move(log);
                                 }};
    co_await suite.run();
  });
}

TEST_F(ALocalLog, writes_the_files_that_kafka_writes) {
  run([&](io::Shard& shard) -> base::Task<void> {
    auto log = co_await open(shard);
    EXPECT_TRUE((co_await (*log)->claim()).ok());
  });
  EXPECT_EQ(
      text(name("quorum-state")),
      R"({"clusterId":"","leaderId":1,"leaderEpoch":1,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":1}],"data_version":0})");
  EXPECT_EQ(text(name("leader-epoch-checkpoint")), "0\n1\n1 0\n");
  EXPECT_EQ(text(name("partition.metadata")), "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ");
  // As Kafka's LeaderChange, but for the time of it.
  const base::ByteVector ours = file(name("00000000000000000000.log"));
  const base::ByteVector theirs = kafka_file("kafka_restarts.log");
  ASSERT_EQ(ours.size(), 91u);
  for (size_t at = 0; at < 91; ++at) {
    const bool differs = (at >= 17 && at < 21) || (at >= 27 && at < 43);
    if (!differs) EXPECT_EQ(ours[at], theirs[at]) << at;
  }
}

TEST_F(ALocalLog, a_standalone_directory_stays_one) {
  write(name("00000000000000000000-0000000000.checkpoint"), kafka_file("standalone.checkpoint"));
  run([&](io::Shard& shard) -> base::Task<void> {
    auto log = co_await open(shard);
    EXPECT_THAT((*log)->snapshots(), ElementsAre(SnapshotId{}));
    EXPECT_TRUE((co_await (*log)->claim()).ok());
  });
  EXPECT_EQ(
      text(name("quorum-state")),
      R"({"leaderId":1,"leaderEpoch":1,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1})");
  run([&](io::Shard& shard) -> base::Task<void> {
    auto log = co_await open(shard);
    EXPECT_EQ((*log)->quorum_data_version(), 1);
    EXPECT_EQ((co_await (*log)->claim()).value().epoch, base::LeaderEpoch{2});
  });
}

TEST_F(ALocalLog, goes_on_where_kafka_stopped) {
  write(name("00000000000000000000.log"), kafka_file("kafka_restarts.log"));
  run([&](io::Shard& shard) -> base::Task<void> {
    auto log = co_await open(shard);
    const Offset end = (*log)->end();
    const auto claim = co_await (*log)->claim();
    EXPECT_EQ(claim->epoch, base::LeaderEpoch{5});
    EXPECT_EQ(claim->next_index, end + 1);
  });
}

TEST_F(ALocalLog, cuts_a_torn_tail_and_nothing_else) {
  run([&](io::Shard& shard) -> base::Task<void> {
    auto log = co_await open(shard);
    const auto claim = co_await (*log)->claim();
    for (int i = 0; i < 3; ++i) {
      const Offset at = claim->next_index + i;
      EXPECT_EQ(co_await (*log)->append(claim->epoch, at, entry(*claim, at)), AppendOutcome::kCommitted);
    }
  });
  const base::ByteVector whole = file(name("00000000000000000000.log"));
  for (const size_t lost : {size_t{1}, size_t{40}, size_t{71}}) {
    write(name("00000000000000000000.log"), base::Bytes{whole}.first(whole.size() - lost));
    run([&](io::Shard& shard) -> base::Task<void> {
      auto log = co_await open(shard);
      EXPECT_EQ((*log)->end(), Offset{3});
      EXPECT_EQ((*log)->cut_bytes(), whole.size() - 91 - 2 * (whole.size() - 91) / 3 - lost);
    });
    EXPECT_EQ(file(name("00000000000000000000.log")).size(), 91 + 2 * (whole.size() - 91) / 3);
  }
  // Zeros, as a file that was extended and not written has, and a flipped bit in the middle.
  base::ByteVector zeros = whole;
  zeros.resize(whole.size() + 5000);
  write(name("00000000000000000000.log"), zeros);
  run([&](io::Shard& shard) -> base::Task<void> { EXPECT_EQ((*co_await open(shard))->end(), Offset{4}); });
  EXPECT_EQ(file(name("00000000000000000000.log")), whole);
}

TEST_F(ALocalLog, a_damaged_segment_that_is_not_the_last_is_refused) {
  options.segment_bytes = 200;
  run([&](io::Shard& shard) -> base::Task<void> {
    auto log = co_await open(shard);
    const auto claim = co_await (*log)->claim();
    for (int i = 0; i < 6; ++i) {
      const Offset at = claim->next_index + i;
      EXPECT_EQ(co_await (*log)->append(claim->epoch, at, entry(*claim, at)), AppendOutcome::kCommitted);
    }
  });
  base::ByteVector first = file(name("00000000000000000000.log"));
  first[100] ^= std::byte{1};
  write(name("00000000000000000000.log"), first);
  run([&](io::Shard& shard) -> base::Task<void> {
    EXPECT_EQ((co_await open(shard)).code(), base::ErrorCode::kKafkaStorageError);
  });
}

TEST_F(ALocalLog, a_claim_takes_the_place_of_one_whose_entry_was_never_written) {
  for (int start = 0; start < 3; ++start) {
    run([&](io::Shard& shard) -> base::Task<void> {
      auto log = co_await open(shard);
      EXPECT_TRUE((co_await (*log)->claim()).ok());
    });
    if (start != 1) continue;
    base::ByteVector entries = file(name("00000000000000000000.log"));
    entries.resize(entries.size() / 2);  // the power went before the second claim's entry was synced
    write(name("00000000000000000000.log"), entries);
  }
  EXPECT_EQ(text(name("leader-epoch-checkpoint")), "0\n2\n1 0\n3 1\n");
}

TEST_F(ALocalLog, damage_before_a_later_claim_is_refused) {
  for (int start = 0; start < 2; ++start) {
    run([&](io::Shard& shard) -> base::Task<void> {
      auto log = co_await open(shard);
      const auto claim = co_await (*log)->claim();
      const Offset at = claim->next_index;
      EXPECT_EQ(co_await (*log)->append(claim->epoch, at, entry(*claim, at)), AppendOutcome::kCommitted);
    });
  }
  base::ByteVector damaged = file(name("00000000000000000000.log"));
  damaged[91 + 30] ^= std::byte{1};  // in the entry after the first claim, whose 91 bytes are whole
  write(name("00000000000000000000.log"), damaged);
  run([&](io::Shard& shard) -> base::Task<void> {
    EXPECT_EQ((co_await open(shard)).code(), base::ErrorCode::kKafkaStorageError);
  });
  EXPECT_EQ(file(name("00000000000000000000.log")), damaged);
}

TEST_F(ALocalLog, a_missing_epoch_checkpoint_is_made_anew_from_the_log) {
  for (int start = 0; start < 3; ++start) {
    run([&](io::Shard& shard) -> base::Task<void> {
      auto log = co_await open(shard);
      EXPECT_TRUE((co_await (*log)->claim()).ok());
    });
    if (start == 1) std::filesystem::remove(root / name("leader-epoch-checkpoint"));
  }
  EXPECT_EQ(text(name("leader-epoch-checkpoint")), "0\n3\n1 0\n2 1\n3 2\n");
}

TEST_F(ALocalLog, lets_go_of_old_segments_behind_a_snapshot) {
  options.retention_bytes = 4000;
  run([&](io::Shard& shard) -> base::Task<void> {
    auto log = co_await open(shard);
    const auto claim = co_await (*log)->claim();
    Offset next = claim->next_index;
    const Image empty;
    for (int round = 0; round < 30; ++round) {
      for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(co_await (*log)->append(claim->epoch, next, entry(*claim, next)), AppendOutcome::kCommitted);
        next = next + 1;
      }
      EXPECT_TRUE(
          (co_await (*log)->put_snapshot({next, claim->epoch}, write_snapshot(empty, base::Timestamp{1}))).ok());
      EXPECT_TRUE((co_await (*log)->trim(base::Timestamp{1})).ok());
    }
    EXPECT_GT((*log)->start(), Offset{200});
    EXPECT_EQ((co_await (*log)->read(Offset{0}, 1000)).code(), base::ErrorCode::kOffsetOutOfRange);
  });
  uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(root / "__cluster_metadata-0"))
    bytes += entry.file_size();
  EXPECT_LT(bytes, 6000u);
  run([&](io::Shard& shard) -> base::Task<void> {
    auto log = co_await open(shard);
    EXPECT_EQ((*log)->end(), Offset{301});
    EXPECT_EQ((*log)->snapshots().back().end, Offset{301});
  });
}

TEST_F(ALocalLog, closes_a_segment_of_some_age_over_restarts_too) {
  options.segment_ms = 60'000;
  int64_t begun = 0;
  const auto append_after = [&](io::Shard& shard, std::vector<int64_t> delays) -> base::Task<void> {
    auto log = co_await open(shard);
    const auto claim = co_await (*log)->claim();
    if (begun == 0) begun = shard.clock().wall().value();
    Offset next = claim->next_index;
    for (const int64_t delay : delays) {
      base::ByteVector batch = entry(*claim, next, 1, base::Timestamp{begun + delay});
      EXPECT_EQ(co_await (*log)->append(claim->epoch, next, std::move(batch)), AppendOutcome::kCommitted);
      next = next + 1;
    }
  };
  const auto has_segment = [&](int base) {
    return std::filesystem::exists(root / name(segment_name(Offset{base}, ".log")));
  };
  run([&](io::Shard& shard) { return append_after(shard, {0, 50'000, 70'000, 80'000}); });  // indexes 1 to 4
  EXPECT_TRUE(has_segment(3));
  EXPECT_FALSE(has_segment(2) || has_segment(4));
  run([&](io::Shard& shard) { return append_after(shard, {120'000, 140'000}); });  // 5 is the claim, then 6 and 7
  EXPECT_TRUE(has_segment(7));
  EXPECT_FALSE(has_segment(5) || has_segment(6));
}

TEST_F(ALocalLog, begins_anew_behind_a_snapshot_that_is_ahead_of_it) {
  write(name("00000000000000000050-0000000003.checkpoint"), write_snapshot(Image{}, base::Timestamp{1}));
  write(name("00000000000000000000.log"), {});
  run([&](io::Shard& shard) -> base::Task<void> {
    auto log = co_await open(shard);
    EXPECT_EQ((*log)->start(), Offset{50});
    const auto claim = co_await (*log)->claim();
    EXPECT_EQ(claim->epoch, base::LeaderEpoch{4});
    EXPECT_EQ(claim->next_index, Offset{51});
  });
}

TEST(quorum_state, is_read_as_kafka_writes_it) {
  const auto state = read_quorum_state(
      R"({"clusterId":"","leaderId":3,"leaderEpoch":17,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":3},{"voterId":4}],"data_version":0})");
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(state->epoch, base::LeaderEpoch{17});
  EXPECT_EQ(state->leader, base::BrokerId{3});
  EXPECT_THAT(state->voters, ElementsAre(base::BrokerId{3}, base::BrokerId{4}));
  EXPECT_FALSE(read_quorum_state("").ok());
  EXPECT_FALSE(read_quorum_state(R"({"leaderEpoch":1,"data_version":7})").ok());
  EXPECT_FALSE(read_quorum_state(R"({"leaderEpoch":x,"data_version":1})").ok());
}

}  // namespace
}  // namespace stele::metadata
