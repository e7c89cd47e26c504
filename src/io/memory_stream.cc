#include "io/memory_stream.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <string>

#include "base/bytes.h"
#include "base/check.h"

namespace stele::io {
namespace {

struct Flow {
  explicit Flow(size_t most) : bytes_max(most) {}
  const size_t bytes_max;
  std::deque<std::byte> bytes;
  bool writer_gone = false;
  bool reader_gone = false;
  base::Signal* reader = nullptr;
  base::Signal* writer = nullptr;

  bool readable() const { return !bytes.empty() || writer_gone; }
  bool writable() const { return bytes.size() < bytes_max || reader_gone; }
  void tell_reader() { tell(reader); }
  void tell_writer() { tell(writer); }
  static void tell(base::Signal*& signal) {
    if (base::Signal* waiting = std::exchange(signal, nullptr)) waiting->set();
  }
};

class MemoryStream final : public Stream {
 public:
  MemoryStream(std::shared_ptr<Flow> in, std::shared_ptr<Flow> out) : in_(std::move(in)), out_(std::move(out)) {}
  ~MemoryStream() override {
    in_->reader = nullptr;
    out_->writer = nullptr;
    end();
  }

  TransferResult try_read(std::span<const iovec> into) override {
    if (shut_) return {Transfer::kEnd};
    if (in_->bytes.empty()) return {in_->writer_gone ? Transfer::kEnd : Transfer::kWouldBlock};
    size_t done = 0;
    for (const iovec& part : into) {
      const size_t count = std::min(part.iov_len, in_->bytes.size());
      std::copy_n(in_->bytes.begin(), count, static_cast<std::byte*>(part.iov_base));
      in_->bytes.erase(in_->bytes.begin(), in_->bytes.begin() + static_cast<std::ptrdiff_t>(count));
      done += count;
    }
    if (in_->writable()) in_->tell_writer();
    return {Transfer::kDone, done};
  }

  TransferResult try_write(std::span<const iovec> from) override {
    if (shut_ || out_->reader_gone) return {.status = Transfer::kError, .os_error = EPIPE};
    size_t done = 0;
    size_t offered = 0;
    for (const iovec& part : from) {
      offered += part.iov_len;
      const auto* start = static_cast<const std::byte*>(part.iov_base);
      const size_t count = std::min(part.iov_len, out_->bytes_max - out_->bytes.size());
      out_->bytes.insert(out_->bytes.end(), start, start + count);
      done += count;
    }
    if (done == 0) return {offered == 0 ? Transfer::kDone : Transfer::kWouldBlock};
    out_->tell_reader();
    return {Transfer::kDone, done};
  }

  void notify_readable(base::Signal* signal) override {
    in_->reader = signal;
    if (shut_ || in_->readable()) in_->tell_reader();
  }
  void notify_writable(base::Signal* signal) override {
    out_->writer = signal;
    if (shut_ || out_->writable()) out_->tell_writer();
  }

  void shutdown() override {
    if (std::exchange(shut_, true)) return;
    end();
    in_->tell_reader();
    out_->tell_writer();
  }

  const std::string& peer_address() const override { return address_; }
  uint16_t peer_port() const override { return 0; }

 private:
  void end() {
    out_->writer_gone = true;
    out_->tell_reader();
    in_->reader_gone = true;
    in_->tell_writer();
  }

  std::shared_ptr<Flow> in_;
  std::shared_ptr<Flow> out_;
  std::string address_ = "in-memory";
  bool shut_ = false;
};

}  // namespace

MemoryPipe make_memory_pipe(size_t bytes_max) {
  STELE_CHECK(bytes_max > 0);
  auto there = std::make_shared<Flow>(bytes_max);
  auto back = std::make_shared<Flow>(bytes_max);
  return {std::make_unique<MemoryStream>(there, back), std::make_unique<MemoryStream>(back, there)};
}

}  // namespace stele::io
