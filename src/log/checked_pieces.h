// What of a segment's file was checked not long ago: written by this process after a check, or read and found sound.
// Kept in pieces of whole batches, so that a fetch which begins and ends at known places can be sent from the page
// cache without a look at the bytes. A piece is believed for a time, and all are forgotten where bytes of the file were
// missed in the page cache: what comes back from the disk is not what was checked. See docs/decisions/0006.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"

namespace stele::log {

class CheckedPieces {
 public:
  struct Piece {
    uint64_t begin = 0;  // bytes of the file
    uint64_t end = 0;
    base::Offset first;  // no batch in it has an offset below, or at `next` or above
    base::Offset next;
    base::MonoTime at;  // when the oldest of it was checked
  };
  struct Found {
    uint64_t end = 0;
    base::Offset next;
  };
  static constexpr size_t kPiecesMax = 1024;
  // A piece is given no more than this, unless it is a single batch: readers that ask for less begin and end there too.
  static constexpr uint64_t kPieceBytes = uint64_t{64} << 10;

  // `misses`: SharedFile::misses() before the bytes were read or written. What is older than `oldest` is not believed.
  void add(const Piece& piece, uint64_t misses, base::MonoTime oldest);
  // How far from `position`, where a batch begins, all is believed: at most `bytes_max`, below `limit`, up to a place
  // where a batch ends. `misses` as they are now.
  std::optional<Found> find(uint64_t position, uint64_t bytes_max, base::Offset limit, uint64_t misses,
                            base::MonoTime oldest);
  // Where the batch that holds `offset`, or the next one, begins; nothing but where a piece begins or ends with it.
  std::optional<uint64_t> begin_of(base::Offset offset) const;
  void clear() { pieces_ = {}; }
  size_t count() const { return pieces_.size(); }

 private:
  void insert(const Piece& piece);
  void thin_out(base::MonoTime oldest);

  std::vector<Piece> pieces_;  // by place, none overlaps another
  uint64_t misses_ = 0;        // when each of them was checked
};

}  // namespace stele::log
