// Rules of the log that Kafka's clients and operators can see: producers, recovery of damage, retention, failure.
#include "log/dump.h"
#include "log/log_dir.h"
#include "log/log_fixture.h"

namespace stele::log {
namespace {

using base::ErrorCode;
using base::Offset;
using base::Task;
using Ranges = std::vector<std::pair<int64_t, int64_t>>;

class RulesTest : public LogTest {
 protected:
  static BatchSpec of_producer(int64_t id, int16_t epoch, int32_t sequence, int records = 1) {
    return {.records = records, .producer_id = id, .producer_epoch = epoch, .sequence = sequence};
  }
  // Ten batches of three records, in several segments, of one producer; not closed.
  static Task<OpenLog> filled(io::Shard& shard) {
    OpenLog log = co_await open(shard, {.options = small()});
    log->begin_epoch(base::LeaderEpoch{4});
    for (int i = 0; i < 10; ++i) must(log.append(of_producer(9, 0, 3 * i, 3), 4));
    must(co_await log->wait_written(Offset{29}));
    co_return log;
  }
  static LogOptions small() {
    return {.segment_bytes = 500, .index_interval_bytes = 100, .retention_ms = -1, .file_delete_delay_ms = 50};
  }
  static Task<std::vector<std::string>> names(io::Shard& shard, std::string_view suffix) {
    std::vector<std::string> found;
    for (const io::Entry& entry : must(co_await (co_await directory(shard))->list("t-0"))) {
      if (entry.name.ends_with(suffix)) found.push_back(entry.name);
    }
    co_return found;
  }
  static Task<void> damage(io::Shard& shard, std::string file, uint64_t at, std::string bytes) {
    const auto dir = co_await directory(shard);
    const auto opened = must(co_await dir->open("t-0/" + file, io::OpenMode::kReadWrite));
    const iovec part{bytes.data(), bytes.size()};
    must(co_await opened->write(at, {&part, 1}));
  }
};

TEST_F(RulesTest, producers_are_held_to_their_sequences) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open(shard, {});
    EXPECT_EQ(log.append(of_producer(1, 0, 7)).code(), ErrorCode::kNone) << "an unknown producer begins anywhere";
    for (int i = 8; i < 14; ++i) must(log.append(of_producer(1, 0, i)));
    const Appended again = must(log.append(of_producer(1, 0, 9)));
    EXPECT_TRUE(again.duplicate);
    EXPECT_EQ(again.base_offset, Offset{2});
    EXPECT_EQ(log.append(of_producer(1, 0, 8)).code(), ErrorCode::kOutOfOrderSequenceNumber) << "older than five";
    EXPECT_EQ(log.append(of_producer(1, 0, 15)).code(), ErrorCode::kOutOfOrderSequenceNumber);
    EXPECT_EQ(log.append(of_producer(1, 1, 3)).code(), ErrorCode::kOutOfOrderSequenceNumber);
    EXPECT_EQ(log.append(of_producer(1, 1, 0)).code(), ErrorCode::kNone);
    EXPECT_EQ(log.append(of_producer(1, 0, 14)).code(), ErrorCode::kInvalidProducerEpoch);
    EXPECT_EQ(log->assigned_end(), Offset{8});
    EXPECT_EQ(log.append(of_producer(2, 0, INT32_MAX - 1, 2)).code(), ErrorCode::kNone);
    EXPECT_EQ(must(log.append(of_producer(2, 0, 0))).base_offset, Offset{10}) << "sequences wrap to 0";
    must(co_await log->wait_written(Offset{10}));
  });
}

TEST_F(RulesTest, a_retry_after_any_restart_is_still_a_duplicate) {
  for (const bool clean : {false, true}) {
    run(
        +[](io::Shard& shard, const bool& close) -> Task<void> {
          OpenLog log = co_await filled(shard);
          if (close) must(co_await log->close_clean());
        },
        clean);
    run(
        +[](io::Shard& shard, const bool& closed) -> Task<void> {
          OpenLog log = co_await open(shard, {.options = small(), .recovery_point = closed ? 30 : 0, .clean = closed});
          const Appended again = must(log.append(of_producer(9, 0, 27, 3)));
          EXPECT_TRUE(again.duplicate);
          EXPECT_EQ(again.base_offset, Offset{27});
          must(co_await (co_await directory(shard))->remove_tree("t-0"));
        },
        clean);
  }
}

