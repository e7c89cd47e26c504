#include "log/checked_pieces.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace stele::log {

namespace {

using Piece = CheckedPieces::Piece;

constexpr uint64_t kMergedTo = uint64_t{512} << 10;           // where there are many pieces
constexpr base::Duration kGrownFor{std::chrono::seconds{1}};  // what was checked later gets a piece of its own

bool grows(const Piece& last, const Piece& more) {
  return last.end == more.begin && more.end - last.begin <= CheckedPieces::kPieceBytes &&
         more.at - last.at <= kGrownFor;
}

}  // namespace

void CheckedPieces::add(const Piece& piece, uint64_t misses, base::MonoTime oldest) {
  STELE_CHECK(piece.begin < piece.end && piece.first < piece.next);
  if (misses < misses_ || piece.at < oldest) return;
  if (misses > misses_) pieces_.clear();
  misses_ = misses;
  if (pieces_.empty() || pieces_.back().end <= piece.begin) {
    if (!pieces_.empty() && grows(pieces_.back(), piece)) {
      pieces_.back().end = piece.end;
      pieces_.back().next = piece.next;
      return;
    }
    pieces_.push_back(piece);
  } else {
    insert(piece);
  }
  if (pieces_.size() > kPiecesMax) thin_out(oldest);
}

// Both ends of the new piece are places where a batch ends, so that the pieces they lie in can be cut there.
void CheckedPieces::insert(const Piece& piece) {
  const auto from = std::ranges::upper_bound(pieces_, piece.begin, {}, &Piece::end);
  const auto to = std::ranges::lower_bound(from, pieces_.end(), piece.end, {}, &Piece::begin);
  std::array<Piece, 3> now;
  size_t count = 0;
  if (from != to && from->begin < piece.begin) {
    now[count] = *from;
    now[count].end = piece.begin;
    now[count++].next = piece.first;
  }
  now[count++] = piece;
  if (from != to && std::prev(to)->end > piece.end) {
    now[count] = *std::prev(to);
    now[count].begin = piece.end;
    now[count++].first = piece.next;
  }
  const auto at = pieces_.erase(from, to);
  pieces_.insert(at, now.begin(), now.begin() + static_cast<ptrdiff_t>(count));
}

std::optional<CheckedPieces::Found> CheckedPieces::find(uint64_t position, uint64_t bytes_max, base::Offset limit,
                                                        uint64_t misses, base::MonoTime oldest) {
  if (misses != misses_) {
    if (misses > misses_) clear();
    return {};
  }
  std::optional<Found> found;
  uint64_t reached = position;
  auto at = std::ranges::upper_bound(pieces_, position, {}, &Piece::end);
  for (; at != pieces_.end() && at->begin <= reached && at->at >= oldest; ++at) {
    if (at->end - position > bytes_max || at->next > limit) break;
    found = Found{at->end, at->next};
    reached = at->end;
  }
  return found;
}

std::optional<uint64_t> CheckedPieces::begin_of(base::Offset offset) const {
  const auto at = std::ranges::lower_bound(pieces_, offset, {}, &Piece::next);
  if (at == pieces_.end()) return {};
  if (at->next == offset) return at->end;
  return at->first == offset ? std::optional{at->begin} : std::nullopt;
}

// Takes what is too old, joins neighbours, and in the end gives up what lies in front.
void CheckedPieces::thin_out(base::MonoTime oldest) {
  std::erase_if(pieces_, [&](const Piece& piece) { return piece.at < oldest; });
  std::vector<Piece> fewer;
  fewer.reserve(pieces_.size());
  bool joined = false;  // the last one already
  for (const Piece& piece : pieces_) {
    Piece* const before = fewer.empty() ? nullptr : &fewer.back();
    joined = !joined && before != nullptr && before->end == piece.begin && piece.end - before->begin <= kMergedTo;
    if (!joined) {
      fewer.push_back(piece);
      continue;
    }
    before->end = piece.end;
    before->next = piece.next;
    before->at = std::min(before->at, piece.at);
  }
  if (fewer.size() > kPiecesMax * 3 / 4) fewer.erase(fewer.begin(), fewer.begin() + kPiecesMax / 4);
  pieces_ = std::move(fewer);
}

}  // namespace stele::log
