// Random histories of one log against a model of it: appends, rolls, truncations, deletions, clean and unclean stops,
// loss of power. The model is the list of batches that must be there, and how many of them must survive what.
#include "log/log_fixture.h"

namespace stele::log {
namespace {

using base::Offset;
using base::Task;

struct Batch {
  int64_t first = 0;
  int64_t last = 0;
  uint32_t crc = 0;
};

struct Model {
  base::SeededRandom random{1};
  std::vector<Batch> batches;
  int64_t log_start = 0;
  int64_t end = 0;
  int64_t synced = 0;          // what a loss of power must leave
  int64_t recovery_point = 0;  // as the owner checkpointed it
  int64_t log_start_checkpoint = 0;
  bool clean = false;
  int32_t epoch = 0;

  int64_t below(uint64_t bound) { return static_cast<int64_t>(random.below(bound)); }
  void truncate(int64_t offset) {
    while (!batches.empty() && batches.back().last >= offset) {
      offset = std::min(offset, batches.back().first);
      batches.pop_back();
    }
    end = std::min(end, offset);
    synced = std::min(synced, end);
    log_start = std::min(log_start, end);
  }
};

class ModelTest : public LogTest, public ::testing::WithParamInterface<uint64_t> {
 protected:
  ModelTest() : LogTest(GetParam()) { model_.random = base::SeededRandom{GetParam()}; }

  static LogOptions options() {
    return {.segment_bytes = 3000, .index_interval_bytes = 300, .retention_ms = -1, .file_delete_delay_ms = 1000};
  }

  static Task<void> expect_equal(PartitionLog& log, Model& model) {
    EXPECT_EQ(log.assigned_end().value(), model.end);
    EXPECT_EQ(log.written_end().value(), model.end);
    EXPECT_GE(log.log_start_offset().value(), 0);
    std::vector<Batch> wanted;
    for (const Batch& batch : model.batches) {
      if (batch.last >= log.log_start_offset().value()) wanted.push_back(batch);
    }
    std::vector<Batch> found;
    Offset from = log.log_start_offset();
    while (from < log.written_end()) {
      const auto bytes_max = static_cast<size_t>(model.below(4000));
      const ReadResult result = must(co_await log.read(from, bytes_max, log.written_end(), true));
      EXPECT_FALSE(result.batches.empty()) << from.value();
      if (result.batches.empty()) break;
      record::BatchReader reader(result.batches);
      while (const auto batch = must(reader.next())) {
        found.push_back({batch->base_offset().value(), batch->last_offset().value(), batch->crc()});
        EXPECT_TRUE(batch->crc_valid());
        EXPECT_EQ(log.epochs().epoch_at(batch->last_offset()), batch->leader_epoch());
      }
      from = result.next_offset;
    }
    EXPECT_EQ(found.size(), wanted.size());
    for (size_t i = 0; i < std::min(found.size(), wanted.size()); ++i) {
      EXPECT_EQ(found[i].first, wanted[i].first);
      EXPECT_EQ(found[i].crc, wanted[i].crc) << "at " << wanted[i].first;
    }
    // Any single offset can be asked for.
    if (log.log_start_offset() < log.written_end()) {
      const int64_t offset = log.log_start_offset().value() +
                             model.below(static_cast<uint64_t>(log.written_end() - log.log_start_offset()));
      const ReadResult one = must(co_await log.read(Offset{offset}, 1, log.written_end(), true));
      const auto view = must(record::BatchView::open(one.batches));
      EXPECT_LE(view.base_offset().value(), offset);
      EXPECT_GE(view.last_offset().value(), offset);
      EXPECT_EQ(one.next_offset, view.next_offset());
    }
  }

  static Task<void> step(OpenLog& log, Model& model) {
