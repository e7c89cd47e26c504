// An ordered map that is copied by taking its root: versions share what they have in common, and a change makes anew
// only the path to what it touches. A treap whose priorities come from the keys, so that equal contents have equal
// shapes whatever the order of the changes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

namespace stele::metadata {

// Names one builder. Nodes made under an edit may be changed in place under the same edit; the builder gives its edit
// up before anyone else sees the map. 0 never changes in place.
using EditId = uint64_t;

template <class K, class V>
class PersistentMap {
  struct Node;
  using Link = std::shared_ptr<Node>;
  struct Node {
    Node(const K& k, V v, uint64_t p, EditId e) : key(k), value(std::move(v)), priority(p), edit(e) {}
    K key;
    V value;
    uint64_t priority;
    EditId edit;
    size_t size = 1;
    Link left;
    Link right;
  };

 public:
  size_t size() const { return count(root_); }
  bool empty() const { return root_ == nullptr; }
  // Two maps with the same root are equal without looking.
  bool same_as(const PersistentMap& other) const { return root_ == other.root_; }

  // Null where absent. Valid while this version, or another that holds the same node, lives.
  const V* find(const K& key) const {
    const Node* at = root_.get();
    while (at != nullptr) {
      if (key < at->key) {
        at = at->left.get();
      } else if (at->key < key) {
        at = at->right.get();
      } else {
        return &at->value;
      }
    }
    return nullptr;
  }
  bool contains(const K& key) const { return find(key) != nullptr; }

  void set(const K& key, V value, EditId edit) { root_ = insert(root_, key, std::move(value), mix(key), edit); }
  // False where it was not there.
  bool erase(const K& key, EditId edit) {
    if (!contains(key)) return false;
    root_ = remove(root_, key, edit);
    return true;
  }

  // In the order of the keys. f(key, value); one that returns bool stops the walk with false.
  template <class F>
  void for_each(F&& f) const {
    walk(root_.get(), nullptr, f);
  }
  // The same, from the first key that is not below `from`.
  template <class F>
  void for_each_from(const K& from, F&& f) const {
    walk(root_.get(), &from, f);
  }

 private:
  static size_t count(const Link& link) { return link ? link->size : 0; }
  static void recount(Node& node) { node.size = 1 + count(node.left) + count(node.right); }
  static uint64_t mix(const K& key) {
    uint64_t z = std::hash<K>{}(key) + 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  static Link own(const Link& node, EditId edit) {
    if (edit != 0 && node->edit == edit) return node;
    Link copy = std::make_shared<Node>(*node);
    copy->edit = edit;
    return copy;
  }

  static Link insert(const Link& at, const K& key, V value, uint64_t priority, EditId edit) {
    if (!at) return std::make_shared<Node>(key, std::move(value), priority, edit);
    Link node = own(at, edit);
    if (key < node->key) {
      node->left = insert(node->left, key, std::move(value), priority, edit);
      if (node->left->priority > node->priority) return rotate_right(std::move(node));
    } else if (node->key < key) {
      node->right = insert(node->right, key, std::move(value), priority, edit);
      if (node->right->priority > node->priority) return rotate_left(std::move(node));
    } else {
      node->value = std::move(value);
    }
    recount(*node);
    return node;
  }
  // The child that comes up was owned by the insertion below.
  static Link rotate_right(Link node) {
    Link up = std::move(node->left);
    node->left = std::move(up->right);
    recount(*node);
    up->right = std::move(node);
    recount(*up);
    return up;
  }
  static Link rotate_left(Link node) {
    Link up = std::move(node->right);
    node->right = std::move(up->left);
    recount(*node);
    up->left = std::move(node);
    recount(*up);
    return up;
  }
  static Link remove(const Link& at, const K& key, EditId edit) {
    if (!(key < at->key) && !(at->key < key)) return join(at->left, at->right, edit);
    Link node = own(at, edit);
    if (key < node->key) {
      node->left = remove(node->left, key, edit);
    } else {
      node->right = remove(node->right, key, edit);
    }
    recount(*node);
    return node;
  }
  static Link join(const Link& a, const Link& b, EditId edit) {
    if (!a) return b;
    if (!b) return a;
    if (a->priority > b->priority) {
      Link node = own(a, edit);
      node->right = join(node->right, b, edit);
      recount(*node);
      return node;
    }
    Link node = own(b, edit);
    node->left = join(a, node->left, edit);
    recount(*node);
    return node;
  }

  template <class F>
  static bool visit(F& f, const K& key, const V& value) {
    if constexpr (std::is_same_v<std::invoke_result_t<F&, const K&, const V&>, bool>) {
      return f(key, value);
    } else {
      f(key, value);
      return true;
    }
  }
  template <class F>
  static bool walk(const Node* at, const K* from, F& f) {
    if (at == nullptr) return true;
    const bool below = from != nullptr && at->key < *from;
    if (!below) {
      if (!walk(at->left.get(), from, f)) return false;
      if (!visit(f, at->key, at->value)) return false;
    }
    return walk(at->right.get(), from, f);
  }

  Link root_;
};

}  // namespace stele::metadata
