#include "server/connection.h"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "base/complaints.h"
#include "record/batch.h"

namespace stele::server {

using base::Limit;

namespace {

// Then other connections get their turn.
constexpr int kReadsPerStep = 8;
constexpr int kRequestsPerStep = 32;
constexpr size_t kWorkPerStep = size_t{64} << 10;  // bytes of answers without their records, an eighth of requests

// Whether the bytes are whole batches whose checksums hold.
bool all_sound(base::Bytes bytes) {
  record::BatchReader batches{bytes};
  while (true) {
    const auto batch = batches.next();
    if (!batch.ok() || (*batch && !(*batch)->crc_valid())) return false;
    if (!*batch) return batches.end() == record::BatchEnd::kClean;
  }
}

std::string describe(const std::exception_ptr& fault) {
  try {
    std::rethrow_exception(fault);
  } catch (const std::exception& error) {
    return error.what();
  }
}

}  // namespace

Connection::Connection(ConnectionContext context, std::unique_ptr<io::Stream> stream, ConnectionInfo info)
    : context_(context),
      stream_(std::move(stream)),
      info_(std::move(info)),
      wake_(context.shard.executor()),
      holders_{{context.budgets[0], wake_}, {context.budgets[1], wake_}, {context.budgets[2], wake_}},
      waiting_to_start_(context.router.pipelined_waiters(), wake_),
      input_(context.pool, context.limits.frame_bytes_max),
      last_active_(context.shard.clock().now()),
      partial_since_(last_active_),
      stalled_since_(last_active_),
      requests_(context.shard.executor(), [this](std::exception_ptr fault) {
        context_.shard.complaints().error("request of {} failed: {}", info_.client_address, describe(fault));
        close("a request failed");
      }) {
  info_.sends_files = stream_->sends_files();
}

base::Task<void> Connection::run() {
  while (true) {
    const Step result = step();
    if (result == Step::kClosed) break;
    if (result == Step::kAgain) {
      co_await base::give_way(context_.shard.executor());
    } else {
      co_await wake_.wait();
    }
  }
  stream_->notify_readable(nullptr);
  stream_->notify_writable(nullptr);
  if (closing_ != nullptr) {
    context_.shard.log().debug("connection of {}:{} closed: {}", info_.client_address, info_.client_port, closing_);
  }
}

void Connection::close(const char* reason) {
  if (closing_ == nullptr) closing_ = reason;
  wake_.set();
}

void Connection::close_when_answered() {
  draining_ = true;
  wake_.set();
}

bool Connection::works_on_something() const {
  return std::ranges::any_of(slots_, [this](const Slot& slot) { return context_.router.ends_soon(slot.api_key); });
}

void Connection::check_deadlines(base::MonoTime now) {
  const ConnectionLimits& limits = context_.limits;
  if (!output_.empty() && now - stalled_since_ > limits.write_stall_max) {
    give_up(Limit::kWriteTimeout, "the client does not read its answers");
  } else if (input_.partial() && !input_.whole() && !held_up_ && now - partial_since_ > limits.partial_frame_max) {
    give_up(Limit::kFrameTimeout, "a request did not arrive whole in time");
  } else if (limits.idle_max >= base::Duration{} && now - last_active_ > limits.idle_max) {
    // Whatever it waits for, as Kafka has it.
    context_.shard.complaints().count(Limit::kIdle);
    close("idle");
  }
}

// Ends a connection whose client is to blame.
void Connection::give_up(Limit limit, const char* reason) {
  if (closing_ == nullptr) {
    context_.shard.complaints().reached(limit, "connection of {}:{} closed: {}", info_.client_address,
                                        info_.client_port, reason);
  }
  close(reason);
}

Connection::Step Connection::step() {
  wake_.reset();
  work_ = 0;
  int requests = 0;
  for (int reads = 0; reads < kReadsPerStep;) {
    while (requests < kRequestsPerStep && work_ < kWorkPerStep && start_requests()) ++requests;
    take_answers();
    if (!flush() || closing_ != nullptr) return Step::kClosed;
    if (std::exchange(more_to_send_, false)) return Step::kAgain;
    if (close_after_answers_ && output_.empty()) return Step::kClosed;
    if (draining_ && output_.empty() && !works_on_something()) return Step::kClosed;
    if (ended_ && output_.empty() && !works_on_something() && (!input_.whole() || !slots_.empty()))
      return Step::kClosed;
    if (requests == kRequestsPerStep || work_ >= kWorkPerStep) return Step::kAgain;
    if (!reading_pays()) {
      held_up_ = true;
      break;
    }
    const Step result = read();
    if (result == Step::kClosed) return result;
    if (result == Step::kWait) {
      input_.settle(budget());
      return result;
    }
    ++reads;
    if (reads == kReadsPerStep || context_.shard.maybe("server.short_turn")) return Step::kAgain;
  }
  input_.settle(budget());
  return Step::kWait;
}

// Starts what may start; true where it may be worth another call.
bool Connection::start_requests() {
  take_answers();
  if (closing_ != nullptr || close_after_answers_ || draining_) return false;
  if (!input_.size_valid()) {
    context_.shard.complaints().reached(
        Limit::kFrameBytes, "connection of {}:{} closed: a frame of {} bytes where 1 to {} are allowed",
        info_.client_address, info_.client_port, *input_.announced(), context_.limits.frame_bytes_max);
    close("invalid frame size");
    return false;
  }
  const auto api_key = input_.api_key();
  if (!api_key || !may_start(*api_key) || waits_for_waiters(*api_key)) return false;
  auto frame = input_.next();
  if (!frame) return false;
  held_ = false;
  work_ += frame->bytes.size() / 8;
  start(*std::move(frame), context_.router.pipelined(*api_key));
  return true;
}

bool Connection::may_start(int16_t api_key) {
  if (output_.bytes() >= context_.limits.response_bytes_waiting_max) return hold(Limit::kAnswerBytes);
  if (slots_.empty()) return true;
  if (slots_.size() >= context_.limits.requests_in_flight_max) return hold(Limit::kRequestsInFlight);
  // What came in one read may grow while it is worked on: then it waits for what was started before it.
  return !exclusive_ && context_.router.pipelined(api_key) &&
         !context_.budgets[static_cast<size_t>(context_.router.class_of(api_key))].exhausted();
}

// Counts a limit that keeps the next request waiting, once for each; false. No line: a client that sends ahead of its
// answers, as it may, meets them all the time.
bool Connection::hold(Limit limit) {
  if (!held_) context_.shard.complaints().count(limit);
  held_ = true;
  return false;
}

// True where so many pipelined requests wait on this shard that this one must not; it is woken when it may.
bool Connection::waits_for_waiters(int16_t api_key) {
  Budget& waiters = context_.router.pipelined_waiters();
  if (!waiters.exhausted() || !context_.router.pipelined(api_key)) return false;
  if (!std::exchange(held_, true)) {
    context_.shard.complaints().reached(Limit::kProduceWaiters, "{} produces wait, further ones are not read",
                                        waiters.used());
  }
  waiters.await_room(waiting_to_start_);
  return true;
}

void Connection::start(Frame frame, bool pipelined) {
  holders_[static_cast<size_t>(class_)].frame_done();
  if (frame.bytes.size() >= 2) class_ = context_.router.class_of(base::load_be<int16_t>(frame.bytes.data()));
  exclusive_ = !pipelined;
  last_active_ = partial_since_ = context_.shard.clock().now();
  if (spare_slots_.empty()) {
    slots_.emplace_back();
  } else {
    slots_.splice(slots_.end(), spare_slots_);
  }
  // What may wait for long must not keep, and have charged, a whole buffer for a few bytes.
  if (!pipelined && frame.bytes.size() <= BufferPool::kSmallBytes && frame.bytes.size() >= 2 &&
      !context_.router.ends_soon(base::load_be<int16_t>(frame.bytes.data()))) {
    Lease small = context_.pool.take(BufferPool::kSmallBytes);
    std::ranges::copy(frame.bytes, small->bytes().begin());
    frame = {small->bytes().first(frame.bytes.size()), std::move(small)};
  }
  Slot& slot = slots_.back();
  if (frame.bytes.size() >= 2) slot.api_key = base::load_be<int16_t>(frame.bytes.data());
  slot.arrived = read_at_;
  slot.request_bytes = frame.bytes.size();
  slot.request = {frame.bytes, std::move(frame.lease), &info_, last_active_, &budget()};
  requests_.spawn(serve(slot));
  if (!slot.done && slot.request.lease) slot.request.lease.charge_to(budget());
}

base::Task<void> Connection::serve(Slot& slot) {
  slot.outcome = co_await context_.router.handle(slot.request, slot.response);
  slot.request.lease = {};
  slot.done = true;
  wake_.set();
}

void Connection::take_answers() {
  // Behind the place of an answer that does not come nothing may be sent.
  if (close_after_answers_ || slots_.empty() || !slots_.front().done) return;
  const base::MonoTime now = context_.shard.clock().read();
  while (!slots_.empty() && slots_.front().done) {
    Slot& slot = slots_.front();
    const size_t response_bytes = slot.outcome == Outcome::kRespond ? slot.response.size() : 0;
    context_.traffic.answered(slot.api_key, slot.request_bytes, response_bytes, now - slot.arrived);
    if (slot.outcome == Outcome::kRespond) {
      if (output_.empty()) stalled_since_ = context_.shard.clock().now();
      work_ += slot.response.head.size();
      output_.push(std::move(slot.response), *slot.request.budget);
    } else if (slot.outcome == Outcome::kClose) {
      close_after_answers_ = true;
    }
    if (spare_slots_.empty()) {
      slot = {};
      spare_slots_.splice(spare_slots_.begin(), slots_, slots_.begin());
    } else {
      slots_.pop_front();
    }
    if (close_after_answers_) return;
  }
}

bool Connection::flush() {
  if (output_.empty()) return true;
  const size_t before = output_.bytes();
  const io::Transfer result = output_.flush(*stream_);
  if (output_.bytes() != before) last_active_ = stalled_since_ = context_.shard.clock().now();
  if (const io::FileRange* const missing = output_.to_load()) {
    if (!std::exchange(loading_, true)) requests_.spawn(load(*missing));
    return true;
  }
  if (result == io::Transfer::kWouldBlock) {
    stream_->notify_writable(&wake_);
    return true;
  }
  more_to_send_ = !output_.empty();
  return result == io::Transfer::kDone;
}

// Records that were to be sent from the page cache have left it: what comes from the disk is checked again. Where it is
// damaged the answer, of which a part may be sent, cannot be ended; asked again, the log tells the damage.
base::Task<void> Connection::load(io::FileRange range) {
  context_.shard.mark("server.loaded_to_send");
  struct Loaded {
    std::unique_ptr<std::byte[]> buffer;
    BudgetCharge charge;
  };
  auto owner = std::make_shared<Loaded>();
  owner->charge.add(context_.budgets[static_cast<size_t>(RequestClass::kData)], range.bytes);
  owner->buffer = std::make_unique_for_overwrite<std::byte[]>(range.bytes);
  const base::MutableBytes bytes{owner->buffer.get(), range.bytes};
  const std::unique_ptr<io::File> file = range.file->file_on(context_.shard);
  const base::Result<size_t> got = co_await file->read(range.offset, bytes);
  if (!got.ok() || *got < range.bytes || !all_sound(bytes) || range.file->cuts() != range.cuts) {
    context_.shard.complaints().warn("connection of {}:{} closed: records that were to be sent {}",
                                     info_.client_address, info_.client_port,
                                     got.ok() ? "were cut or damaged meanwhile" : got.error().message);
    close("records could not be sent");
    co_return;
  }
  output_.loaded(bytes, std::move(owner));
  loading_ = false;
  wake_.set();
}

// More input is of use only where a further request could start, or where the frame being read is not whole.
bool Connection::reading_pays() {
  if (close_after_answers_ || draining_ || ended_ || output_.bytes() >= context_.limits.response_bytes_waiting_max)
    return false;
  const auto api_key = input_.api_key();
  if (!input_.whole() && (!api_key || slots_.empty() || may_start(*api_key))) return true;
  // Only a read tells that the client is gone, and one that left a long poll must not be kept to its end, whatever it
  // sent behind it.
  return input_.may_read_ahead();
}

Connection::Step Connection::read() {
  if (const auto api_key = input_.api_key()) class_ = context_.router.class_of(*api_key);
  Budget::Holder& holder = holders_[static_cast<size_t>(class_)];
  if (!input_.partial() && budget().exhausted()) {
    budget().await_room(holder);
    return wait_for_memory();
  }
  if (!input_.make_room(holder, budget())) {
    held_up_ = true;
    return wait_for_memory();
  }
  const bool partial_before = input_.partial();
  const io::TransferResult result = input_.fill(*stream_);
  switch (result.status) {
    case io::Transfer::kDone:
      last_active_ = context_.shard.clock().now();
      read_at_ = context_.shard.clock().read();
      if (std::exchange(held_up_, false) || !partial_before) partial_since_ = last_active_;
      return Step::kAgain;
    case io::Transfer::kWouldBlock:
      if (std::exchange(held_up_, false)) partial_since_ = context_.shard.clock().now();
      stream_->notify_readable(&wake_);
      return Step::kWait;
    case io::Transfer::kEnd:
      ended_ = true;
      if (input_.whole() || works_on_something()) return Step::kAgain;
      [[fallthrough]];
    case io::Transfer::kError:
      if (partial_before) {
        context_.shard.complaints().info("connection of {}:{} was closed by the client in the middle of a request",
                                         info_.client_address, info_.client_port);
      }
      return Step::kClosed;
  }
  return Step::kClosed;
}

Connection::Step Connection::wait_for_memory() {
  constexpr std::array kOfClass{Limit::kMemoryData, Limit::kMemoryControl, Limit::kMemoryGroups};
  context_.shard.complaints().reached(kOfClass.at(static_cast<size_t>(class_)),
                                      "connection of {}:{} is not read for now: requests hold {} of {} bytes",
                                      info_.client_address, info_.client_port, budget().used(), budget().limit());
  return Step::kWait;
}

Budget& Connection::budget() { return context_.budgets[static_cast<size_t>(class_)]; }

}  // namespace stele::server
