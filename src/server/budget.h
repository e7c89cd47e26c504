// How many bytes of requests one shard may hold, for one class of traffic. Charged as bytes arrive, never as they are
// announced.
#pragma once

#include <cstddef>
#include <memory_resource>

#include "base/check.h"
#include "base/executor.h"
#include "base/intrusive_list.h"

namespace stele::server {

// Classes of requests that never wait for one another's memory.
enum class RequestClass { kData, kControl, kGroups };
inline constexpr size_t kRequestClasses = 3;

// Invariant: used() stays under the limit, save for one holder of the reserve, whose frame may grow to the largest
// allowed size: so one frame always fits and a full budget always drains. Owned by a shard, used on it alone.
class Budget {
 public:
  explicit Budget(size_t limit_bytes) : limit_(limit_bytes) {}

  // One who holds or wants bytes; a connection has one for each class it uses. Leaves every queue when destroyed.
  class Holder : public base::ListNode {
   public:
    Holder(Budget& budget, base::Signal& wake) : budget_(&budget), wake_(&wake) {}
    Holder(const Holder&) = delete;
    Holder& operator=(const Holder&) = delete;
    ~Holder() {
      if (budget_->reserve_ == this) budget_->give_reserve_back();
    }
    // False: nothing was charged, and `wake` is set once it is worth another try.
    bool charge(size_t bytes) { return budget_->charge(*this, bytes); }
    // The frame that was being read is whole: its bytes stay charged, the reserve goes to the next in line.
    void frame_done() {
      if (budget_->reserve_ == this) budget_->give_reserve_back();
    }

   private:
    friend class Budget;
    Budget* budget_;
    base::Signal* wake_;
  };

  // Charges what is already in memory: may pass the limit, by at most one pool buffer for each connection.
  void force(size_t bytes) { used_ += bytes; }
  bool exhausted() const { return used_ >= limit_; }
  size_t available() const { return used_ < limit_ ? limit_ - used_ : 0; }
  // `holder` is woken once the budget is no longer exhausted.
  void await_room(Holder& holder) {
    ++refusals_;
    if (!holder.linked()) waiting_.push_back(holder);
  }

  void release(size_t bytes) {
    STELE_CHECK(bytes <= used_, "releasing {} of {}", bytes, used_);
    used_ -= bytes;
    if (used_ < limit_) wake_all();
  }
  size_t used() const { return used_; }
  size_t limit() const { return limit_; }
  size_t refusals() const { return refusals_; }  // times that a holder had to wait

 private:
  bool charge(Holder& holder, size_t bytes) {
    const bool fits = used_ + bytes <= limit_;
    if (!fits && reserve_ == nullptr) reserve_ = &holder;
    if (fits || reserve_ == &holder) {
      used_ += bytes;
      return true;
    }
    await_room(holder);
    return false;
  }
  void give_reserve_back() {
    reserve_ = nullptr;
    wake_all();
  }
  void wake_all() {
    while (Holder* holder = waiting_.pop_front()) holder->wake_->set();
  }

  size_t limit_;
  size_t used_ = 0;
  size_t refusals_ = 0;
  Holder* reserve_ = nullptr;
  base::IntrusiveList<Holder> waiting_;
};

// Memory that is charged for as long as it is held. Lives on the budget's shard; without a budget it only allocates.
class ChargedMemory final : public std::pmr::memory_resource {
 public:
  explicit ChargedMemory(Budget* budget) : budget_(budget) {}
  size_t held() const { return held_; }

 private:
  void* do_allocate(size_t bytes, size_t alignment) override {
    void* const at = std::pmr::new_delete_resource()->allocate(bytes, alignment);
    if (budget_ != nullptr) budget_->force(bytes);
    held_ += bytes;
    return at;
  }
  void do_deallocate(void* at, size_t bytes, size_t alignment) override {
    if (budget_ != nullptr) budget_->release(bytes);
    held_ -= bytes;
    std::pmr::new_delete_resource()->deallocate(at, bytes, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  Budget* budget_;
  size_t held_ = 0;
};

// Bytes that stay charged for as long as it lives. Lives on the budget's shard.
class BudgetCharge {
 public:
  BudgetCharge() = default;
  BudgetCharge(const BudgetCharge&) = delete;
  BudgetCharge& operator=(const BudgetCharge&) = delete;
  ~BudgetCharge() {
    if (budget_ != nullptr) budget_->release(bytes_);
  }
  void add(Budget& budget, size_t bytes) {
    STELE_CHECK(budget_ == nullptr || budget_ == &budget);
    budget_ = &budget;
    budget_->force(bytes);
    bytes_ += bytes;
  }

 private:
  Budget* budget_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace stele::server
