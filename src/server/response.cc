#include "server/response.h"

#include <cerrno>
#include <utility>

#include "base/check.h"

namespace stele::server {

namespace {
constexpr size_t kVectorsMax = 256;    // per write; below IOV_MAX
constexpr size_t kSmallAnswer = 1024;  // not worth counting alone
constexpr size_t kJoined = size_t{16} << 10;
constexpr size_t kSentPerTurn = size_t{1} << 20;
constexpr size_t kFewBytes = size_t{32} << 10;  // not worth counting at all

std::shared_ptr<const void> charge_of(Budget& budget, size_t bytes) {
  auto charge = std::make_shared<BudgetCharge>();
  charge->add(budget, bytes);
  return charge;
}

// Calls visit(bytes, range) for each piece of the response in order, until it answers false. One of both is there: the
// range is the splice that has one.
template <class Visit>
bool for_each_piece(Response& response, Visit visit) {
  size_t at = 0;
  const base::Bytes head{response.head};
  for (Response::Splice& splice : response.splices) {
    if (splice.position > at && !visit(head.subspan(at, splice.position - at), nullptr)) return false;
    at = splice.position;
    if (splice.range.file != nullptr ? !visit({}, &splice) : !splice.bytes.empty() && !visit(splice.bytes, nullptr)) {
      return false;
    }
  }
  return at == head.size() || visit(head.subspan(at), nullptr);
}

}  // namespace

size_t Response::size() const {
  size_t total = head.size();
  for (const Splice& splice : splices) total += splice.size();
  return total;
}

void OutputQueue::push(Response response, Budget& budget) {
  const size_t size = response.size();
  if (size == 0) return;
  if (size < kSmallAnswer && response.splices.empty() && response.owners.empty()) {
    push_small(std::move(response), budget);
  } else {
    // Record bytes are counted already.
    if (response.head.size() >= kSmallAnswer) response.owners.push_back(charge_of(budget, response.head.size()));
    queue_.push_back({std::move(response)});
  }
  bytes_ += size;
}

void OutputQueue::push_small(Response response, Budget& budget) {
  if (!queue_.empty() && queue_.back().joins) {
    base::ByteVector& before = queue_.back().response.head;
    if (before.size() + response.head.size() <= kJoined) return base::append(before, response.head);
  }
  if (bytes_ >= kFewBytes) response.owners.push_back(charge_of(budget, kJoined));
  queue_.push_back({std::move(response), true});
}

OutputQueue::Next OutputQueue::gather(std::vector<iovec>& out) {
  out.clear();
  size_t skip = done_;
  Next next;
  const auto visit = [&](base::Bytes piece, Response::Splice* range) {
    const size_t size = range == nullptr ? piece.size() : range->range.bytes;
    if (skip >= size) {
      skip -= size;
      return true;
    }
    if (range != nullptr) {
      if (out.empty()) next = {range, skip};
      return false;
    }
    piece = piece.subspan(std::exchange(skip, 0));
    out.push_back({const_cast<std::byte*>(piece.data()), piece.size()});  // NOLINT: writev only reads
    return out.size() < kVectorsMax;
  };
  for (Waiting& waiting : queue_) {
    if (!for_each_piece(waiting.response, visit)) break;
  }
  return next;
}

void OutputQueue::consume(size_t count) {
  STELE_CHECK(count <= bytes_);
  bytes_ -= count;
  done_ += count;
  while (!queue_.empty() && done_ >= queue_.front().response.size()) {
    done_ -= queue_.front().response.size();
    queue_.pop_front();
  }
}

io::Transfer OutputQueue::flush(io::Stream& stream) {
  if (to_load_ != nullptr) return io::Transfer::kWouldBlock;
  for (size_t sent = 0; !queue_.empty() && sent < kSentPerTurn;) {
    const Next next = gather(vectors_);
    const io::TransferResult result =
        next.range != nullptr ? stream.try_send(next.range->range, next.sent) : stream.try_write(vectors_);
    if (next.range != nullptr && result.status == io::Transfer::kError && result.os_error == EAGAIN) {
      to_load_ = next.range;
      return io::Transfer::kWouldBlock;
    }
    if (result.status != io::Transfer::kDone) return result.status;
    consume(result.bytes);
    sent += result.bytes;
  }
  return io::Transfer::kDone;
}

void OutputQueue::loaded(base::Bytes bytes, std::shared_ptr<const void> owner) {
  STELE_CHECK(to_load_ != nullptr && bytes.size() == to_load_->range.bytes);
  to_load_->bytes = bytes;
  to_load_->range = {};
  to_load_ = nullptr;
  queue_.front().response.owners.push_back(std::move(owner));
}

}  // namespace stele::server
