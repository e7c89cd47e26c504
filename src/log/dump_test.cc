#include "log/dump.h"

#include <gmock/gmock.h>

#include "log/log_fixture.h"
#include "log/offset_index.h"
#include "record/control.h"

namespace stele::log {
namespace {

using base::Task;

// Files as some broker may have left them, made byte by byte.
class DumpTest : public LogTest {
 protected:
  static Task<void> put(io::Directory& dir, std::string path, base::ByteVector bytes) {
    must(co_await io::write_atomically(dir, std::move(path), std::move(bytes)));
  }
  static base::ByteVector text(std::string_view content) {
    const base::Bytes bytes = base::as_bytes(content);
    return {bytes.begin(), bytes.end()};
  }
  static base::ByteVector batches(std::vector<BatchSpec> specs) {
    base::ByteVector all;
    for (const BatchSpec& spec : specs) base::append(all, make_batch(spec));
    return all;
  }
  // Two of three records each.
  static base::ByteVector two() {
    return batches({{.records = 3, .leader_epoch = 4}, {.records = 3, .base_offset = 3, .leader_epoch = 5}});
  }
  // What is said of the partition's files, the names of files left out.
  static Task<std::vector<std::string>> problems(io::Directory& dir) {
    std::vector<std::string> found;
    const DumpSink sink = [&found](const DumpLine& line) { found.push_back(line.fields.at(1).value); };
    must(co_await dump_partition(dir, "t-0", {.verify = true}, sink));
    co_return found;
  }
  static Task<std::shared_ptr<io::Directory>> partition(io::Shard& shard) {
    auto dir = co_await directory(shard);
    must(co_await dir->open_directory("t-0", true));
    co_return dir;
  }
  static constexpr char kSegment[] = "t-0/00000000000000000000.log";
  static constexpr char kIndex[] = "t-0/00000000000000000000.index";
};

TEST_F(DumpTest, zeros_behind_the_last_batch_are_no_damage_other_bytes_are) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto dir = co_await partition(shard);
    base::ByteVector bytes = two();
    bytes.resize(bytes.size() + 300'000);
    co_await put(*dir, kSegment, bytes);
    EXPECT_THAT(co_await problems(*dir), testing::IsEmpty());
    bytes.back() = std::byte{1};
    co_await put(*dir, kSegment, bytes);
    EXPECT_THAT(co_await problems(*dir), testing::ElementsAre(testing::HasSubstr("are no batch")));
  });
}

TEST_F(DumpTest, the_epoch_checkpoint_is_held_against_the_batches) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto dir = co_await partition(shard);
    co_await put(*dir, kSegment, two());
    co_await put(*dir, "t-0/leader-epoch-checkpoint", text("0\n2\n4 0\n5 3\n"));
    EXPECT_THAT(co_await problems(*dir), testing::IsEmpty());
    co_await put(*dir, "t-0/leader-epoch-checkpoint", text("0\n2\n4 0\n5 5\n"));
    EXPECT_THAT(co_await problems(*dir), testing::ElementsAre("offset 3 has leader epoch 5 in its batch, 4 here"));
    co_await put(*dir, "t-0/leader-epoch-checkpoint", text("0\n2\n5 3\n4 4\n"));
    EXPECT_THAT(co_await problems(*dir), testing::Contains("epochs or their start offsets do not rise"));
  });
}

TEST_F(DumpTest, epochs_of_batches_do_not_fall) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto dir = co_await partition(shard);
    co_await put(*dir, kSegment,
                 batches({{.records = 3, .leader_epoch = 4}, {.records = 3, .base_offset = 3, .leader_epoch = 2}}));
    EXPECT_THAT(co_await problems(*dir), testing::ElementsAre("leader epoch 2 of the batch at offset 3 comes after 4"));
  });
}

TEST_F(DumpTest, an_index_entry_may_name_the_first_of_batches_appended_together) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto dir = co_await partition(shard);
    co_await put(*dir, kSegment, two());
    const auto second = static_cast<uint32_t>(two().size() / 2);
    for (const OffsetIndexEntry good : {OffsetIndexEntry{2, 0}, {5, 0}, {5, second}}) {
      co_await put(*dir, kIndex, OffsetIndex::encode({&good, 1}));
      EXPECT_THAT(co_await problems(*dir), testing::IsEmpty()) << good.relative_offset << " " << good.position;
    }
    for (const OffsetIndexEntry bad : {OffsetIndexEntry{2, second}, {5, second - 1}, {9, 0}, {4, second}}) {
      co_await put(*dir, kIndex, OffsetIndex::encode({&bad, 1}));
      EXPECT_THAT(co_await problems(*dir), testing::SizeIs(1)) << bad.relative_offset << " " << bad.position;
    }
  });
}