TEST_F(RulesTest, a_transaction_is_unstable_until_its_marker_is_replicated) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open(shard, {});
    must(log.append({.records = 2}));
    BatchSpec spec = of_producer(5, 0, 0, 2);
    spec.transactional = true;
    must(log.append(spec));
    EXPECT_EQ(log->first_unstable_offset(), Offset{2});
    EXPECT_EQ(log.append(of_producer(5, 0, 2)).code(), ErrorCode::kInvalidTxnState);
    must(log.append(make_marker(5, 0, false), 0, Origin::kCoordinator));
    EXPECT_EQ(log->first_unstable_offset(), Offset{2}) << "the marker is above the high watermark";
    log->high_watermark_moved(Offset{5});
    EXPECT_EQ(log->first_unstable_offset(), std::nullopt);
    must(co_await log->wait_written(Offset{4}));
    const auto aborted = must(co_await log->aborted_transactions(Offset{0}, Offset{5}));
    EXPECT_EQ(aborted, (std::vector<AbortedTransaction>{{base::ProducerId{5}, Offset{2}, Offset{4}, Offset{5}}}));
    EXPECT_EQ(log.append(make_marker(5, 0, true, -1), 0, Origin::kCoordinator).code(),
              ErrorCode::kTransactionCoordinatorFenced);
  });
}

TEST_F(RulesTest, a_bad_batch_ends_the_log_and_sets_later_segments_aside) {
  run(+[](io::Shard& shard) -> Task<void> {
    co_await filled(shard);
    const auto logs = co_await names(shard, kLogSuffix);
    EXPECT_GE(logs.size(), 3u);
    co_await damage(shard, logs[1], 70, "x");
  });
  run(+[](io::Shard& shard) -> Task<void> {
    const auto logs = co_await names(shard, kLogSuffix);
    OpenLog log = co_await open(shard, {.options = small()});
    EXPECT_EQ(log->segment_count(), 2u);
    EXPECT_EQ(log->assigned_end(), *parse_offset_file_name(logs[1], kLogSuffix));
    EXPECT_FALSE((co_await names(shard, ".deleted")).empty());
    must(co_await log->sweep(base::Timestamp{INT64_MAX}));
    EXPECT_TRUE((co_await names(shard, ".deleted")).empty());
    EXPECT_EQ(must(log.append(of_producer(9, 0, static_cast<int32_t>(log->assigned_end().value())))).base_offset,
              *parse_offset_file_name(logs[1], kLogSuffix))
        << "the producer goes on where the log ends";
    must(co_await log->wait_written(log->assigned_end() + -1));
  });
  EXPECT_TRUE(lines_.mention("checksum")) << "it says why";
}

TEST_F(RulesTest, zeros_behind_the_last_batch_are_cut_even_after_a_clean_stop) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await filled(shard);
    must(co_await log->close_clean());
    const auto logs = co_await names(shard, kLogSuffix);
    const auto dir = co_await directory(shard);
    const auto file = must(co_await dir->open("t-0/" + logs.back(), io::OpenMode::kReadWrite));
    must(co_await file->truncate(must(file->size()) + 1000));
  });
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open(shard, {.options = small(), .recovery_point = 30, .clean = true});
    EXPECT_EQ(log->assigned_end(), Offset{30});
    EXPECT_EQ((co_await offsets_of(*log.log, Offset{0})).size(), 10u);
  });
  EXPECT_TRUE(lines_.mention("zeros"));
}

