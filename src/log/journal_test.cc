// The journal and its replay: logs of one host that share a journal, powers lost at any moment, damaged and odd files.
#include "log/journal.h"

#include <algorithm>

#include "log/journal_replay.h"
#include "log/log_fixture.h"

namespace stele::log {
namespace {

using base::ErrorCode;
using base::Offset;
using base::Task;

constexpr uint64_t kBytes = 512 << 10;  // eight files

Task<std::shared_ptr<Journal>> make_journal(io::Shard& shard, std::shared_ptr<io::Directory> dir,
                                            uint64_t bytes = kBytes) {
  co_return std::make_shared<Journal>(shard, std::move(dir), JournalOptions{.bytes = bytes});
}

class JournalTest : public LogTest {
 protected:
  explicit JournalTest(uint64_t seed = 1) : LogTest(seed) {}

  static LogOptions synced(int64_t segment_bytes = 1 << 30) {
    return {.segment_bytes = segment_bytes, .index_interval_bytes = 300, .retention_ms = -1, .synced = true};
  }
  static Task<OpenLog> open_in(io::Shard& shard, std::shared_ptr<Journal> journal, std::string name = "t-0",
                               int64_t recovery_point = 0) {
    return open(shard, {.options = synced(),
                        .recovery_point = recovery_point,
                        .name = std::move(name),
                        .journal = std::move(journal)});
  }
  static Task<base::Result<JournalReplay>> replay(io::Shard& shard) {
    const auto root = co_await directory(shard);
    STELE_CO_TRY_ASSIGN(const std::unique_ptr<LogDir> dir, co_await LogDir::open(shard, "/data"));
    co_return co_await replay_journals(shard, *dir, 2);
  }
  static Task<int64_t> end_of(io::Shard& shard, std::string name) {
    const OpenLog log = co_await open(shard, {.name = std::move(name)});
    co_return log->assigned_end().value();
  }
  static Task<void> append(OpenLog& log, int batches, int32_t epoch = 0, size_t value_bytes = 10) {
    for (int i = 0; i < batches; ++i) {
      const Appended appended = must(log.append({.records = 1, .value_bytes = value_bytes}, epoch));
      must(co_await log->wait_counted(appended.last_offset));
    }
  }
};

TEST_F(JournalTest, what_counted_of_many_logs_is_put_back_after_a_loss_of_power) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto journal = co_await make_journal(shard, co_await directory(shard));
    std::vector<OpenLog> logs;
    for (int i = 0; i < 20; ++i) {
      OpenLog log = co_await open_in(shard, journal, "t-" + std::to_string(i));
      logs.push_back(std::move(log));
    }
    for (OpenLog& log : logs) must(log.append({.records = 3}));
    for (OpenLog& log : logs) must(co_await log->wait_counted(Offset{2}));
    EXPECT_LE(journal->groups_synced(), 2U) << "one sync serves all of them";
    for (const OpenLog& log : logs) {
      EXPECT_EQ(log->synced_end(), Offset{3});
      EXPECT_EQ(log->recovery_point(), Offset{0}) << "no segment was synced";
      EXPECT_EQ(log->counted_bytes(), log->size_bytes());
    }
  });
  host_.disk().lose_power();
  run(+[](io::Shard& shard) -> Task<void> {
    const JournalReplay done = must(co_await replay(shard));
    EXPECT_TRUE(done.found);
    EXPECT_EQ(done.partitions, 20U);
    EXPECT_FALSE(must(co_await replay(shard)).found) << "it is gone afterwards";
    for (int i = 0; i < 20; ++i) EXPECT_EQ(co_await end_of(shard, "t-" + std::to_string(i)), 3);
  });
  host_.disk().lose_power();
  run(+[](io::Shard& shard) -> Task<void> { EXPECT_EQ(co_await end_of(shard, "t-19"), 3); });
}

TEST_F(JournalTest, a_replay_puts_nothing_back_that_is_there) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto journal = co_await make_journal(shard, co_await directory(shard));
    OpenLog log = co_await open_in(shard, journal);
    co_await append(log, 10);
  });
  run(+[](io::Shard& shard) -> Task<void> {
    const JournalReplay done = must(co_await replay(shard));
    EXPECT_EQ(done.partitions, 1U);
    EXPECT_EQ(done.records, 0);
    const OpenLog log = co_await open(shard, {});
    EXPECT_EQ((co_await offsets_of(*log.log, Offset{0})).size(), 10U);
  });
}

