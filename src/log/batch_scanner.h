// Walks over the batches of a .log file, a piece of the file at a time.
//   while (co_await scanner.fill()) while (auto batch = scanner.take()) use(*batch);
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/task.h"
#include "io/file.h"
#include "record/batch.h"

namespace stele::log {

struct LocatedBatch {
  record::BatchView view;
  uint64_t position;  // in the file
};

class BatchScanner {
 public:
  static constexpr size_t kPiece = 256 * 1024;

  // Covers bytes [from, end) of the file.
  BatchScanner(std::shared_ptr<io::File> file, uint64_t from, uint64_t end, size_t piece = kPiece)
      : file_(std::move(file)), position_(from), end_(end), piece_(piece) {}

  // Reads on. False once no further whole batch is there: stop() tells why. Voids the batches given before.
  base::Task<base::Result<bool>> fill();
  // The next whole batch of what was read; its checksum is not looked at.
  std::optional<LocatedBatch> take();
  // Goes on behind damage at `damaged`: at the next batch whose checksum holds, whose offsets lie from `lowest` on, and
  // which the end of the range or another batch follows. Answers its base offset, and take() gives it next; nothing
  // where none is found.
  base::Task<base::Result<std::optional<base::Offset>>> resume_behind(uint64_t damaged, base::Offset lowest);
  // Position of the next batch: where the last fill() ended in vain.
  uint64_t position() const { return position_; }
  // Why there is no batch at position(); empty at the clean end.
  const std::string& stop() const { return stop_; }

 private:
  base::Task<base::Result<std::optional<base::Offset>>> try_batch_at(uint64_t position, base::Offset lowest);

  std::shared_ptr<io::File> file_;
  uint64_t position_;
  uint64_t end_;
  size_t piece_;
  base::ByteVector buffer_;
  size_t used_ = 0;  // bytes of buffer_ taken
  size_t wanted_ = 0;
  std::string stop_;
};

}  // namespace stele::log