TEST_F(RulesTest, lost_indexes_and_epochs_are_made_anew_after_a_clean_stop) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await filled(shard);
    must(co_await log->close_clean());
    const auto dir = co_await directory(shard);
    for (const std::string_view suffix : {kIndexSuffix, kTimeIndexSuffix, kSnapshotSuffix}) {
      for (const std::string& name : co_await names(shard, suffix)) must(co_await dir->remove("t-0/" + name));
    }
    must(co_await dir->remove("t-0/leader-epoch-checkpoint"));
  });
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open(shard, {.options = small(), .recovery_point = 30, .clean = true});
    EXPECT_EQ(log->assigned_end(), Offset{30});
    EXPECT_EQ(log->epochs().entries(), (std::vector<EpochStart>{{base::LeaderEpoch{4}, Offset{0}}}));
    EXPECT_TRUE(must(log.append(of_producer(9, 0, 27, 3))).duplicate);
    EXPECT_EQ((co_await offsets_of(*log.log, Offset{4})).size(), 9u);
    EXPECT_EQ(must(co_await log->offset_for_timestamp(base::Timestamp{0}, Offset{30}))->offset, Offset{0});
  });
}

TEST_F(RulesTest, producers_beyond_the_limit_are_forgotten_the_one_idle_for_longest_first) {
  run(+[](io::Shard& shard) -> Task<void> {
    LogOptions options = small();
    options.producers_max = 3;
    OpenLog log = co_await open(shard, {.options = options});
    for (int64_t id = 1; id <= 3; ++id) {
      BatchSpec batch = of_producer(id, 0, 0);
      batch.timestamp = 1'700'000'000'000 + id;
      must(log.append(batch));
    }
    EXPECT_EQ(shard.complaints().limits().of(base::Limit::kProducerIds), 0U);
    BatchSpec fourth = of_producer(4, 0, 0);
    fourth.timestamp = 1'700'000'000'004;
    must(log.append(fourth));
    EXPECT_EQ(log->producers().size(), 3U);
    EXPECT_EQ(log->producers().find(base::ProducerId{1}), nullptr);
    EXPECT_NE(log->producers().find(base::ProducerId{2}), nullptr);
    EXPECT_EQ(shard.complaints().limits().of(base::Limit::kProducerIds), 1U);
  });
  EXPECT_TRUE(lines_.mention("(stele.producer.ids.max)"));
}

TEST_F(RulesTest, a_directory_of_another_topic_is_refused) {
  run(+[](io::Shard& shard) -> Task<void> {
    co_await open(shard, {});
    OpenArgs args;
    args.shard = &shard;
    args.log_dir = co_await directory(shard);
    args.name = "t-0";
    args.topic_id = base::TopicId{1, 1};
    EXPECT_EQ((co_await PartitionLog::open(args)).code(), ErrorCode::kInconsistentTopicId);
  });
}

TEST_F(RulesTest, what_lies_below_the_recovery_point_has_its_indexes_on_the_disk) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open(shard, {});
    must(log.append({.records = 1}));
    must(co_await log->flush());
    log->roll(base::Timestamp{1});
    must(log.append({.records = 1}));
    must(co_await log->flush());
    EXPECT_EQ(log->recovery_point(), Offset{2});
  });
  host_.disk().lose_power(io::kLoseAll);
  const auto index = host_.disk().contents("/data/t-0/" + offset_file_name(Offset{0}, kTimeIndexSuffix));
  ASSERT_TRUE(index);
  EXPECT_EQ(index->size(), TimeIndex::kEntrySize);
}

TEST_F(RulesTest, what_a_clean_close_leaves_outlives_a_power_loss) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open(shard, {});
    for (int i = 0; i < 3; ++i) {
      must(log.append({.records = 1}));
      log->roll(base::Timestamp{1});
    }
    must(co_await log->close_clean());
  });
  const std::vector<std::string> files = host_.disk().files("/data/t-0");
  std::vector<std::optional<base::ByteVector>> before;
  for (const std::string& file : files) before.push_back(host_.disk().contents(file));
  host_.disk().lose_power(io::kLoseAll);
  for (size_t i = 0; i < files.size(); ++i) EXPECT_EQ(host_.disk().contents(files[i]), before[i]) << files[i];
}

