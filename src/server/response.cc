#include "server/response.h"

#include "base/check.h"

namespace stele::server {

namespace {
constexpr size_t kVectorsMax = 256;  // per write; below IOV_MAX

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

void OutputQueue::push(Response response) {
  const size_t size = response.size();
  if (size == 0) return;
  bytes_ += size;
  queue_.push_back(std::move(response));
}

void OutputQueue::gather(std::vector<iovec>& out) const {
  out.clear();
  size_t skip = done_;
  for (const Response& response : queue_) {
    for_each_piece(response, [&](base::Bytes piece) {
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
  while (!queue_.empty() && done_ >= queue_.front().size()) {
    done_ -= queue_.front().size();
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
