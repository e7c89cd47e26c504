// Append: the part of PartitionLog that assigns offsets and never waits.
#include <algorithm>

#include "log/partition_log.h"

namespace stele::log {

using base::ErrorCode;

base::Result<Appended> PartitionLog::append(const AppendBatch& batch) {
  STELE_TRY(usable());
  STELE_CHECK(truncating_ == 0, "{}: append during a truncation", place_.name);
  last_use_ = shard_.clock().now();
  return batch.origin == Origin::kReplica ? append_replica(batch) : append_local(batch);
}

base::Result<Appended> PartitionLog::append_local(const AppendBatch& batch) {
  STELE_TRY_ASSIGN(const record::BatchView view, record::BatchView::open(batch.bytes));
  STELE_CHECK(view.is_whole() && view.size() == batch.bytes.size() && view.magic() == record::kMagic2,
              "{}: {} bytes are no single batch", place_.name, batch.bytes.size());
  if (static_cast<int64_t>(view.size()) > options_.segment_bytes) {
    return {ErrorCode::kRecordListTooLarge,
            fmt::format("a batch of {} bytes is larger than segment.bytes = {}", view.size(), options_.segment_bytes)};
  }
  const ProducerAppend producer = ProducerAppend::of(view);
  STELE_TRY_ASSIGN(const std::optional<ProducerBatch> duplicate, producers_.check(producer, batch.origin));
  if (duplicate) {
    return Appended{duplicate->first_offset(), duplicate->last_offset, true, duplicate->timestamp};
  }
  const base::Offset base = assigned_end_;
  record::set_base_offset(batch.bytes, base);
  record::set_leader_epoch(batch.bytes, batch.leader_epoch);
  roll_if_needed(view, view.size(), view.last_offset(), batch.now);
  take_in(view, producer);
  return Appended{base, view.last_offset(), false, view.max_timestamp()};
}

base::Result<Appended> PartitionLog::append_replica(const AppendBatch& batch) {
  // All or nothing: look before anything changes.
  base::Offset next = assigned_end_;
  std::optional<base::Offset> first;
  record::BatchReader look(batch.bytes);
  for (;;) {
    STELE_TRY_ASSIGN(const auto view, look.next());
    if (!view) break;
    const base::Offset lowest = view->is_legacy() ? view->last_offset() : view->base_offset();
    if (lowest < next || view->last_offset() < lowest || view->next_offset() < lowest) {
      return {ErrorCode::kOffsetOutOfRange,
              fmt::format("a batch at {} does not follow the end {}", view->base_offset().value(), next.value())};
    }
    if (!first) first = view->base_offset();
    next = view->next_offset();
  }
  if (!first || look.end() != record::BatchEnd::kClean) {
    return {ErrorCode::kCorruptMessage, fmt::format("{} bytes are no whole batches", batch.bytes.size())};
  }
  Appended appended{*first, next + -1, false, base::kNoTimestamp};
  record::BatchReader reader(batch.bytes);
  for (;;) {
    STELE_TRY_ASSIGN(const auto view, reader.next());
    if (!view) break;
    appended.timestamp = std::max(appended.timestamp, view->max_timestamp());
    roll_if_needed(*view, view->size(), view->last_offset(), batch.now);
    take_in(*view, ProducerAppend::of(*view));
  }
  return appended;
}

void PartitionLog::take_in(const record::BatchView& batch, const ProducerAppend& producer) {
  const base::Offset end = batch.next_offset();
  STELE_CHECK(end > assigned_end_, "{} does not rise above {}", end.value(), assigned_end_.value());
  if (epochs_.assign(batch.leader_epoch(), batch.base_offset())) note_epoch(batch.base_offset());
  as_closed_ = false;
  Segment& segment = active();
  Step step;
  step.position = segment.append(batch, options_.index_interval_bytes);
  if (const auto aborted = producers_.update(producer, batch.base_offset())) segment.add_aborted(*aborted);
  if (const size_t forgotten = producers_.keep_at_most(static_cast<size_t>(options_.producers_max)); forgotten > 0) {
    shard_.complaints().reached(base::Limit::kProducerIds,
                                "{}: {} idempotent producers, idle for longest of more than {}, are forgotten: what "
                                "they send again is not known as such",
                                place_.name, forgotten, options_.producers_max);
  }
  step.segment = segments_.back();
  step.bytes = batch.bytes();
  step.end = end;
  assigned_end_ = end;
  enqueue(std::move(step));
}

void PartitionLog::roll_if_needed(const record::BatchView& batch, size_t bytes, base::Offset last,
                                  base::Timestamp now) {
  const RollQuestion question{bytes, last, batch.max_timestamp(), now};
  const bool early = active().size() > 0 && shard_.maybe("log.early_roll");
  if (!early && !active().should_roll(question, options_)) return;
  roll_at(std::max(batch.base_offset(), assigned_end_), now);
}

void PartitionLog::roll(base::Timestamp now) {
  if (usable().ok() && active().size() > 0) roll_at(assigned_end_, now);
}

void PartitionLog::roll_at(base::Offset base, base::Timestamp now) {
  const SegmentPtr old = segments_.back();
  if (base == old->base()) return;  // an empty segment in its place would be the same
  old->seal();
  as_closed_ = false;
  const int64_t jitter =
      options_.segment_jitter_ms > 0
          ? static_cast<int64_t>(shard_.random().below(static_cast<uint64_t>(options_.segment_jitter_ms)))
          : 0;
  auto next = std::make_shared<Segment>(place_, base, options_, jitter, now);
  next->reset_for_rebuild();
  segments_.push_back(next);
  Step step;
  step.work = [this, old, next, snapshot = encode_producer_snapshot(producers_.snapshot())]() mutable {
    return finish_roll(old, next, std::move(snapshot));
  };
  enqueue(std::move(step));
}

}  // namespace stele::log
