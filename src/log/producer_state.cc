#include "log/producer_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/varint.h"
#include "record/record.h"

namespace stele::log {

namespace {

using base::ErrorCode;

bool in_sequence(int32_t last, int32_t next) {
  return int64_t{next} == int64_t{last} + 1 || (next == 0 && last == std::numeric_limits<int32_t>::max());
}

std::optional<record::TransactionMarker> read_marker(const record::BatchView& batch) {
  if (!batch.is_whole() || batch.is_legacy() || batch.is_compressed()) return std::nullopt;
  const auto record = record::read_record(batch.payload(), record::RecordContext::of(batch));
  if (!record) return std::nullopt;
  const auto marker = record::transaction_marker(*record);
  return marker ? *marker : std::nullopt;
}

void add_batch(ProducerEntry& entry, const ProducerBatch& batch) {
  if (entry.batch_count == kBatchWindow) {
    std::shift_left(entry.batches.begin(), entry.batches.end(), 1);
    --entry.batch_count;
  }
  entry.batches[entry.batch_count++] = batch;
}

void set_epoch(ProducerEntry& entry, base::ProducerEpoch epoch) {
  if (entry.epoch == epoch) return;
  entry.epoch = epoch;
  entry.batch_count = 0;
}

}  // namespace

ProducerAppend ProducerAppend::of(const record::BatchView& batch) {
  ProducerAppend append;
  append.producer_id = batch.producer_id();
  append.epoch = batch.producer_epoch();
  append.first_sequence = batch.base_sequence();
  append.last_sequence = batch.last_sequence();
  append.offset_delta = batch.last_offset_delta();
  append.timestamp = batch.max_timestamp();
  append.transactional = batch.is_transactional();
  append.control = batch.is_control();
  if (append.control && batch.has_producer()) append.marker = read_marker(batch);
  return append;
}

base::Result<std::optional<ProducerBatch>> ProducerState::check(const ProducerAppend& append, Origin origin) const {
  if (append.producer_id <= base::kNoProducerId || origin == Origin::kReplica) return std::optional<ProducerBatch>{};
  const ProducerEntry* entry = find(append.producer_id);
  if (origin == Origin::kClient && entry != nullptr && entry->epoch == append.epoch && !append.control) {
    for (size_t i = 0; i < entry->batch_count; ++i) {
      const ProducerBatch& batch = entry->batches[i];
      if (batch.last_sequence == append.last_sequence && batch.first_sequence() == append.first_sequence) {
        return std::optional{batch};
      }
    }
  }
  if (entry != nullptr && append.epoch < entry->epoch) {
    return {ErrorCode::kInvalidProducerEpoch,
            fmt::format("producer {} has epoch {}, the batch has the older {}", append.producer_id.value(),
                        entry->epoch.value(), append.epoch.value())};
  }
  if (append.control) {
    if (append.marker && entry != nullptr && append.marker->coordinator_epoch < entry->coordinator_epoch) {
      return {ErrorCode::kTransactionCoordinatorFenced,
              fmt::format("the marker's coordinator epoch {} is older than {}", append.marker->coordinator_epoch,
                          entry->coordinator_epoch)};
    }
    return std::optional<ProducerBatch>{};
  }
  if (origin == Origin::kClient) STELE_TRY(check_sequence(append, entry));
  if (entry != nullptr && entry->transaction_first_offset && !append.transactional) {
    return {ErrorCode::kInvalidTxnState,
            fmt::format("producer {} has an open transaction, the batch belongs to none", append.producer_id.value())};
  }
  return std::optional<ProducerBatch>{};
}

base::Result<void> ProducerState::check_sequence(const ProducerAppend& append, const ProducerEntry* entry) const {
  // Of an unknown producer any sequence is taken: its state may have expired, or its records been deleted.
  if (entry == nullptr || entry->epoch == base::kNoProducerEpoch) return {};
  if (append.epoch != entry->epoch) {
    if (append.first_sequence == 0) return {};
    return {ErrorCode::kOutOfOrderSequenceNumber,
            fmt::format("producer {} begins epoch {} with sequence {}, not 0", append.producer_id.value(),
                        append.epoch.value(), append.first_sequence)};
  }
  if (in_sequence(entry->last_sequence(), append.first_sequence)) return {};
  return {ErrorCode::kOutOfOrderSequenceNumber,
          fmt::format("producer {} sends sequence {} after {}", append.producer_id.value(), append.first_sequence,
                      entry->last_sequence())};
}

std::optional<AbortedTransaction> ProducerState::update(const ProducerAppend& append, base::Offset base_offset) {
  if (append.producer_id <= base::kNoProducerId) return std::nullopt;
  if (append.control && !append.marker) return std::nullopt;
  ProducerEntry& entry = producers_[append.producer_id];
  if (append.control) return end_transaction(append, entry, base_offset);
  set_epoch(entry, append.epoch);
  add_batch(entry, {append.last_sequence, base_offset + append.offset_delta, append.offset_delta, append.timestamp});
  entry.last_timestamp = append.timestamp;
  if (append.transactional && !entry.transaction_first_offset) {
    entry.transaction_first_offset = base_offset;
    open_[base_offset] = append.producer_id;
  }
  return std::nullopt;
}

std::optional<AbortedTransaction> ProducerState::end_transaction(const ProducerAppend& append, ProducerEntry& entry,
                                                                 base::Offset marker) {
  set_epoch(entry, append.epoch);
  entry.coordinator_epoch = append.marker->coordinator_epoch;
  entry.last_timestamp = append.timestamp;
  if (!entry.transaction_first_offset) return std::nullopt;
  const base::Offset first = *std::exchange(entry.transaction_first_offset, std::nullopt);
  open_.erase(first);
  unreplicated_[first] = {append.producer_id, marker};
  if (append.marker->is_commit) return std::nullopt;
  const base::Offset last_stable = open_.empty() ? marker + 1 : open_.begin()->first;
  return AbortedTransaction{append.producer_id, first, marker, last_stable};
}

std::optional<base::Offset> ProducerState::first_unstable_offset() const {
  std::optional<base::Offset> first;
  if (!open_.empty()) first = open_.begin()->first;
  if (!unreplicated_.empty() && (!first || unreplicated_.begin()->first < *first)) first = unreplicated_.begin()->first;
  return first;
}

void ProducerState::high_watermark_moved(base::Offset high_watermark) {
  std::erase_if(unreplicated_, [&](const auto& entry) { return entry.second.last_offset < high_watermark; });
}

void ProducerState::log_start_moved(base::Offset log_start) { high_watermark_moved(log_start); }

void ProducerState::expire(base::Timestamp now, int64_t expiration_ms) {
  std::erase_if(producers_, [&](const auto& entry) {
    return !entry.second.transaction_first_offset && now.value() - entry.second.last_timestamp.value() >= expiration_ms;
  });
}

size_t ProducerState::keep_at_most(size_t count) {
  if (producers_.size() <= count) return 0;
  std::vector<std::pair<base::Timestamp, base::ProducerId>> idle;
  for (const auto& [id, entry] : producers_) {
    if (!entry.transaction_first_offset) idle.emplace_back(entry.last_timestamp, id);
  }
  const size_t gone = std::min(producers_.size() - count + count / 16, idle.size());
  std::nth_element(idle.begin(), idle.begin() + static_cast<std::ptrdiff_t>(gone), idle.end());
  idle.resize(gone);
  for (const auto& [timestamp, id] : idle) producers_.erase(id);
  return gone;
}

void ProducerState::clear() {
  producers_.clear();
  open_.clear();
  unreplicated_.clear();
}

std::vector<ProducerSnapshotEntry> ProducerState::snapshot() const {
  std::vector<ProducerSnapshotEntry> out;
  out.reserve(producers_.size());
  for (const auto& [producer_id, entry] : producers_) {
    ProducerSnapshotEntry line;
    line.producer_id = producer_id;
    line.epoch = entry.epoch;
    if (const ProducerBatch* last = entry.last()) {
      line.last_sequence = last->last_sequence;
      line.last_offset = last->last_offset;
      line.offset_delta = last->offset_delta;
    }
    line.timestamp = entry.last_timestamp;
    line.coordinator_epoch = entry.coordinator_epoch;
    line.transaction_first_offset = entry.transaction_first_offset.value_or(base::kNoOffset);
    out.push_back(line);
  }
  return out;
}

void ProducerState::restore(const std::vector<ProducerSnapshotEntry>& entries) {
  clear();
  for (const ProducerSnapshotEntry& line : entries) {
    ProducerEntry& entry = producers_[line.producer_id];
    entry.epoch = line.epoch;
    entry.coordinator_epoch = line.coordinator_epoch;
    entry.last_timestamp = line.timestamp;
    if (line.last_offset >= base::Offset{0}) {
      add_batch(entry, {line.last_sequence, line.last_offset, line.offset_delta, line.timestamp});
    }
    if (line.transaction_first_offset >= base::Offset{0}) {
      entry.transaction_first_offset = line.transaction_first_offset;
      open_[line.transaction_first_offset] = line.producer_id;
    }
  }
}

const ProducerEntry* ProducerState::find(base::ProducerId producer_id) const {
  const auto at = producers_.find(producer_id);
  return at == producers_.end() ? nullptr : &at->second;
}

}  // namespace stele::log