TEST_F(RulesTest, indexes_are_read_beside_a_roll_that_writes_them) {
  host_.disk().set_faults({.slow = io::kAlways, .slow_longest = std::chrono::milliseconds{5}});
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open(shard, {.options = {.index_interval_bytes = 100}});
    for (int i = 0; i < 40; ++i) {
      const Offset middle = log->assigned_end() + 9;
      for (int n = 0; n < 6; ++n) must(log.append({.records = 3}));
      must(co_await log->wait_written(log->assigned_end() + -1));
      must(co_await log->close_idle(base::MonoTime::max(), {}));
      for (int n = 0; n < 3; ++n) must(log.append({.records = 3}));
      log->roll(base::Timestamp{1});
      must(co_await log->read(middle, 1, log->written_end(), true));
      must(co_await log->flush());
    }
  });
  EXPECT_FALSE(lines_.mention("index made anew")) << "what was being written was taken for damage";
}

TEST_F(RulesTest, retention_deletes_below_the_high_watermark_only) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await filled(shard);
    LogOptions options = small();
    options.retention_ms = 1000;
    log->set_options(options);
    const base::Timestamp late{1'700'000'000'000 + 3'600'000};
    EXPECT_EQ(must(co_await log->apply_retention(late, Offset{0})), 0u);
    const size_t before = log->segment_count();
    EXPECT_EQ(must(co_await log->apply_retention(late, Offset{30})), before) << "the active one is rolled first";
    EXPECT_EQ(log->segment_count(), 1u);
    EXPECT_EQ(log->log_start_offset(), Offset{30});
    EXPECT_EQ(log->epochs().entries(), (std::vector<EpochStart>{{base::LeaderEpoch{4}, Offset{30}}}));
    EXPECT_EQ(log->log_start_to_checkpoint(), std::nullopt);
    EXPECT_EQ((co_await log->read(Offset{3}, 100, Offset{30}, true)).code(), ErrorCode::kOffsetOutOfRange);
    EXPECT_EQ(must(log.append({.records = 1})).base_offset, Offset{30});
    must(co_await log->wait_written(Offset{30}));
  });
}

TEST_F(RulesTest, a_time_index_alone_is_no_reason_to_delete) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await filled(shard);
    must(co_await log->close_clean());
  });
  run(+[](io::Shard& shard) -> Task<void> {
    const std::string first = (co_await names(shard, kTimeIndexSuffix)).front();
    co_await damage(shard, first, 2, std::string(1, '\0'));  // some years earlier
    LogOptions options = small();
    options.retention_ms = 1000;
    const OpenLog log = co_await open(shard, {.options = options, .recovery_point = 30, .clean = true});
    EXPECT_EQ(must(co_await log->apply_retention(base::Timestamp{1'700'000'000'900}, Offset{30})), 0u);
    EXPECT_GT(must(co_await log->apply_retention(base::Timestamp{1'700'000'001'900}, Offset{30})), 0u);
  });
  EXPECT_TRUE(lines_.mention("no batch has the largest timestamp"));
}

TEST_F(RulesTest, a_log_directory_is_verified_offline) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await filled(shard);
    must(co_await log->close_clean());
    const auto dir = co_await directory(shard);
    std::vector<std::string> lines;
    const DumpSink sink = [&](const DumpLine& line) { lines.push_back(line.to_text()); };
    DumpReport report = must(co_await dump_partition(*dir, "t-0", {.verify = true}, sink));
    EXPECT_EQ(report.problems, 0u);
    EXPECT_EQ(report.batches, 10u);
    EXPECT_EQ(report.records, 30u);
    EXPECT_TRUE(lines.empty());
    const auto logs = co_await names(shard, kLogSuffix);
    must(co_await dump_file(*dir, "t-0/" + logs[0], {.records = true}, sink));
    EXPECT_EQ(lines[1].substr(0, 65), "baseOffset: 0 lastOffset: 2 count: 3 baseSequence: 0 lastSequence");
    EXPECT_EQ(lines[2].substr(0, 37), "| offset: 0 CreateTime: 1700000000000");
    co_await damage(shard, (co_await names(shard, kIndexSuffix))[0], 7, "\x01");
    co_await damage(shard, logs[1], 100, "zz");
    report = must(co_await dump_partition(*dir, "t-0", {.verify = true}, sink));
    EXPECT_EQ(report.problems, 2u);
  });
}