TEST_F(DumpTest, snapshots_of_the_metadata_are_batches_with_offsets_of_their_own) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto dir = co_await partition(shard);
    co_await put(*dir, kSegment, two());
    co_await put(*dir, "t-0/00000000000000000003-0000000004.checkpoint", two());
    uint64_t told = 0;
    const DumpOptions options{.verify = true, .on_batch = [&told](uint64_t bytes) { told += bytes; }};
    const DumpReport report = must(co_await dump_partition(*dir, "t-0", options, [](const DumpLine&) {}));
    EXPECT_EQ(report.problems, 0u);
    EXPECT_EQ(report.batches, 4u);
    EXPECT_EQ(report.end, base::Offset{6});
    EXPECT_EQ(report.records, 12u);
    EXPECT_EQ(told, 2 * two().size());
    EXPECT_EQ((co_await dump_file(*dir, "t-0/story.txt", {}, {})).error().os_error, ENOENT);
  });
}

// The last lines of `path` as text, the bytes of records in the way of Kafka's tool.
Task<std::vector<std::string>> lines_of(io::Directory& dir, std::string path, DumpOptions options) {
  std::vector<std::string> found;
  options.records = true;
  must(co_await dump_file(dir, std::move(path), std::move(options),
                          [&found](const DumpLine& line) { found.push_back(line.to_text()); }));
  co_return found;
}

TEST_F(DumpTest, a_marker_of_a_transaction_is_shown_as_such) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto dir = co_await partition(shard);
    co_await put(*dir, kSegment,
                 record::build_marker_batch({.timestamp = base::Timestamp{7}}, base::ProducerId{1},
                                            base::ProducerEpoch{0}, {.is_commit = true, .coordinator_epoch = 3}));
    EXPECT_EQ((co_await lines_of(*dir, kSegment, {})).back(),
              "| offset: 0 CreateTime: 7 keySize: 4 valueSize: 6 sequence: -1 headerKeys: [] endTxnMarker: COMMIT "
              "coordinatorEpoch: 3");
  });
}

TEST_F(DumpTest, who_knows_what_a_record_means_says_it) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto dir = co_await partition(shard);
    co_await put(*dir, kSegment, make_batch({.records = 1}));
    const auto shown = co_await lines_of(*dir, kSegment, {});
    EXPECT_THAT(shown.back(), testing::HasSubstr(" payload: "));
    const RecordDecoder says_five = [](const record::BatchView&, const record::RecordView&, DumpLine& line) {
      line.fields.push_back(dump_json("meaning", "5"));
      return true;
    };
    EXPECT_THAT((co_await lines_of(*dir, kSegment, {.decode = says_five})).back(), testing::EndsWith("] meaning: 5"));
    const RecordDecoder knows_nothing = [](const record::BatchView&, const record::RecordView&, DumpLine&) {
      return false;
    };
    EXPECT_EQ(co_await lines_of(*dir, kSegment, {.decode = knows_nothing}), shown);
  });
}

TEST_F(DumpTest, the_mark_of_a_clean_stop_is_read_and_files_of_other_layers_are_given_to_them) {
  run(+[](io::Shard& shard) -> Task<void> {
    const auto dir = co_await partition(shard);
    co_await put(*dir, ".kafka_cleanshutdown", text(R"({"version":0,"brokerEpoch":11})"));
    EXPECT_EQ((co_await lines_of(*dir, ".kafka_cleanshutdown", {})).back(), "brokerEpoch: 11");
    co_await put(*dir, "t-0/quorum-state", text("{}"));
    const FileDecoder decode = [](std::string_view name, base::Bytes content) -> base::Result<std::optional<DumpLine>> {
      EXPECT_EQ(base::as_text(content), "{}");
      return std::optional{DumpLine{std::string{name}, {dump_json("leaderId", "1")}}};
    };
    std::vector<std::string> found;
    must(co_await dump_partition(*dir, "t-0", {.decode_file = decode},
                                 [&found](const DumpLine& line) { found.push_back(line.to_text()); }));
    EXPECT_THAT(found, testing::ElementsAre("file: t-0/quorum-state", "leaderId: 1"));
    EXPECT_EQ((co_await dump_file(*dir, "t-0/quorum-state", {}, [](const DumpLine&) {})).code(),
              base::ErrorCode::kInvalidRequest);
  });
}

TEST(LogDirFiles, are_known_by_name) {
  for (const char* name :
       {"meta.properties", ".kafka_cleanshutdown", "bootstrap.checkpoint", "replication-offset-checkpoint"}) {
    EXPECT_TRUE(is_log_dir_file(name)) << name;
  }
  for (const char* name : {".lock", "leader-epoch-checkpoint", "00000000000000000000.log"}) {
    EXPECT_FALSE(is_log_dir_file(name)) << name;
  }
}

}  // namespace
}  // namespace stele::log