TEST_F(JournalTest, a_batch_that_lies_across_the_log_start_is_put_back) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto root = co_await directory(shard);
    const auto dir = must(co_await LogDir::open(shard, "/data"));
    const auto journal = co_await make_journal(shard, root);
    OpenLog log = co_await open_in(shard, journal);
    for (const int records : {3, 10, 2}) {
      const Appended appended = must(log.append({.records = records}));
      must(co_await log->wait_counted(appended.last_offset));
    }
    must(co_await log->advance_log_start(Offset{8}));
    must(co_await dir->write_log_starts({{{"t", base::PartitionIndex{0}}, Offset{8}}}));
    EXPECT_EQ(log->recovery_point(), Offset{0}) << "no segment was synced";
  });
  host_.disk().lose_power(io::kLoseAll);
  run(+[](io::Shard& shard) -> Task<void> {
    must(co_await replay(shard));
    const OpenLog log = co_await open(shard, {.log_start = 8});
    EXPECT_EQ(log->log_start_offset(), Offset{8});
    EXPECT_EQ(log->assigned_end(), Offset{15});
    EXPECT_FALSE((co_await offsets_of(*log.log, Offset{8})).empty());
  });
}

TEST_F(JournalTest, what_was_cut_does_not_come_back) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto journal = co_await make_journal(shard, co_await directory(shard));
    OpenLog log = co_await open_in(shard, journal);
    OpenLog other = co_await open_in(shard, journal, "t-1");
    co_await append(log, 10);
    co_await append(other, 10);
    must(co_await log->truncate_to(Offset{5}));
    must(co_await other->truncate_fully_and_start_at(Offset{100}));
    co_await append(log, 2, 1);
    co_await append(other, 2, 1);
  });
  host_.disk().lose_power();
  run(+[](io::Shard& shard) -> Task<void> {
    must(co_await replay(shard));
    const OpenLog log = co_await open(shard, {});
    EXPECT_EQ(log->assigned_end(), Offset{7});
    EXPECT_EQ(log->epochs().epoch_at(Offset{4}), base::LeaderEpoch{0});
    EXPECT_EQ(log->epochs().epoch_at(Offset{5}), base::LeaderEpoch{1});
    const OpenLog other = co_await open(shard, {.name = "t-1"});
    EXPECT_EQ(other->log_start_offset(), Offset{100});
    EXPECT_EQ(other->assigned_end(), Offset{102});
  });
}

TEST_F(JournalTest, a_deleted_log_does_not_come_back_and_its_successor_is_left_alone) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto journal = co_await make_journal(shard, co_await directory(shard));
    OpenLog log = co_await open_in(shard, journal);
    OpenLog gone = co_await open_in(shard, journal, "t-1");
    co_await append(log, 10);
    co_await append(gone, 10);
    must(co_await log->mark_deleted(base::Uuid{1, 1}));
    must(co_await gone->mark_deleted(base::Uuid{1, 2}));
    OpenArgs args;
    args.shard = &shard;
    args.log_dir = co_await directory(shard);
    args.name = "t-0";
    args.topic_id = base::TopicId{8, 8};
    must(co_await PartitionLog::open(std::move(args)));
  });
  host_.disk().lose_power();
  run(+[](io::Shard& shard) -> Task<void> {
    EXPECT_EQ(must(co_await replay(shard)).partitions, 0U);
    const auto root = co_await directory(shard);
    EXPECT_FALSE((co_await root->list("t-1")).ok());
    OpenArgs args;
    args.shard = &shard;
    args.log_dir = root;
    args.name = "t-0";
    args.topic_id = base::TopicId{8, 8};
    EXPECT_EQ(must(co_await PartitionLog::open(std::move(args)))->assigned_end(), Offset{0});
  });
}

