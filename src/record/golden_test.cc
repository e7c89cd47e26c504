// Batches that Apache Kafka's own builder wrote (testdata/batches.txt, made by tests/peers/record_oracle).
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "record/builder.h"
#include "record/dump_for_test.h"

namespace stele::record {
namespace {

struct Golden {
  std::string name;
  base::ByteVector bytes;
  std::string dump;
};

std::vector<Golden> golden_batches() {
  std::ifstream file{STELE_SOURCE_DIR "/src/record/testdata/batches.txt"};
  std::vector<Golden> all;
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find('\t');
    const size_t second = line.find('\t', first + 1);
    all.push_back(
        {line.substr(0, first), base::from_hex(line.substr(first + 1, second - first - 1)), line.substr(second + 1)});
  }
  return all;
}

// Every record of a batch of magic 2, written again through our builder with the batch's own settings.
base::ByteVector built_again(const BatchView& batch) {
  BatchOptions options;
  options.base_offset = batch.base_offset();
  options.leader_epoch = batch.leader_epoch();
  options.codec = batch.codec();
  options.timestamp_type = batch.timestamp_type();
  options.append_time = batch.max_timestamp();
  options.producer_id = batch.producer_id();
  options.producer_epoch = batch.producer_epoch();
  options.base_sequence = batch.base_sequence();
  options.is_transactional = batch.is_transactional();
  options.is_control = batch.is_control();
  options.delete_horizon = batch.delete_horizon();
  BatchBuilder builder{options};
  Decompressor decompressor;
  RecordReader reader{batch, decompressor};
  while (true) {
    const auto record = reader.next();
    EXPECT_TRUE(record.ok());
    if (!record.ok() || !*record) break;
    RecordView written = **record;
    written.timestamp = base::Timestamp{batch.base_timestamp().value() + written.timestamp_delta};
    builder.add_at(written.offset, written);
  }
  builder.set_last_offset(batch.last_offset());
  return std::move(builder).build();
}

TEST(golden, we_read_what_kafka_wrote) {
  const std::vector<Golden> all = golden_batches();
  ASSERT_GT(all.size(), 90u);
  for (const Golden& golden : all) EXPECT_EQ(dump(golden.bytes), golden.dump) << golden.name;
}

TEST(golden, uncompressed_batches_are_written_byte_for_byte_as_kafka_writes_them) {
  int compared = 0;
  for (const Golden& golden : golden_batches()) {
    const auto batch = BatchView::open(golden.bytes);
    ASSERT_TRUE(batch.ok()) << golden.name;
    if (batch->is_legacy() || batch->is_compressed()) continue;
    EXPECT_EQ(base::to_hex(built_again(*batch)), base::to_hex(golden.bytes)) << golden.name;
    ++compared;
  }
  EXPECT_GT(compared, 15);
}

TEST(golden, compressed_batches_hold_the_same_when_we_write_them) {
  int compared = 0;
  for (const Golden& golden : golden_batches()) {
    const auto batch = BatchView::open(golden.bytes);
    if (!batch.ok() || batch->is_legacy() || !batch->is_compressed()) continue;
    EXPECT_EQ(dump(built_again(*batch)), golden.dump) << golden.name;
    ++compared;
  }
  EXPECT_GT(compared, 40);
}

TEST(golden, control_batches_come_out_of_the_control_builders) {
  int compared = 0;
  for (const Golden& golden : golden_batches()) {
    const auto batch = BatchView::open(golden.bytes);
    if (!batch.ok() || !batch->is_control()) continue;
    RecordIterator records{*batch};
    const auto record = records.next();
    ASSERT_TRUE(record.ok() && *record);
    const ControlBatchOptions options{batch->base_offset(), batch->leader_epoch(), batch->max_timestamp()};
    const auto marker = transaction_marker(**record);
    ASSERT_TRUE(marker.ok());
    const base::ByteVector built =
        *marker ? build_marker_batch(options, batch->producer_id(), batch->producer_epoch(), **marker)
                : build_control_batch(options, control_type(**record)->value(), *(*record)->value);
    EXPECT_EQ(base::to_hex(built), base::to_hex(golden.bytes)) << golden.name;
    ++compared;
  }
  EXPECT_EQ(compared, 7);
}

}  // namespace
}  // namespace stele::record
