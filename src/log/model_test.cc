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
  bool counts_when_synced = false;  // stele.durability=synced

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
  ModelTest() : LogTest(GetParam()) {
    model_.random = base::SeededRandom{GetParam()};
    world_.set_rare_branches({.used = io::kAlways / 2, .taken = io::kAlways / 10});
    world_.set_rare_branch("log.late_indexes", 0);
  }

  static LogOptions options(const Model& model) {
    return {.segment_bytes = 3000,
            .index_interval_bytes = 300,
            .retention_ms = -1,
            .file_delete_delay_ms = 1000,
            .synced = model.counts_when_synced};
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
    switch (model.below(12)) {
      case 0:
        log->roll(base::Timestamp{1});
        break;
      case 1:
        if (model.end > model.log_start) {
          const int64_t back = model.below(static_cast<uint64_t>(std::min<int64_t>(model.end - model.log_start, 40)));
          model.truncate(model.end - back);
          must(co_await log->truncate_to(Offset{model.end}));
          model.recovery_point = std::min(model.recovery_point, log->recovery_point().value());
          model.log_start_checkpoint = log->log_start_to_checkpoint().value_or(Offset{0}).value();
        }
        break;
      case 2:
        if (model.below(3) == 0) {
          model.log_start = model.log_start + model.below(static_cast<uint64_t>(model.end - model.log_start + 1));
          must(co_await log->advance_log_start(Offset{model.log_start}));
          model.log_start_checkpoint = log->log_start_to_checkpoint().value_or(Offset{0}).value();
        }
        break;
      case 3:
        must(co_await log->flush());
        model.synced = model.end;
        EXPECT_EQ(log->synced_end().value(), model.end);
        EXPECT_EQ(log->recovery_point().value(), model.end);
        break;
      case 4:
        model.recovery_point = log->recovery_point().value();
        break;
      case 5:
        log->begin_epoch(base::LeaderEpoch{++model.epoch});
        break;
      case 6:
        must(co_await log->close_idle(base::MonoTime::max(), {}));
        break;
      default: {
        const int64_t count = 1 + model.below(4);
        for (int64_t i = 0; i < count; ++i) {
          const Appended appended = must(log.append({.records = static_cast<int>(1 + model.below(5)),
                                                     .timestamp = 1'700'000'000'000 + model.end * 10,
                                                     .value_bytes = static_cast<size_t>(1 + model.below(60)),
                                                     .fill = static_cast<char>('a' + model.below(26))},
                                                    model.epoch));
          EXPECT_EQ(appended.base_offset.value(), model.end);
          const auto view = must(record::BatchView::open(log.bytes.back()));
          model.batches.push_back({appended.base_offset.value(), appended.last_offset.value(), view.crc()});
          model.end = appended.last_offset.value() + 1;
        }
        must(co_await log->wait_counted(Offset{model.end - 1}));
        EXPECT_EQ(log->counted_end().value(), model.end);
        if (model.counts_when_synced) model.synced = model.end;
        log.bytes.clear();
      }
    }
  }

  // One life of a process: opens, acts, and ends cleanly or by a kill.
  static Task<void> live(io::Shard& shard, Model& model) {
    OpenLog log = co_await open(shard, {.options = options(model),
                                        .recovery_point = model.recovery_point,
                                        .log_start = model.log_start_checkpoint,
                                        .clean = model.clean});
    model.log_start = log->log_start_offset().value();
    model.clean = false;
    co_await expect_equal(*log.log, model);
    const int64_t steps = model.below(40);
    for (int64_t i = 0; i < steps && !::testing::Test::HasFailure(); ++i) co_await step(log, model);
    co_await expect_equal(*log.log, model);
    if (model.below(2) == 0) {
      must(co_await log->close_clean());
      model.synced = model.end;
      model.clean = true;
      model.recovery_point = model.end;
    }
  }

  static Task<void> live_after_power_loss(io::Shard& shard, Model& model) {
    OpenLog log = co_await open(shard, {.options = options(model),
                                        .recovery_point = model.recovery_point,
                                        .log_start = model.log_start_checkpoint,
                                        .clean = model.clean});
    const int64_t end = log->assigned_end().value();
    EXPECT_GE(end, model.synced);
    EXPECT_LE(end, model.end);
    if (end < model.end) model.clean = false;
    model.truncate(end);
    model.end = end;
    if (model.counts_when_synced) model.synced = end;
    model.recovery_point = std::min(model.recovery_point, end);
    co_await expect_equal(*log.log, model);
  }

  Model model_;
};

TEST_P(ModelTest, a_log_is_what_was_appended_to_it_through_every_kill) {
  for (int life = 0; life < 12 && !HasFailure(); ++life) run(&ModelTest::live, model_);
}

// After a loss of power: at least what was synced, at most what was appended, nothing changed.
TEST_P(ModelTest, a_loss_of_power_costs_only_what_was_not_synced) {
  for (int life = 0; life < 12 && !HasFailure(); ++life) {
    run(&ModelTest::live, model_);
    host_.disk().lose_power();
    run(&ModelTest::live_after_power_loss, model_);
  }
}

TEST_P(ModelTest, a_loss_of_power_costs_nothing_that_counted_where_it_must_be_synced) {
  model_.counts_when_synced = true;
  for (int life = 0; life < 12 && !HasFailure(); ++life) {
    run(&ModelTest::live, model_);
    host_.disk().lose_power();
    run(&ModelTest::live_after_power_loss, model_);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ModelTest, ::testing::Range<uint64_t>(1, 61));

}  // namespace
}  // namespace stele::log