TEST_F(JournalTest, files_are_used_again_once_their_records_are_in_the_segments) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto root = co_await directory(shard);
    const auto journal = co_await make_journal(shard, root);
    OpenLog log = co_await open_in(shard, journal);
    OpenLog quiet = co_await open_in(shard, journal, "t-1");
    co_await append(quiet, 1);
    for (int i = 0; i < 40; ++i) co_await append(log, 10, 0, 8000);
    EXPECT_LE(journal->files(), 8U);
    EXPECT_GT(quiet->recovery_point(), Offset{0}) << "who holds the oldest file is asked to sync";
    EXPECT_EQ((co_await root->list(std::string{kJournalDirectory})).value().size(), journal->files());
  });
  host_.disk().lose_power();
  run(+[](io::Shard& shard) -> Task<void> {
    must(co_await replay(shard));
    EXPECT_EQ(co_await end_of(shard, "t-0"), 400);
    EXPECT_EQ(co_await end_of(shard, "t-1"), 1);
  });
}

TEST_F(JournalTest, an_idle_journal_is_emptied) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto journal = co_await make_journal(shard, co_await directory(shard));
    OpenLog log = co_await open_in(shard, journal);
    co_await append(log, 5);
    journal->tend();
    co_await io::sleep_until(shard, shard.clock().now() + std::chrono::seconds{1});
    EXPECT_EQ(log->recovery_point(), Offset{0}) << "it was in use";
    journal->tend();
    co_await io::sleep_until(shard, shard.clock().now() + std::chrono::seconds{1});
    EXPECT_EQ(log->recovery_point(), Offset{5});
  });
}

TEST_F(JournalTest, a_replay_that_takes_long_tells_how_far_it_is) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto journal = co_await make_journal(shard, co_await directory(shard));
    std::vector<OpenLog> logs;
    for (int i = 0; i < 5; ++i) {
      OpenLog log = co_await open_in(shard, journal, "t-" + std::to_string(i));
      co_await append(log, 1);
      logs.push_back(std::move(log));
    }
  });
  lines_.least = base::LogLevel::kInfo;
  host_.disk().set_faults({.slow = io::kAlways, .slow_longest = std::chrono::seconds{3}});
  run(+[](io::Shard& shard) -> Task<void> { must(co_await replay(shard)); });
  EXPECT_TRUE(lines_.mention("/data/stele-journal: looked at ")) << lines_.lines.size();
  EXPECT_TRUE(lines_.mention(" of 5 partitions"));
}

TEST_F(JournalTest, a_replay_leaves_the_gaps_that_compaction_made) {
  static constexpr LogOptions kCompacted{
      .segment_bytes = 100, .index_interval_bytes = 300, .retention_ms = -1, .compact = true, .synced = true};
  const auto batches = +[](io::Shard& shard) -> Task<size_t> {
    const OpenLog log = co_await open(shard, {.options = kCompacted});
    co_return (co_await offsets_of(*log.log, Offset{0})).size();
  };
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open(shard, {.options = kCompacted});
    for (const int64_t base : {0, 100, 200}) {
      const auto batch = make_batch({.base_offset = base, .leader_epoch = 0});
      must(co_await log->wait_counted(must(log.append(batch, 0, Origin::kReplica)).last_offset));
    }
    must(co_await log->close_clean());
  });
  run(+[](io::Shard& shard) -> Task<void> {
    const auto journal = co_await make_journal(shard, co_await directory(shard));
    OpenLog log = co_await open(shard, {.options = kCompacted, .journal = journal});
    co_await append(log, 1);
  });
  run(
      +[](io::Shard& shard, Task<size_t> (*count)(io::Shard&)) -> Task<void> {
        must(co_await replay(shard));
        EXPECT_EQ(co_await count(shard), 4U);
      },
      batches);
}

