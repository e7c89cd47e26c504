#include "metadata/format.h"

#include <gtest/gtest.h>

#include "metadata/delta.h"
#include "metadata/log_fixture.h"
#include "metadata/snapshot.h"
#include "record/batch.h"

namespace stele::metadata {
namespace {

// With the times of every batch, and so its checksum, made equal to those of the other.
base::ByteVector timed_like(base::ByteVector ours, const base::ByteVector& theirs) {
  for (size_t at = 0; at + record::kBatchHeaderSize < ours.size() && at + record::kBatchHeaderSize < theirs.size();) {
    for (size_t i = at + 27; i < at + 43; ++i) ours[i] = theirs[i];
    for (size_t i = at + 17; i < at + 21; ++i) ours[i] = theirs[i];
    at += record::kLogOverhead + static_cast<size_t>(base::load_be<int32_t>(ours.data() + at + 8));
  }
  return ours;
}

TEST(formatting, writes_the_bootstrap_checkpoint_that_kafka_writes) {
  const base::ByteVector theirs = kafka_file("bootstrap.checkpoint");
  const base::ByteVector ours = bootstrap_checkpoint(kMetadataVersionLatest, base::Timestamp{1});
  EXPECT_EQ(ours.size(), 411u);
  EXPECT_EQ(base::to_hex(timed_like(ours, theirs)), base::to_hex(theirs));
}

TEST(formatting, writes_the_standalone_checkpoint_that_kafka_writes) {
  base::ByteVector theirs = kafka_file("standalone.checkpoint");
  const Voter voter{base::BrokerId{1}, "CONTROLLER", "127.0.0.1", 24005};
  const auto directory = base::Uuid::parse("4aPBRMihS0yUH0GMfaqJew");
  // Its header record holds the time at which it was written.
  const base::Timestamp written{base::load_be<int64_t>(theirs.data() + 0x49)};
  const base::ByteVector ours = standalone_checkpoint(voter, *directory, written);
  EXPECT_EQ(ours.size(), 241u);
  EXPECT_EQ(base::to_hex(timed_like(ours, theirs)), base::to_hex(theirs));
}

TEST(formatting, at_a_lower_version_leaves_out_what_it_does_not_have) {
  const auto levels = [](int16_t level) {
    Delta delta{std::make_shared<const Image>()};
    for (const auto& record : bootstrap_records(MetadataVersion{level})) EXPECT_TRUE(delta.apply(record).ok());
    return std::move(delta).finish();
  };
  EXPECT_EQ(levels(22)->features.size(), 2u);
  EXPECT_EQ(levels(22)->feature(kGroupFeature), 1);
  EXPECT_EQ(levels(25)->feature(kTransactionFeature), 2);
  EXPECT_EQ(levels(25)->feature(kElrFeature), 0);
  EXPECT_EQ(levels(30)->features.size(), 6u);
}

using OnAnEmptyDisk = OnDisk;

TEST_F(OnAnEmptyDisk, what_is_formatted_is_read_back) {
  run([&](io::Shard& shard) -> base::Task<void> {
    auto dir = co_await shard.open_directory(root.string(), true);
    EXPECT_TRUE((co_await read_bootstrap(**dir)).value().empty());
    Format format;
    format.cluster_id = "4L6g3nShT-eMCtK--X86sw";
    format.node = base::BrokerId{1};
    format.directory = base::Uuid{1, 7};
    format.version = MetadataVersion{25};
    format.standalone = Voter{base::BrokerId{1}, "CONTROLLER", "h", 9093};
    EXPECT_TRUE((co_await format_log_dir(**dir, format, base::Timestamp{1})).ok());
    EXPECT_EQ((co_await read_bootstrap(**dir)).value(), bootstrap_records(MetadataVersion{25}));
  });
  EXPECT_NE(text("meta.properties").find("cluster.id=4L6g3nShT-eMCtK--X86sw\n"), std::string::npos);
  const auto image = read_snapshot(file("__cluster_metadata-0/00000000000000000000-0000000000.checkpoint"));
  ASSERT_TRUE(image.ok());
  EXPECT_EQ((*image)->control.kraft_version, 1);
}

}  // namespace
}  // namespace stele::metadata
