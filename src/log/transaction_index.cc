#include "log/transaction_index.h"

#include <fmt/format.h>

namespace stele::log {

using base::ErrorCode;

base::ByteVector encode_transaction_index(const std::vector<AbortedTransaction>& entries) {
  base::ByteVector out;
  out.reserve(entries.size() * kAbortedTransactionSize);
  for (const AbortedTransaction& entry : entries) {
    base::append_be(out, int16_t{0});
    base::append_be(out, entry.producer_id.value());
    base::append_be(out, entry.first_offset.value());
    base::append_be(out, entry.last_offset.value());
    base::append_be(out, entry.last_stable_offset.value());
  }
  return out;
}

base::Result<std::vector<AbortedTransaction>> parse_transaction_index(base::Bytes file) {
  if (file.size() % kAbortedTransactionSize != 0) {
    return {ErrorCode::kCorruptMessage, fmt::format("{} bytes are no whole transaction index entries", file.size())};
  }
  std::vector<AbortedTransaction> entries;
  for (size_t at = 0; at < file.size(); at += kAbortedTransactionSize) {
    const std::byte* p = &file[at];
    AbortedTransaction entry{base::ProducerId{base::load_be<int64_t>(p + 2)},
                             base::Offset{base::load_be<int64_t>(p + 10)}, base::Offset{base::load_be<int64_t>(p + 18)},
                             base::Offset{base::load_be<int64_t>(p + 26)}};
    if (const auto version = base::load_be<int16_t>(p); version > 0) {
      return {ErrorCode::kCorruptMessage, fmt::format("transaction index version {} is not known", version)};
    }
    if (!entries.empty() && entry.last_offset <= entries.back().last_offset) {
      return {ErrorCode::kCorruptMessage, "last offsets of the transaction index do not rise"};
    }
    entries.push_back(entry);
  }
  return entries;
}

}  // namespace stele::log