TEST_F(JournalTest, a_replay_leaves_no_gap_where_records_that_were_not_synced_are_lost) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto journal = co_await make_journal(shard, co_await directory(shard));
    LogOptions options = synced(200);  // two batches in a segment
    options.synced = false;
    OpenLog log = co_await open(shard, {.options = options, .journal = journal});
    for (int i = 0; i < 4; ++i) must(log.append({.records = 1}));
    must(co_await log->wait_written(Offset{3}));
    options.synced = true;
    log->set_options(options);
    must(co_await log->wait_counted(must(log.append({.records = 1})).last_offset));
    EXPECT_EQ(log->segment_count(), 3U);
  });
  run(+[](io::Shard& shard) -> Task<void> {
    const auto root = co_await directory(shard);
    const auto file = must(co_await root->open("t-0/00000000000000000000.log", io::OpenMode::kReadWrite));
    must(co_await file->truncate(must(file->size()) / 2));
    EXPECT_EQ(must(co_await replay(shard)).partitions, 1U);
    const auto dir = must(co_await LogDir::open(shard, "/data"));
    const Offset point = dir->recovery_point({"t", base::PartitionIndex{0}});
    const OpenLog log = co_await open(shard, {.options = synced(200), .recovery_point = point.value()});
    EXPECT_EQ(log->assigned_end(), Offset{1}) << "what lies behind the loss would be served as if nothing were missing";
  });
}

// A log of which only the journal's side is there.
struct AskedUser final : JournalUser {
  explicit AskedUser(base::Executor& executor) : told(executor) {}
  void on_journaled(Offset, Offset, JournalTag) override { told.set(); }
  void on_not_journaled() override {}
  void free_journal() override { ++asked; }
  void on_journal_failed(const base::Error&) override {}
  base::Signal told;
  int asked = 0;
};

TEST_F(JournalTest, a_log_that_wrote_more_since_it_was_asked_to_sync_is_asked_again) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto journal = co_await make_journal(shard, co_await directory(shard));
    AskedUser user(shard.executor());
    const auto share = journal->join(user, kTestTopic, "t-0");
    const base::ByteVector batch = make_batch({});
    const base::Bytes bytes{batch};
    EXPECT_TRUE(share->append(JournalKind::kRecords, Offset{0}, Offset{1}, {&bytes, 1}, {}));
    co_await user.told.wait();
    journal->tend();
    journal->tend();
    EXPECT_EQ(user.asked, 1);
    EXPECT_TRUE(share->append(JournalKind::kRecords, Offset{1}, Offset{2}, {&bytes, 1}, {}));
    co_await user.told.wait();
    share->synced(Offset{1});  // what it had when it was asked; the file is held by what came since
    journal->tend();
    journal->tend();
    EXPECT_EQ(user.asked, 2) << "nobody else would free the file";
    co_await journal->close();
  });
}

// A log that found no space is let go, and opened again or deleted, while a slow reader still holds it.
TEST_F(JournalTest, a_log_that_failed_and_is_still_held_keeps_no_file_of_the_journal) {
  static bool deleted;
  for (const bool gone : {false, true}) {
    deleted = gone;
    bool ended = false;
    host_.start(1, [&](io::Shard& shard) -> Task<void> {
      return wrap(
          [](io::Shard& at, io::SimHost& host) -> Task<void> {
            const auto dir = co_await directory(at);
            const auto journal = co_await make_journal(at, dir);
            const std::string mine = deleted ? "t-3" : "t-0";
            OpenLog other = co_await open_in(at, journal, "t-1");
            OpenLog old = co_await open_in(at, journal, mine);
            co_await append(other, 1);
            co_await append(old, 1);
            host.disk().set_faults("/data", {.capacity_bytes = 1});
            must(old.append({.records = 1}));
            EXPECT_FALSE((co_await old->wait_counted(Offset{1})).ok());
            EXPECT_TRUE(is_no_space(*old->failure()));
            co_await old->settled();
            host.disk().set_faults("/data", {});
            if (deleted) journal->drop(kTestTopic, mine);
            OpenLog again = co_await open_in(at, journal, deleted ? "t-2" : mine);
            co_await append(again, 1);
            if (!deleted) old.log.reset();
            for (int i = 0; i < 2000; ++i) {
              co_await append(other, 1, 0, 1000);
              co_await append(again, 1, 0, 1000);
              if (i % 100 == 0) journal->tend();
            }
          }(shard, host_),
          ended);
    });
    EXPECT_TRUE(world_.run_until([&] { return ended; }, std::chrono::hours{1})) << "nobody frees the oldest file";
    host_.crash();
  }
}

