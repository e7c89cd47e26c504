// A doubly linked list of objects that carry their own links: no allocation, and a node leaves its list when it is
// destroyed.
#pragma once

#include "base/check.h"

namespace stele::base {

class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { unlink(); }

  bool linked() const { return next_ != nullptr; }
  void unlink() {
    if (!linked()) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = nullptr;
  }

 private:
  template <class T>
  friend class IntrusiveList;
  ListNode* next_ = nullptr;
  ListNode* previous_ = nullptr;
};

// T derives from ListNode. Owns nothing; a list that is destroyed lets its nodes go.
template <class T>
class IntrusiveList {
 public:
  IntrusiveList() { head_.next_ = head_.previous_ = &head_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() {
    while (!empty()) head_.next_->unlink();
    head_.next_ = head_.previous_ = nullptr;
  }

  bool empty() const { return head_.next_ == &head_; }
  T& front() const {
    STELE_CHECK(!empty());
    return static_cast<T&>(*head_.next_);
  }
  void push_back(T& item) { insert_before(head_, item); }
  T* pop_front() {
    if (empty()) return nullptr;
    T& item = front();
    static_cast<ListNode&>(item).unlink();
    return &item;
  }
  // Calls visit(item) for each; visit may unlink or destroy the item it is given, no other.
  template <class Visit>
  void for_each(Visit visit) {
    for (ListNode* at = head_.next_; at != &head_;) {
      ListNode* next = at->next_;
      visit(static_cast<T&>(*at));
      at = next;
    }
  }
  // Moves every node of `other` to the end of this list.
  void splice_back(IntrusiveList& other) {
    while (T* item = other.pop_front()) push_back(*item);
  }

 private:
  static void insert_before(ListNode& position, ListNode& node) {
    STELE_CHECK(!node.linked());
    node.next_ = &position;
    node.previous_ = position.previous_;
    position.previous_->next_ = &node;
    position.previous_ = &node;
  }

  ListNode head_;
};

}  // namespace stele::base
