// What every backend of the metadata log does alike. A backend's test calls run() with a way to open the same log
// again.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "metadata/metadata_log.h"
#include "metadata/record.h"
#include "metadata/snapshot.h"
#include "record/batch.h"
#include "wire/no_op_record.h"

namespace stele::metadata {

class MetadataLogSuite {
 public:
  using Open = std::function<base::Task<std::unique_ptr<MetadataLog>>()>;
  MetadataLogSuite(base::Executor& executor, Open open) : executor_(&executor), open_(std::move(open)) {}

  base::Task<void> run() const {
    co_await appends_are_read_back();
    co_await an_older_claim_is_fenced();
    co_await a_wrong_index_is_a_conflict();
    co_await appends_pipeline_in_order();
    co_await snapshots_are_kept();
  }

 private:
  static base::ByteVector entry(const Claim& claim, base::Offset at) {
    return record_batch(at, claim.epoch, {encode_record(wire::NoOpRecord{}, 0)}, base::Timestamp{1});
  }
  static base::Task<std::vector<base::Offset>> bases(MetadataLog& log, base::Offset from, size_t bytes_max) {
    std::vector<base::Offset> out;
    while (from < log.end()) {
      auto entries = co_await log.read(from, bytes_max);
      EXPECT_TRUE(entries.ok());
      if (!entries.ok() || entries->batches.empty()) break;
      record::BatchReader reader{entries->batches};
      for (auto batch = reader.next(); batch.ok() && *batch; batch = reader.next()) {
        out.push_back((*batch)->base_offset());
      }
      from = entries->next_index;
    }
    co_return out;
  }

  base::Task<void> appends_are_read_back() const {
    auto log = co_await open_();
    const auto claim = co_await log->claim();
    EXPECT_TRUE(claim.ok());
    EXPECT_EQ(claim->next_index, log->end());
    for (int i = 0; i < 5; ++i) {
      const base::Offset at = claim->next_index + i;
      EXPECT_EQ(co_await log->append(claim->epoch, at, entry(*claim, at)), AppendOutcome::kCommitted);
    }
    EXPECT_EQ(log->end(), claim->next_index + 5);
    // One at a time, and all at once, and in another life of the log.
    EXPECT_EQ((co_await bases(*log, claim->next_index, 1)).size(), 5u);
    EXPECT_EQ((co_await bases(*log, claim->next_index, 1 << 20)).size(), 5u);
    const base::Offset end = log->end();
    log.reset();
    log = co_await open_();
    EXPECT_EQ(log->end(), end);
    EXPECT_EQ((co_await bases(*log, claim->next_index + 2, 1 << 20)).front(), claim->next_index + 2);
    EXPECT_EQ((co_await log->read(end + 1, 10)).code(), base::ErrorCode::kOffsetOutOfRange);
    EXPECT_TRUE((co_await log->read(end, 10))->batches.empty());
  }

  base::Task<void> an_older_claim_is_fenced() const {
    auto log = co_await open_();
    const auto first = co_await log->claim();
    const auto second = co_await log->claim();
    EXPECT_GT(second->epoch, first->epoch);
    const base::Offset end = log->end();
    EXPECT_EQ(co_await log->append(first->epoch, end, entry(*first, end)), AppendOutcome::kFenced);
    EXPECT_EQ(log->end(), end);
    log.reset();
    log = co_await open_();
    const auto third = co_await log->claim();
    EXPECT_GT(third->epoch, second->epoch);
  }

  base::Task<void> a_wrong_index_is_a_conflict() const {
    auto log = co_await open_();
    const auto claim = co_await log->claim();
    const base::Offset wrong = claim->next_index + 3;
    EXPECT_EQ(co_await log->append(claim->epoch, wrong, entry(*claim, wrong)), AppendOutcome::kConflict);
    const base::Offset right = claim->next_index;
    EXPECT_EQ(co_await log->append(claim->epoch, right, entry(*claim, right)), AppendOutcome::kCommitted);
  }

  // Begins all appends before any of them has ended.
  base::Task<void> appends_pipeline_in_order() const {
    auto log = co_await open_();
    const auto claim = co_await log->claim();
    constexpr int kAppends = 50;
    int committed = 0;
    base::TaskScope running{*executor_, [](std::exception_ptr) { ADD_FAILURE() << "an append threw"; }};
    for (int i = 0; i < kAppends; ++i) running.spawn(append_one(*log, *claim, claim->next_index + i, &committed));
    EXPECT_LT(committed, kAppends);
    co_await running.join();
    EXPECT_EQ(committed, kAppends);
    EXPECT_EQ((co_await bases(*log, claim->next_index, 1 << 20)).size(), static_cast<size_t>(kAppends));
  }
  static base::Task<void> append_one(MetadataLog& log, Claim claim, base::Offset at, int* committed) {
    const AppendOutcome outcome = co_await log.append(claim.epoch, at, entry(claim, at));
    if (outcome == AppendOutcome::kCommitted) ++*committed;
  }

  base::Task<void> snapshots_are_kept() const {
    auto log = co_await open_();
    const auto claim = co_await log->claim();
    const SnapshotId id{log->end(), claim->epoch};
    const base::ByteVector content = write_snapshot(Image{}, base::Timestamp{1});
    EXPECT_TRUE((co_await log->put_snapshot(id, content)).ok());
    log.reset();
    log = co_await open_();
    const auto ids = log->snapshots();
    EXPECT_TRUE(!ids.empty() && ids.back() == id);
    EXPECT_EQ((co_await log->get_snapshot(id)).value(), content);
    const auto again = co_await log->claim();
    const base::Offset next = again->next_index;
    EXPECT_EQ(co_await log->append(again->epoch, next, entry(*again, next)), AppendOutcome::kCommitted);
    EXPECT_EQ((co_await bases(*log, id.end, 1 << 20)).back(), next);
  }

  base::Executor* executor_;
  Open open_;
};

}  // namespace stele::metadata