TEST_F(JournalTest, a_journal_that_finds_no_space_for_what_it_has_is_no_full_disk_to_its_logs) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto journal = co_await make_journal(shard, co_await directory(shard));
    OpenLog log = co_await open_in(shard, journal);
    co_await append(log, 1);
    journal->fail({base::ErrorCode::kKafkaStorageError, "no room for a write", ENOSPC});
    EXPECT_TRUE(log->failure() && !is_no_space(*log->failure())) << "it would be opened again, into the same journal";
  });
}

TEST_F(JournalTest, a_log_in_which_much_waits_syncs_its_segment) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto journal = co_await make_journal(shard, co_await directory(shard), 64 << 20);
    OpenLog log = co_await open_in(shard, journal);
    for (int i = 0; i < 3; ++i) must(log.append({.records = 1, .value_bytes = 15'000}));
    must(co_await log->wait_counted(Offset{2}));
    EXPECT_EQ(log->recovery_point(), Offset{0}) << "below 48 KiB";
    for (int i = 0; i < 4; ++i) must(log.append({.records = 1, .value_bytes = 15'000}));
    must(co_await log->wait_counted(Offset{6}));
    EXPECT_EQ(log->recovery_point(), Offset{7});
    EXPECT_EQ(journal->groups_synced(), 1U);
  });
}

TEST_F(JournalTest, a_large_batch_goes_past_the_journal_and_what_follows_waits_for_it) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto journal = co_await make_journal(shard, co_await directory(shard));
    OpenLog log = co_await open_in(shard, journal);
    co_await append(log, 1);
    must(log.append({.records = 1, .value_bytes = 40'000}));
    must(co_await log->wait_written(Offset{1}));
    must(log.append({.records = 1}));
    must(co_await log->wait_counted(Offset{2}));
    EXPECT_GE(log->recovery_point(), Offset{2}) << "the segment was synced";
    co_await append(log, 3);
    EXPECT_LT(log->recovery_point(), Offset{6}) << "the journal serves again";
  });
  host_.disk().lose_power();
  run(+[](io::Shard& shard) -> Task<void> {
    must(co_await replay(shard));
    EXPECT_EQ(co_await end_of(shard, "t-0"), 6);
  });
  EXPECT_FALSE(lines_.mention("are gone"));
}

TEST_F(JournalTest, what_did_not_count_is_missed_by_nobody) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto journal = co_await make_journal(shard, co_await directory(shard));
    OpenLog log = co_await open_in(shard, journal);
    OpenLog other = co_await open_in(shard, journal, "t-1");
    co_await append(log, 1);
    must(log.append({.records = 1, .value_bytes = 40'000}));
    must(co_await log->wait_written(Offset{1}));
    must(log.append({.records = 1}));
    co_await append(other, 1);  // the journal has the third, the disk may lack the second
  });
  host_.disk().lose_power();
  run(+[](io::Shard& shard) -> Task<void> {
    must(co_await replay(shard));
    EXPECT_GE(co_await end_of(shard, "t-0"), 1);
  });
  EXPECT_FALSE(lines_.mention("are gone"));
}

TEST_F(JournalTest, turning_synced_on_and_off_leaves_no_gap) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto journal = co_await make_journal(shard, co_await directory(shard));
    OpenLog log = co_await open_in(shard, journal);
    co_await append(log, 3);
    log->set_options({});
    co_await append(log, 3);
    log->set_options(synced());
    co_await append(log, 3);
    EXPECT_EQ(log->synced_end(), Offset{9});
  });
  host_.disk().lose_power();
  run(+[](io::Shard& shard) -> Task<void> {
    must(co_await replay(shard));
    EXPECT_EQ(co_await end_of(shard, "t-0"), 9);
  });
}

TEST_F(JournalTest, an_unknown_version_and_a_damaged_header_are_refused_and_left_as_they_are) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto journal = co_await make_journal(shard, co_await directory(shard));
    OpenLog log = co_await open_in(shard, journal);
    co_await append(log, 3);
  });
  const auto spoil = +[](io::Shard& shard, int at, int value, int code) -> Task<void> {
    const auto root = co_await directory(shard);
    const auto file = must(co_await root->open("stele-journal/0-1.journal", io::OpenMode::kReadWrite));
    std::byte byte{static_cast<unsigned char>(value)};
    const iovec part{&byte, 1};
    must(co_await file->write(static_cast<uint64_t>(at), {&part, 1}));
    const auto done = co_await replay(shard);
    EXPECT_EQ(static_cast<int>(done.code()), code) << at;
    if (!done.ok()) {
      EXPECT_NE(done.error().message.find("stele-journal/0-1.journal"), std::string::npos) << done.error().message;
    }
  };
  run(spoil, 9, 2, static_cast<int>(ErrorCode::kInvalidConfig));
  run(spoil, 9, 1, 0);
}