TEST_F(RulesTest, a_clean_stop_is_marked_last_and_taken_back_first) {
  run(+[](io::Shard& shard) -> Task<void> {
    co_await directory(shard);
    auto dir = must(co_await LogDir::open(shard, "/data"));
    EXPECT_TRUE(dir->is_blank());
    EXPECT_FALSE((co_await LogDir::open(shard, "/data")).ok()) << "locked";
    must(co_await dir->write_meta({"cluster", base::BrokerId{3}, base::DirectoryId{5, 6}}, base::Timestamp{0}));
    must(co_await dir->write_log_starts({{{"t", base::PartitionIndex{0}}, Offset{7}}}));
    must(co_await dir->mark_clean(base::BrokerEpoch{639}));
  });
  host_.disk().lose_power(io::kLoseAll);
  run(+[](io::Shard& shard) -> Task<void> {
    auto dir = must(co_await LogDir::open(shard, "/data"));
    EXPECT_EQ(dir->clean_shutdown(), base::BrokerEpoch{639});
    EXPECT_EQ(dir->meta(), (MetaProperties{"cluster", base::BrokerId{3}, base::DirectoryId{5, 6}}));
    EXPECT_EQ(dir->log_start({"t", base::PartitionIndex{0}}), Offset{7});
    must(co_await dir->begin());
  });
  host_.disk().lose_power(io::kLoseAll);
  run(+[](io::Shard& shard) -> Task<void> {
    EXPECT_EQ(must(co_await LogDir::open(shard, "/data"))->clean_shutdown(), std::nullopt);
  });
}

TEST_F(RulesTest, a_format_cut_short_is_done_again) {
  run(+[](io::Shard& shard) -> Task<void> {
    co_await directory(shard);
    auto dir = must(co_await shard.open_directory("/data", false));
    for (const char* name : {"bootstrap.checkpoint", "meta.properties.tmp"}) {
      must(co_await dir->open(name, io::OpenMode::kCreate));
    }
    EXPECT_TRUE(must(co_await LogDir::open(shard, "/data"))->is_blank());
    must(co_await dir->open("meta.properties.bak", io::OpenMode::kCreate));
    EXPECT_FALSE(must(co_await LogDir::open(shard, "/data"))->is_blank());
  });
}

TEST(FileNamesTest, directories_of_partitions_are_told_from_others) {
  EXPECT_EQ(parse_partition_directory("a-b-12")->partition, (TopicPartition{"a-b", base::PartitionIndex{12}}));
  EXPECT_EQ(parse_partition_directory("t-0.0123456789abcdef0123456789abcdef-delete")->kind, DirectoryKind::kDeleted);
  EXPECT_EQ(parse_partition_directory("t-0.0123456789abcdef0123456789abcdef-stray")->kind, DirectoryKind::kStray);
  for (const char* name : {"lost+found", "t", "-1", "t-", "t-x", "remote-log-index-cache", "t-99999999999"}) {
    EXPECT_EQ(parse_partition_directory(name), std::nullopt) << name;
  }
  const std::string deleted =
      partition_directory_name({std::string(249, 'x'), base::PartitionIndex{1}}, DirectoryKind::kDeleted, {1, 2});
  EXPECT_EQ(deleted.size(), 255u);
}

TEST(MetaPropertiesTest, version_0_is_refused_with_what_to_do) {
  EXPECT_NE(parse_meta_properties("version=0\nbroker.id=1\n").error().message.find("KRaft"), std::string::npos);
  EXPECT_EQ(parse_meta_properties("version=1\nnode.id=1\n").code(), ErrorCode::kInvalidConfig);
  const auto parsed = must(parse_meta_properties("#\n#date\nnode.id = 1\nversion:1\ncluster.id=a\\=b\n"));
  EXPECT_EQ(parsed.cluster_id, "a=b");
  EXPECT_EQ(must(parse_meta_properties(format_meta_properties(parsed, properties_date(base::Timestamp{0})))), parsed);
  MetaProperties odd = parsed;
  odd.cluster_id = "\t a\r\n\f=\\:#";
  EXPECT_EQ(must(parse_meta_properties(format_meta_properties(odd, "a day"))), odd);
  EXPECT_EQ(properties_date(base::Timestamp{1'700'000'000'000}), "Tue Nov 14 22:13:20 UTC 2023");
}

}  // namespace
}  // namespace stele::log
