// What a partition knows of its producers: the last five batches of each for duplicates and gaps, open transactions.
// A core: no I/O, time is a parameter. Kafka's ProducerStateManager, ProducerStateEntry and ProducerAppendInfo.
//
// A batch is judged by check(), which changes nothing, and taken in by update() once it has its offset.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "log/producer_snapshot.h"
#include "log/transaction_index.h"
#include "record/batch.h"
#include "record/control.h"

namespace stele::log {

// Who appends. Clients are held to sequences; replicas repeat what a leader has judged already.
enum class Origin { kClient, kCoordinator, kReplica };

inline constexpr size_t kBatchWindow = 5;

struct ProducerBatch {
  int32_t last_sequence = record::kNoSequence;
  base::Offset last_offset = base::kNoOffset;
  int32_t offset_delta = 0;  // last offset - first offset
  base::Timestamp timestamp = base::kNoTimestamp;

  int32_t first_sequence() const {
    const int64_t first = int64_t{last_sequence} - offset_delta;
    return static_cast<int32_t>(first >= 0 ? first : first + (int64_t{1} << 31));
  }
  base::Offset first_offset() const { return last_offset + -offset_delta; }
};

struct ProducerEntry {
  base::ProducerEpoch epoch = base::kNoProducerEpoch;
  int32_t coordinator_epoch = -1;
  base::Timestamp last_timestamp = base::kNoTimestamp;
  std::optional<base::Offset> transaction_first_offset;
  std::array<ProducerBatch, kBatchWindow> batches;  // oldest first
  uint8_t batch_count = 0;

  const ProducerBatch* last() const { return batch_count == 0 ? nullptr : &batches[batch_count - 1u]; }
  int32_t last_sequence() const { return batch_count == 0 ? record::kNoSequence : last()->last_sequence; }
};

// The part of a batch that producer state looks at.
struct ProducerAppend {
  base::ProducerId producer_id = base::kNoProducerId;
  base::ProducerEpoch epoch = base::kNoProducerEpoch;
  int32_t first_sequence = record::kNoSequence;
  int32_t last_sequence = record::kNoSequence;
  int32_t offset_delta = 0;
  base::Timestamp timestamp = base::kNoTimestamp;
  bool transactional = false;
  bool control = false;
  std::optional<record::TransactionMarker> marker;  // of a control batch that ends a transaction

  // Reads the marker out of a control batch; a control record that is none of COMMIT and ABORT gives none.
  static ProducerAppend of(const record::BatchView& batch);
};

class ProducerState {
 public:
  // Nothing: append it. A batch: it is a duplicate of that one. kOutOfOrderSequenceNumber, kInvalidProducerEpoch,
  // kInvalidTxnState, kTransactionCoordinatorFenced as Kafka gives them; never for kReplica.
  base::Result<std::optional<ProducerBatch>> check(const ProducerAppend& append, Origin origin) const;
  // Takes the batch in at its offset. Answers the entry for .txnindex where it is the marker of an aborted transaction.
  std::optional<AbortedTransaction> update(const ProducerAppend& append, base::Offset base_offset);

  std::optional<base::Offset> first_unstable_offset() const;
  // Transactions that ended below it are stable.
  void high_watermark_moved(base::Offset high_watermark);
  // Forgets transactions that ended below it.
  void log_start_moved(base::Offset log_start);
  // Forgets producers that were silent for so long and have no open transaction.
  void expire(base::Timestamp now, int64_t expiration_ms);
  // Where more are known: forgets those that were silent for longest and have no open transaction, a sixteenth at a
  // time. How many.
  size_t keep_at_most(size_t count);

  void clear();
  // Sorted by producer id.
  std::vector<ProducerSnapshotEntry> snapshot() const;
  // Replaces everything.
  void restore(const std::vector<ProducerSnapshotEntry>& entries);

  const ProducerEntry* find(base::ProducerId producer_id) const;
  size_t size() const { return producers_.size(); }
  const std::map<base::ProducerId, ProducerEntry>& producers() const { return producers_; }

 private:
  struct Ended {
    base::ProducerId producer_id;
    base::Offset last_offset;
  };
  base::Result<void> check_sequence(const ProducerAppend& append, const ProducerEntry* entry) const;
  std::optional<AbortedTransaction> end_transaction(const ProducerAppend& append, ProducerEntry& entry,
                                                    base::Offset marker);

  std::map<base::ProducerId, ProducerEntry> producers_;
  std::map<base::Offset, base::ProducerId> open_;  // by first offset
  std::map<base::Offset, Ended> unreplicated_;     // ended, the marker not below the high watermark; by first offset
};

}  // namespace stele::log
