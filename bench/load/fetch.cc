#include "load/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "load/frames.h"
#include "record/batch.h"

namespace stele::bench {

namespace {
constexpr int16_t kFetch = 1;
constexpr int32_t kWaitMs = 500;
constexpr int kLostAfterMs = 60'000;
}  // namespace

Readers::Readers(const FetchOptions& options, std::vector<int64_t> starts, std::vector<int64_t> ends)
    : options_(options),
      starts_(std::move(starts)),
      ends_(std::move(ends)),
      readers_(static_cast<size_t>(options.readers)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  for (size_t i = 0; i < readers_.size(); ++i) {
    Reader& reader = readers_[i];
    reader.fd = connect_to(options.address);
    ::fcntl(reader.fd, F_SETFL, ::fcntl(reader.fd, F_GETFL) | O_NONBLOCK);
    reader.positions = options.tail ? ends_ : starts_;
    epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.u64 = i}};
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, reader.fd, &event) != 0) fail("epoll_ctl");
  }
}

Readers::~Readers() {
  for (const Reader& reader : readers_) ::close(reader.fd);
  ::close(epoll_);
}

void Readers::ask(Reader& reader, bool once) {
  auto wanted = [&](size_t partition) { return options_.tail || reader.positions[partition] < ends_[partition]; };
  const size_t partitions = reader.positions.size();
  int32_t count = 0;
  for (size_t i = 0; i < partitions; ++i) count += wanted(i);
  if (count == 0) {
    if (once) {
      reader.done = true;
      return;
    }
    reader.positions = starts_;
    count = static_cast<int32_t>(partitions);
  }
  FrameWriter frame(kFetch, 11);
  frame.put(int32_t{-1}).put(kWaitMs).put(int32_t{1}).put(options_.answer_bytes).put(int8_t{0});
  frame.put(int32_t{0}).put(int32_t{-1}).put(int32_t{1}).text(options_.topic).put(count);
  for (size_t i = 0; i < partitions; ++i) {
    const size_t partition = (reader.first + i) % partitions;
    if (!wanted(partition)) continue;
    frame.put(static_cast<int32_t>(partition)).put(int32_t{-1}).put(reader.positions[partition]);
    frame.put(int64_t{-1}).put(options_.partition_bytes);
  }
  reader.first = (reader.first + 1) % partitions;
  frame.put(int32_t{0}).text("");
  reader.frame = std::move(frame).done();
  base::store_be(reader.frame.data() + kCorrelationAt, ++reader.correlation);
  reader.asked_at = now_ns();
  const ssize_t sent = ::send(reader.fd, reader.frame.data(), reader.frame.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(reader.frame.size())) fail("a fetch request was not taken whole");
}

void Readers::walk(int64_t& position, base::Bytes records, Phase& out) const {
  while (records.size() >= record::kBatchHeaderSize) {
    const auto batch = record::BatchView::open(records);
    if (!batch) fail("what was fetched is no batch");
    if (!batch->is_whole()) break;
    if (batch->base_offset().value() != position) {
      fail(fmt::format("offset {} was wanted, {} came", position, batch->base_offset().value()));
    }
    if (options_.check && !batch->crc_valid()) fail("a checksum does not fit");
    position = batch->next_offset().value();
    out.records += batch->record_count();
    out.batch_bytes += static_cast<int64_t>(batch->size());
    records = records.subspan(batch->size());
  }
}

void Readers::take(Reader& reader, base::Bytes answer, Phase& out) {
  FrameReader in(answer);
  if (in.get<int32_t>() != reader.correlation) fail("an answer to another request");
  in.get<int32_t>();
  if (const auto error = in.get<int16_t>()) fail(fmt::format("fetch: error {}", error));
  in.get<int32_t>();
  for (auto topics = in.get<int32_t>(); topics > 0; --topics) {
    in.text();
    for (auto partitions = in.get<int32_t>(); partitions > 0; --partitions) {
      const auto partition = in.get<int32_t>();
      const auto error = in.get<int16_t>();
      if (error != 0) fail(fmt::format("fetch of partition {}: error {}", partition, error));
      in.skip(24);
      if (in.get<int32_t>() > 0) fail("aborted transactions that nobody began");
      in.get<int32_t>();
      const auto size = in.get<int32_t>();
      if (size > 0) walk(reader.positions.at(static_cast<size_t>(partition)), in.skip(static_cast<size_t>(size)), out);
    }
  }
  out.latency.record(now_ns() - reader.asked_at);
  ++out.requests;
}

void Readers::loop(int64_t bytes, int64_t deadline, bool once, Phase& out) {
  out.before = usage(options_.pid);
  size_t waiting = 0;
  auto ask_next = [&](Reader& reader) {
    const bool over = out.batch_bytes >= bytes || (deadline > 0 && now_ns() >= deadline);
    if (over) return;
    ask(reader, once);
    waiting += !reader.done;
  };
  for (Reader& reader : readers_) ask_next(reader);
  while (waiting > 0) {
    std::array<epoll_event, 64> events;
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), kLostAfterMs);
    if (count == 0) fail("answers are lost");
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < count; ++i) {
      Reader& reader = readers_[events[static_cast<size_t>(i)].data.u64];
      bool answered = false;
      const bool open = reader.inbox.drain(reader.fd, [&](base::Bytes answer) {
        take(reader, answer, out);
        answered = true;
      });
      if (!open) fail("the broker closed a connection");
      if (!answered) continue;
      --waiting;
      ask_next(reader);
    }
  }
  out.uncompressed_bytes = out.batch_bytes;
  out.after = usage(options_.pid);
  out.resident = resident_bytes(options_.pid);
}

void Readers::run(int64_t bytes, double seconds, Phase& out) {
  const int64_t deadline = seconds > 0 ? now_ns() + static_cast<int64_t>(seconds * 1e9) : 0;
  loop(bytes, deadline, false, out);
}

void Readers::pass(Phase& out) {
  for (Reader& reader : readers_) {
    reader.positions = starts_;
    reader.done = false;
  }
  loop(INT64_MAX, 0, true, out);
  int64_t wanted = 0;
  for (size_t i = 0; i < starts_.size(); ++i) wanted += ends_[i] - starts_[i];
  wanted *= static_cast<int64_t>(readers_.size());
  if (out.records != wanted) fail(fmt::format("{} records were read, {} are there", out.records, wanted));
}

}  // namespace stele::bench
