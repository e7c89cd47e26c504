// Log directories that Apache Kafka 4.3.1 wrote (tests/peers/log_oracle/make_golden.sh), read and written again.
#include <filesystem>
#include <fstream>
#include <map>

#include "log/log_dir.h"
#include "log/log_fixture.h"
#include "record/decompressor.h"
#include "record/reader.h"

namespace stele::log {
namespace {

using base::Offset;
using base::Task;
using Files = std::map<std::string, std::string>;

const std::string kData = STELE_SOURCE_DIR "/src/log/testdata/";

Files files_of(const std::string& directory) {
  Files files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    files[std::filesystem::relative(entry.path(), directory)] = {std::istreambuf_iterator<char>(in), {}};
  }
  return files;
}

struct Golden {
  std::string kind;       // "clean", "killed"
  std::string partition;  // "plain-0"
  Files files;            // of the partition
};

class GoldenTest : public LogTest {
 protected:
  static Task<void> put(io::Directory& directory, const std::string& below, const Files& files) {
    for (const auto& [name, content] : files) {
      const std::string path = below.empty() ? name : below + "/" + name;
      if (const size_t slash = path.rfind('/'); slash != std::string::npos) {
        must(co_await directory.open_directory(path.substr(0, slash), true));
      }
      base::ByteVector bytes;
      base::append(bytes, base::as_bytes(content));
      must(co_await io::write_atomically(directory, path, std::move(bytes)));
    }
  }
  static Task<Files> get(io::Directory& directory, std::string below) {
    Files files;
    for (const io::Entry& entry : must(co_await directory.list(below))) {
      const base::ByteVector bytes = must(co_await io::read_whole(directory, below + "/" + entry.name, 1 << 30));
      files[entry.name] = base::as_text(bytes);
    }
    co_return files;
  }
  static Golden golden(const std::string& kind, const std::string& partition) {
    return {kind, partition, files_of(kData + kind + "/" + partition)};
  }
  // The settings of the topics that the golden directories hold.
  static LogOptions topic_options() { return {.segment_ms = 60'000, .index_interval_bytes = 400, .retention_ms = -1}; }
  static base::TopicId topic_id(const Golden& golden) {
    return must(parse_partition_metadata(golden.files.at("partition.metadata")));
  }
  static Task<OpenLog> open_golden(io::Shard& shard, const Golden& golden, bool clean, int64_t log_start = 0) {
    OpenArgs args;
    args.shard = &shard;
    args.log_dir = co_await directory(shard);
    args.name = golden.partition;
    args.topic_id = topic_id(golden);
    args.options = topic_options();
    args.clean = clean;
    args.log_start_offset = Offset{log_start};
    OpenLog log;
    log.log = must(co_await PartitionLog::open(std::move(args)));
    co_return log;
  }
};

std::string hex(const std::string& text) { return base::to_hex(base::as_bytes(text)); }

void expect_same(const Files& ours, const Files& kafkas) {
  for (const auto& [name, content] : kafkas) {
    if (!ours.contains(name)) {
      ADD_FAILURE() << name << " is missing";
    } else {
      EXPECT_EQ(hex(ours.at(name)), hex(content)) << name;
    }
  }
  for (const auto& [name, content] : ours) EXPECT_TRUE(kafkas.contains(name)) << name << " is not among Kafka's";
}

class GoldenPartitionTest : public GoldenTest, public ::testing::WithParamInterface<std::string> {};

TEST_P(GoldenPartitionTest, the_same_batches_give_kafkas_bytes_in_every_file) {
  const Golden kafka = golden("clean", GetParam());
  run(
      +[](io::Shard& shard, const Golden& wanted) -> Task<void> {
        OpenLog log = co_await open_golden(shard, wanted, false);
        log->begin_epoch(base::LeaderEpoch{0});
        for (const auto& [name, content] : wanted.files) {
          if (!name.ends_with(kLogSuffix)) continue;
          record::BatchReader reader(base::as_bytes(content));
          for (;;) {
            const auto batch = must(reader.next());
            if (!batch) break;
            base::ByteVector bytes{batch->bytes().begin(), batch->bytes().end()};
            // A leader's append: offset and epoch are to be made again.
            record::set_base_offset(bytes, Offset{0});
            record::set_leader_epoch(bytes, base::kNoLeaderEpoch);
            const bool control = batch->is_control();
            const Appended appended =
                must(log.append(std::move(bytes), 0, control ? Origin::kCoordinator : Origin::kClient));
            EXPECT_EQ(appended.base_offset, batch->base_offset());
            EXPECT_FALSE(appended.duplicate);
          }
        }
        must(co_await log->close_clean());
        const auto dir = co_await directory(shard);
        Files ours = co_await get(*dir, wanted.partition);
        Files theirs = wanted.files;
        if (wanted.partition == "cut-0") {  // its log start was moved by DeleteRecords
          ours.erase("leader-epoch-checkpoint");
          theirs.erase("leader-epoch-checkpoint");
        }
        expect_same(ours, theirs);
      },
      kafka);
  EXPECT_EQ(lines_.lines, std::vector<std::string>{});
}

TEST_P(GoldenPartitionTest, what_kafka_stopped_cleanly_is_served_and_left_as_it_was) {
  const Golden kafka = golden("clean", GetParam());
  run(
      +[](io::Shard& shard, const Golden& wanted) -> Task<void> {
        const auto dir = co_await directory(shard);
        co_await put(*dir, wanted.partition, wanted.files);
        OpenLog log = co_await open_golden(shard, wanted, true, wanted.partition == "cut-0" ? 70 : 0);
        uint64_t bytes = 0;
        for (const auto& [name, content] : wanted.files) bytes += name.ends_with(kLogSuffix) ? content.size() : 0;
        EXPECT_EQ(log->size_bytes(), bytes);
        const auto batches = co_await offsets_of(*log.log, log->log_start_offset());
        EXPECT_EQ(batches.empty() ? 0 : batches.back().second + 1, log->assigned_end().value());
        must(co_await log->close_clean());
        expect_same(co_await get(*dir, wanted.partition), wanted.files);
      },
      kafka);
  EXPECT_EQ(lines_.lines, std::vector<std::string>{});
}

TEST_P(GoldenPartitionTest, what_kafka_left_when_killed_is_recovered) {
  const Golden kafka = golden("killed", GetParam());
  run(
      +[](io::Shard& shard, const Golden& wanted) -> Task<void> {
        const auto dir = co_await directory(shard);
        co_await put(*dir, wanted.partition, wanted.files);
        OpenLog log = co_await open_golden(shard, wanted, false, wanted.partition == "cut-0" ? 70 : 0);
        const auto batches = co_await offsets_of(*log.log, log->log_start_offset());
        EXPECT_EQ(batches.empty() ? 0 : batches.back().second + 1, log->assigned_end().value());
        must(co_await log->close_clean());
        const Files ours = co_await get(*dir, wanted.partition);
        for (const auto& [name, content] : wanted.files) {
          const bool index = name.ends_with(kIndexSuffix) || name.ends_with(kTimeIndexSuffix);
          if (wanted.partition == "empty-0" && name == kEpochCheckpointName) continue;
          if (!ours.contains(name)) {
            ADD_FAILURE() << name;
            continue;
          }
          if (!index) {
            EXPECT_EQ(hex(ours.at(name)), hex(content)) << name;
            continue;
          }
          std::string entries = content;  // without the zeros that were preallocated
          const size_t entry = name.ends_with(kIndexSuffix) ? OffsetIndex::kEntrySize : TimeIndex::kEntrySize;
          while (!entries.empty() && entries.substr(entries.size() - entry) == std::string(entry, '\0')) {
            entries.resize(entries.size() - entry);
          }
          EXPECT_EQ(hex(ours.at(name).substr(0, entries.size())), hex(entries)) << name;
        }
      },
      kafka);
}

INSTANTIATE_TEST_SUITE_P(Kafka, GoldenPartitionTest,
                         ::testing::Values("plain-0", "codecs-0", "cut-0", "txn-0", "empty-0"));

TEST_F(GoldenTest, a_log_dir_of_kafka_opens) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto dir = co_await directory(shard);
    co_await put(*dir, "", files_of(kData + "clean"));
    auto log_dir = must(co_await LogDir::open(shard, "/data"));
    EXPECT_EQ(log_dir->meta()->cluster_id, "AAAAAAAAAAAAAAAAAAAAZQ");
    EXPECT_EQ(log_dir->meta()->node_id, base::BrokerId{1});
    EXPECT_TRUE(log_dir->meta()->directory_id.has_value());
    EXPECT_TRUE(log_dir->clean_shutdown().has_value());
    EXPECT_GT(log_dir->clean_shutdown()->value(), 0);
    EXPECT_EQ(log_dir->partitions().size(), 5u);
    EXPECT_EQ(log_dir->log_start({"cut", base::PartitionIndex{0}}), Offset{70});
    EXPECT_EQ(log_dir->recovery_point({"plain", base::PartitionIndex{0}}), Offset{200});
    EXPECT_EQ(log_dir->high_watermark({"codecs", base::PartitionIndex{0}}), Offset{160});
    must(co_await log_dir->begin());
    log_dir.reset();
    log_dir = must(co_await LogDir::open(shard, "/data"));
    EXPECT_FALSE(log_dir->clean_shutdown().has_value());
  });
}

