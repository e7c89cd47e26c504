#include "server/response.h"

#include "base/check.h"

namespace stele::server {

namespace {
constexpr size_t kVectorsMax = 256;    // per write; below IOV_MAX
constexpr size_t kSmallAnswer = 1024;  // not worth counting alone
constexpr size_t kJoined = size_t{16} << 10;
constexpr size_t kFewBytes = size_t{32} << 10;  // not worth counting at all

std::shared_ptr<const void> charge_of(Budget& budget, size_t bytes) {
  auto charge = std::make_shared<BudgetCharge>();
  charge->add(budget, bytes);
  return charge;
}

// Calls visit(bytes) for each piece of the response in order.
template <class Visit>
void for_each_piece(const Response& response, Visit visit) {
  size_t at = 0;
  const base::Bytes head{response.head};
  for (const Response::Splice& splice : response.splices) {
    if (splice.position > at) visit(head.subspan(at, splice.position - at));
    if (!splice.bytes.empty()) visit(splice.bytes);
    at = splice.position;
  }
  if (at < head.size()) visit(head.subspan(at));
}

}  // namespace

size_t Response::size() const {
  size_t total = head.size();
  for (const Splice& splice : splices) total += splice.bytes.size();
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

void OutputQueue::gather(std::vector<iovec>& out) const {
  out.clear();
  size_t skip = done_;
  for (const Waiting& waiting : queue_) {
    for_each_piece(waiting.response, [&](base::Bytes piece) {
      if (skip >= piece.size()) {
        skip -= piece.size();
        return;
      }
      piece = piece.subspan(skip);
      skip = 0;
      if (out.size() < kVectorsMax) {
        out.push_back({const_cast<std::byte*>(piece.data()), piece.size()});  // NOLINT: writev only reads
      }
    });
    if (out.size() >= kVectorsMax) return;
  }
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
  while (!queue_.empty()) {
    gather(vectors_);
    const io::TransferResult result = stream.try_write(vectors_);
    if (result.status != io::Transfer::kDone) return result.status;
    consume(result.bytes);
  }
  return io::Transfer::kDone;
}

}  // namespace stele::server
