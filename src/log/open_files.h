// The segment files that one shard keeps open. Beyond the limit the one that was used longest ago is closed; it is
// opened again when it is needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/complaints.h"
#include "base/intrusive_list.h"

namespace stele::log {

// Outlives all that it keeps.
class OpenFiles {
 public:
  // One whose file is open. Leaves with gone(), or when it is told to let go.
  class Kept : public base::ListNode {
   public:
    virtual void let_go() = 0;

   protected:
    ~Kept() = default;
  };

  // `complaints` counts, where it is not null, how often the limit was met.
  explicit OpenFiles(size_t files_max = std::numeric_limits<size_t>::max(), base::Complaints* complaints = nullptr)
      : files_max_(files_max), complaints_(complaints) {}

  void used(Kept& kept) {
    if (kept.linked()) {
      kept.unlink();
      --count_;
    }
    while (count_ >= files_max_ && count_ > 0) {
      Kept* const oldest = kept_.pop_front();
      --count_;
      ++closed_;
      if (complaints_ != nullptr) complaints_->count(base::Limit::kOpenFiles);
      oldest->let_go();
    }
    kept_.push_back(kept);
    ++count_;
  }
  void gone(Kept& kept) {
    if (!kept.linked()) return;
    kept.unlink();
    --count_;
  }
  size_t count() const { return count_; }
  uint64_t closed() const { return closed_; }  // files closed to make room

 private:
  size_t files_max_;
  base::Complaints* complaints_;
  size_t count_ = 0;
  uint64_t closed_ = 0;
  base::IntrusiveList<Kept> kept_;
};

}  // namespace stele::log
