// Transaction index of one segment (`.txnindex`): the aborted transactions whose marker lies in the segment. Entry, 34
// bytes: | version i16 = 0 | producer id i64 | first offset i64 | last offset i64 | last stable offset i64 |
// in the order of their markers. The file exists only where there is an entry. Kafka's AbortedTxn.java.
#pragma once

#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"

namespace stele::log {

struct AbortedTransaction {
  base::ProducerId producer_id;
  base::Offset first_offset;
  base::Offset last_offset;         // of the marker
  base::Offset last_stable_offset;  // right after the abort
  friend bool operator==(const AbortedTransaction&, const AbortedTransaction&) = default;
};

inline constexpr size_t kAbortedTransactionSize = 34;

base::ByteVector encode_transaction_index(const std::vector<AbortedTransaction>& entries);
// kCorruptMessage: not whole entries, a version above 0, last offsets that do not rise.
base::Result<std::vector<AbortedTransaction>> parse_transaction_index(base::Bytes file);

}  // namespace stele::log
