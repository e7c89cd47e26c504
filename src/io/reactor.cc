#include "io/reactor.h"

#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstddef>
#include <utility>

#include "base/check.h"

namespace stele::io {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;

// Shared by the owner and by the waits that Asio still holds: a cancelled wait reports back after the owner has gone.
struct Watch::State {
  State(asio::io_context& context, int fd) : descriptor(context) {
    boost::system::error_code failed;
    descriptor.assign(fd, failed);
    if (failed) ::close(fd);
  }

  // The memory of the one wait that may be under way in a direction.
  struct Slot {
    alignas(std::max_align_t) std::array<std::byte, 256> memory;
    bool memory_taken = false;
    bool armed = false;
    base::Signal* signal = nullptr;
  };

  Slot& slot(Direction direction) { return slots[static_cast<size_t>(direction)]; }
  void arm(Direction direction);
  void report(Direction direction) {
    Slot& of = slot(direction);
    of.armed = false;
    if (base::Signal* signal = std::exchange(of.signal, nullptr)) signal->set();
  }

  Descriptor descriptor;
  std::array<Slot, 2> slots;
  uint32_t references = 1;
};

namespace {

template <class State>
class StateReference {
 public:
  explicit StateReference(State* state) : state_(state) { ++state_->references; }
  StateReference(const StateReference& other) : StateReference(other.state_) {}
  StateReference& operator=(const StateReference&) = delete;
  ~StateReference() {
    if (--state_->references == 0) delete state_;
  }
  State* operator->() const { return state_; }

 private:
  State* state_;
};

// Gives Asio the slot's memory for its operation, or the heap where that is taken or too small.
template <class T, class Slot>
struct SlotAllocator {
  using value_type = T;
  template <class U>
  struct rebind {
    using other = SlotAllocator<U, Slot>;
  };

  Slot* slot;

  explicit SlotAllocator(Slot* of) : slot(of) {}
  template <class U>
  SlotAllocator(const SlotAllocator<U, Slot>& other) : slot(other.slot) {}  // NOLINT(google-explicit-constructor)
  template <class U>
  bool operator==(const SlotAllocator<U, Slot>& other) const {
    return slot == other.slot;
  }

  T* allocate(size_t count) {
    if (slot->memory_taken || count * sizeof(T) > slot->memory.size()) {
      return static_cast<T*>(::operator new(count * sizeof(T)));
    }
    slot->memory_taken = true;
    return reinterpret_cast<T*>(slot->memory.data());
  }
  void deallocate(T* at, size_t) {
    if (reinterpret_cast<std::byte*>(at) == slot->memory.data()) {
      slot->memory_taken = false;
    } else {
      ::operator delete(at);
    }
  }
};

template <class State, class Slot>
struct ReadyHandler {
  StateReference<State> state;
  Direction direction;

  using allocator_type = SlotAllocator<std::byte, Slot>;
  allocator_type get_allocator() const { return allocator_type{&state->slot(direction)}; }
  void operator()(const boost::system::error_code&) const { state->report(direction); }
};

}  // namespace

void Watch::State::arm(Direction direction) {
  slot(direction).armed = true;
  descriptor.async_wait(direction == Direction::kRead ? Descriptor::wait_read : Descriptor::wait_write,
                        ReadyHandler<State, Slot>{StateReference<State>{this}, direction});
}

Watch::Watch(State* state) : state_(state) {}
Watch::Watch(Watch&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
Watch& Watch::operator=(Watch&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}

Watch::~Watch() {
  if (state_ == nullptr) return;
  for (State::Slot& slot : state_->slots) slot.signal = nullptr;
  boost::system::error_code ignored;
  state_->descriptor.close(ignored);
  if (--state_->references == 0) delete state_;
}

int Watch::fd() const { return state_->descriptor.is_open() ? state_->descriptor.native_handle() : -1; }

void Watch::notify(Direction direction, base::Signal* signal) {
  State::Slot& slot = state_->slot(direction);
  slot.signal = signal;
  if (signal == nullptr || slot.armed) return;
  if (state_->descriptor.is_open()) {
    state_->arm(direction);
  } else {
    state_->report(direction);
  }
}

void Watch::wake_all() {
  for (State::Slot& slot : state_->slots) {
    if (base::Signal* signal = std::exchange(slot.signal, nullptr)) signal->set();
  }
}

int Watch::release() {
  for (State::Slot& slot : state_->slots) slot.signal = nullptr;
  return state_->descriptor.is_open() ? state_->descriptor.release() : -1;
}

// One thread at a time uses a context and nobody posts to it from outside, so Asio needs no locks.
struct Reactor::Impl {
  asio::io_context context{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE};
};

Reactor::Reactor() : impl_(std::make_unique<Impl>()) {}
Reactor::~Reactor() = default;

Watch Reactor::watch(int fd) { return Watch{new Watch::State{impl_->context, fd}}; }

void Reactor::poll() {
  impl_->context.restart();
  impl_->context.poll();
}

void Reactor::wait(base::Duration longest) {
  impl_->context.restart();
  const size_t handled =
      longest < base::Duration::zero() ? impl_->context.run_one() : impl_->context.run_one_for(longest);
  if (handled != 0) impl_->context.poll();
}

}  // namespace stele::io
