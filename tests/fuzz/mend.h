#pragma once

#include "base/bytes.h"
#include "record/batch.h"

namespace stele::fuzz {

// Lets checksums fit, batch for batch, so that more than the first bad one is looked at.
inline void mend(base::ByteVector& batches) {
  for (size_t at = 0; batches.size() - at >= record::kBatchHeaderSize;) {
    const auto batch = record::BatchView::open(base::Bytes{batches}.subspan(at));
    if (!batch.ok() || !batch->is_whole() || batch->is_legacy()) return;
    record::update_crc(base::MutableBytes{batches}.subspan(at, batch->size()));
    at += batch->size();
  }
}

}  // namespace stele::fuzz