TEST_F(GoldenTest, the_aborted_transactions_of_kafka_are_found) {
  const Golden kafka = golden("clean", "txn-0");
  run(
      +[](io::Shard& shard, const Golden& wanted) -> Task<void> {
        const auto dir = co_await directory(shard);
        co_await put(*dir, wanted.partition, wanted.files);
        OpenLog log = co_await open_golden(shard, wanted, true);
        // Transactions of ten records and a marker each; every second one was aborted.
        const auto all = must(co_await log->aborted_transactions(Offset{0}, log->assigned_end()));
        EXPECT_EQ(all.size(), 3u);
        if (all.size() == 3) {
          EXPECT_EQ(all[0].first_offset, Offset{11});
          EXPECT_EQ(all[0].last_offset, Offset{21});
          EXPECT_EQ(all[2].last_offset, Offset{65});
        }
        EXPECT_EQ(must(co_await log->aborted_transactions(Offset{22}, Offset{33})).size(), 0u);
        log->high_watermark_moved(Offset{66});
        EXPECT_EQ(log->first_unstable_offset(), std::nullopt);
      },
      kafka);
  const Golden open = golden("killed", "txn-0");
  run(
      +[](io::Shard& shard, const Golden& wanted) -> Task<void> {
        const auto dir = co_await directory(shard);
        must(co_await dir->remove_tree("txn-0"));
        co_await put(*dir, wanted.partition, wanted.files);
        OpenLog log = co_await open_golden(shard, wanted, false);
        log->high_watermark_moved(Offset{66});
        EXPECT_EQ(log->first_unstable_offset(), Offset{66});
      },
      open);
}