TEST_F(JournalTest, a_file_whose_header_was_not_written_whole_is_no_journal) {
  for (int round = 0; round < 60; ++round) {
    run(+[](io::Shard& shard) -> Task<void> {
      OpenLog log = co_await open_in(shard, co_await make_journal(shard, co_await directory(shard)));
      must(co_await log->flush());
    });
    host_.disk().set_faults("/data", {.short_write = io::kAlways / 3});
    run(+[](io::Shard& shard) -> Task<void> {
      const auto journal = co_await make_journal(shard, co_await directory(shard));
      auto log = co_await try_open(shard, {.options = synced(), .journal = journal});
      if (!log.ok()) co_return;
      if (log->append({.records = 1}).ok())
        static_cast<void>(co_await (*log)->wait_counted((*log)->assigned_end() + -1));
    });
    host_.disk().set_faults("/data", {});
    run(+[](io::Shard& shard) -> Task<void> {
      EXPECT_EQ((co_await replay(shard)).code(), ErrorCode::kNone);
      must(co_await (co_await directory(shard))->remove_tree("t-0"));
    });
  }
}

TEST_F(JournalTest, a_torn_group_ends_the_replay_and_damage_before_it_is_told) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto journal = co_await make_journal(shard, co_await directory(shard));
    OpenLog log = co_await open_in(shard, journal);
    co_await append(log, 3);
    const auto root = co_await directory(shard);
    const auto file = must(co_await root->open("stele-journal/0-1.journal", io::OpenMode::kReadWrite));
    base::ByteVector junk(20, std::byte{7});
    const iovec part{junk.data(), junk.size()};
    must(co_await file->write(3 * kJournalBlock + 100, {&part, 1}));  // in the third group, the last
    must(co_await file->sync());
  });
  host_.disk().lose_power(io::kLoseAll);
  run(+[](io::Shard& shard) -> Task<void> {
    must(co_await replay(shard));
    EXPECT_EQ(co_await end_of(shard, "t-0"), 2);
  });
  EXPECT_FALSE(lines_.mention("damaged before"));
  run(+[](io::Shard& shard) -> Task<void> {
    const auto journal = co_await make_journal(shard, co_await directory(shard));
    OpenLog log = co_await open_in(shard, journal, "t-1");
    co_await append(log, 3);
    const auto root = co_await directory(shard);
    const auto file = must(co_await root->open("stele-journal/0-1.journal", io::OpenMode::kReadWrite));
    base::ByteVector junk(20, std::byte{7});
    const iovec part{junk.data(), junk.size()};
    must(co_await file->write(2 * kJournalBlock + 100, {&part, 1}));  // in the second
    must(co_await file->sync());
  });
  host_.disk().lose_power(io::kLoseAll);
  run(+[](io::Shard& shard) -> Task<void> {
    must(co_await replay(shard));
    EXPECT_EQ(co_await end_of(shard, "t-1"), 1);
  });
  EXPECT_TRUE(lines_.mention("damaged before group"));
  EXPECT_TRUE(lines_.mention("records from offset 1 to 1 were synced and are gone"));
}

// --- random histories of several logs in one journal, each checked against what counted

struct History {
  struct Log {
    std::vector<int64_t> values;  // of what counted, by offset from `start`
    int64_t recovery_point = 0;
    int32_t epoch = 0;
  };
  explicit History(uint64_t seed) : random(seed) {}
  base::SeededRandom random;
  std::vector<Log> logs{5};
  int64_t next_value = 1;
};

class JournalHistory : public JournalTest, public ::testing::WithParamInterface<uint64_t> {
 protected:
  JournalHistory() : JournalTest(GetParam()), history_(GetParam()) {}

  static std::string name_of(size_t i) { return "t-" + std::to_string(i); }

