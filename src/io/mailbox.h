// How mail travels between threads: each shard has one inbox, into which any thread pushes whole batches without a
// lock.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "io/shard.h"

namespace stele::io {

// A list of mail, newest first, held by one thread.
struct MailBatch {
  Mail* newest = nullptr;
  Mail* oldest = nullptr;

  bool empty() const { return newest == nullptr; }
  void add(std::unique_ptr<Mail> mail) {
    Mail* raw = mail.release();
    raw->next = newest;
    newest = raw;
    if (oldest == nullptr) oldest = raw;
  }
};

class Inbox {
 public:
  Inbox() = default;
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;
  ~Inbox() { clear(); }

  bool empty() const { return newest_.load() == nullptr; }

  // From any thread. Batches of one thread are taken in the order in which it pushed them.
  void push(MailBatch batch) {
    Mail* before = newest_.load(std::memory_order_relaxed);
    do {
      batch.oldest->next = before;
    } while (!newest_.compare_exchange_weak(before, batch.newest));
  }

  // Everything that was pushed, oldest first. By the owner.
  Mail* take() {
    Mail* newest = newest_.exchange(nullptr);
    Mail* oldest = nullptr;
    while (newest != nullptr) {
      Mail* before = std::exchange(newest->next, oldest);
      oldest = newest;
      newest = before;
    }
    return oldest;
  }

  // Destroys everything undelivered.
  void clear() {
    for (Mail* mail = take(); mail != nullptr;) {
      std::unique_ptr<Mail> owned{mail};
      mail = mail->next;
    }
  }

 private:
  std::atomic<Mail*> newest_{nullptr};
};

}  // namespace stele::io