TEST_F(GoldenTest, timestamps_of_kafkas_records_are_found) {
  const Golden kafka = golden("clean", "codecs-0");
  run(
      +[](io::Shard& shard, const Golden& wanted) -> Task<void> {
        const auto dir = co_await directory(shard);
        co_await put(*dir, wanted.partition, wanted.files);
        OpenLog log = co_await open_golden(shard, wanted, true);
        constexpr int64_t kStart = 1'700'000'000'000;  // record i has kStart + 1000 i
        for (const int64_t i :
             {int64_t{0}, int64_t{1}, int64_t{63}, int64_t{69}, int64_t{70}, int64_t{130}, int64_t{159}}) {
          for (const int64_t before : {int64_t{0}, int64_t{999}}) {
            const auto found =
                must(co_await log->offset_for_timestamp(base::Timestamp{kStart + 1000 * i - before}, Offset{160}));
            EXPECT_EQ(found->offset, Offset{i});
            EXPECT_EQ(found->timestamp, base::Timestamp{kStart + 1000 * i});
            EXPECT_EQ(found->leader_epoch, base::LeaderEpoch{0});
          }
        }
        EXPECT_EQ(must(co_await log->offset_for_timestamp(base::Timestamp{kStart + 159'001}, Offset{160})),
                  std::nullopt);
        EXPECT_EQ(must(co_await log->offset_for_timestamp(base::Timestamp{kStart + 100'000}, Offset{100})),
                  std::nullopt);
        EXPECT_EQ(must(co_await log->offset_of_max_timestamp())->offset, Offset{159});
      },
      kafka);
}

}  // namespace
}  // namespace stele::log