  static Task<void> act(OpenLog& log, History::Log& model, History& history) {
    base::Random& random = history.random;
    const uint64_t kind = random.below(40);
    if (kind == 0 && !model.values.empty()) {
      const auto keep = random.below(model.values.size());
      must(co_await log->truncate_to(Offset{static_cast<int64_t>(keep)}));
      model.values.resize(keep);
      model.recovery_point = std::min(model.recovery_point, log->recovery_point().value());
      ++model.epoch;
    } else if (kind == 1) {
      must(co_await log->flush());
    } else if (kind == 2) {
      model.recovery_point = log->recovery_point().value();
    } else if (kind == 3) {
      log->roll(base::Timestamp{1});
    } else {
      // The record's time tells which one it is.
      const int64_t value = history.next_value++;
      const size_t bytes = random.below(30) == 0 ? 30'000 : random.below(3000);
      const Appended appended = must(log.append({.timestamp = value, .value_bytes = bytes}, model.epoch));
      EXPECT_EQ(appended.base_offset.value(), static_cast<int64_t>(model.values.size()));
      model.values.push_back(value);
      if (random.below(3) == 0) co_return;  // it counts with a later one
    }
    if (!model.values.empty()) {
      must(co_await log->wait_counted(Offset{static_cast<int64_t>(model.values.size()) - 1}));
    }
  }

  static Task<void> follow(OpenLog& log, History::Log& model, History& history) {
    const uint64_t steps = history.random.below(60);
    for (uint64_t i = 0; i < steps && !HasFailure(); ++i) co_await act(log, model, history);
    if (!model.values.empty()) {
      must(co_await log->wait_counted(Offset{static_cast<int64_t>(model.values.size()) - 1}));
    }
  }

  static Task<void> check(PartitionLog& log, const History::Log& model) {
    EXPECT_EQ(log.assigned_end().value(), static_cast<int64_t>(model.values.size())) << log.name();
    std::vector<int64_t> found;
    Offset from = log.log_start_offset();
    while (from < log.written_end()) {
      const ReadResult result = must(co_await log.read(from, 1 << 20, log.written_end(), true));
      record::BatchReader reader(result.batches);
      while (const auto batch = must(reader.next())) found.push_back(batch->max_timestamp().value());
      from = result.next_offset;
    }
    EXPECT_EQ(found, model.values) << log.name();
  }

  static Task<void> live(io::Shard& shard, History& history) {
    must(co_await replay(shard));
    const auto root = co_await directory(shard);
    const auto journal = co_await make_journal(shard, root);
    // An owner writes it before it appends again to a log that was cut.
    base::ByteVector none;
    base::append(none, base::as_bytes(format_offset_checkpoint({})));
    must(co_await io::write_atomically(*root, std::string{kRecoveryPointName}, std::move(none)));
    std::vector<OpenLog> logs;
    for (size_t i = 0; i < history.logs.size(); ++i) {
      OpenLog log = co_await open_in(shard, journal, name_of(i), history.logs[i].recovery_point);
      co_await check(*log.log, history.logs[i]);
      logs.push_back(std::move(log));
    }
    base::TaskScope scope{shard.executor(), [](std::exception_ptr fault) { std::rethrow_exception(fault); }};
    for (size_t i = 0; i < logs.size(); ++i) scope.spawn(follow(logs[i], history.logs[i], history));
    co_await scope.join();
    if (history.random.below(4) > 0) co_return;
    for (OpenLog& log : logs) must(co_await log->close_clean());
    co_await journal->close();
    must(co_await remove_journals(*root));
  }

  History history_;
};

TEST_P(JournalHistory, nothing_that_counted_is_lost_and_nothing_that_was_cut_comes_back) {
  for (int life = 0; life < 12 && !HasFailure(); ++life) {
    run(&JournalHistory::live, history_);
    if (history_.random.below(3) > 0) host_.disk().lose_power();
  }
  EXPECT_FALSE(lines_.mention("are gone"));
  EXPECT_FALSE(lines_.mention("damaged before"));
  if (HasFailure()) {
    for (const std::string& line : lines_.lines) std::fprintf(stderr, "%s\n", line.c_str());
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, JournalHistory, ::testing::Range<uint64_t>(1, 61));

}  // namespace
}  // namespace stele::log
