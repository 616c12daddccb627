#include "coherence/lock_set.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace flotilla::coherence {

namespace {

using Tree = LockSet::Tree;
using Node = LockSet::Node;

/// The set's order. Of equal ones neither is less.
bool less(const HeldLock& a, const HeldLock& b) {
  if (a.range.offset != b.range.offset) return a.range.offset < b.range.offset;
  if (a.range.length_bytes != b.range.length_bytes) {
    return a.range.length_bytes < b.range.length_bytes;
  }
  if (a.open != b.open) return a.open < b.open;
  return a.range.exclusive && !b.range.exclusive;
}

int height(const Tree& tree) { return tree ? tree->height : 0; }

Tree make(const HeldLock& lock, Tree left, Tree right) {
  auto node = std::make_shared<Node>();
  node->lock = lock;
  node->reach = last_byte(lock.range);
  for (const Tree* below : {&left, &right}) {
    if (*below == nullptr) continue;
    node->reach = std::max(node->reach, (*below)->reach);
    node->size += (*below)->size;
  }
  node->height = static_cast<std::uint8_t>(1 + std::max(height(left), height(right)));
  node->left = std::move(left);
  node->right = std::move(right);
  return node;
}

/// As make, where one side may be higher by two (an AVL tree's rotations).
Tree balanced(const HeldLock& lock, Tree left, Tree right) {
  if (height(left) > height(right) + 1) {
    if (height(left->left) >= height(left->right)) {
      return make(left->lock, left->left, make(lock, left->right, std::move(right)));
    }
    const Tree& top = left->right;
    return make(top->lock, make(left->lock, left->left, top->left),
                make(lock, top->right, std::move(right)));
  }
  if (height(right) > height(left) + 1) {
    if (height(right->right) >= height(right->left)) {
      return make(right->lock, make(lock, std::move(left), right->left), right->right);
    }
    const Tree& top = right->left;
    return make(top->lock, make(lock, std::move(left), top->left),
                make(right->lock, top->right, right->right));
  }
  return make(lock, std::move(left), std::move(right));
}

Tree with(const Tree& tree, const HeldLock& lock) {
  if (!tree) return make(lock, nullptr, nullptr);
  if (less(lock, tree->lock)) return balanced(tree->lock, with(tree->left, lock), tree->right);
  return balanced(tree->lock, tree->left, with(tree->right, lock));
}

/// Not empty. The first goes to `first`.
Tree without_first(const Tree& tree, HeldLock& first) {
  if (!tree->left) {
    first = tree->lock;
    return tree->right;
  }
  return balanced(tree->lock, without_first(tree->left, first), tree->right);
}

/// `found` stays false, and the result is `tree`, where there is no such lock.
Tree without(const Tree& tree, const HeldLock& lock, bool& found) {
  if (!tree) return nullptr;
  if (less(lock, tree->lock)) {
    Tree left = without(tree->left, lock, found);
    return found ? balanced(tree->lock, std::move(left), tree->right) : tree;
  }
  if (less(tree->lock, lock)) {
    Tree right = without(tree->right, lock, found);
    return found ? balanced(tree->lock, tree->left, std::move(right)) : tree;
  }
  found = true;
  if (!tree->right) return tree->left;
  HeldLock next;
  Tree right = without_first(tree->right, next);
  return balanced(next, tree->left, std::move(right));
}

/// Of locks in the set's order.
Tree built(std::span<const HeldLock> locks) {
  if (locks.empty()) return nullptr;
  const std::size_t middle = locks.size() / 2;
  return make(locks[middle], built(locks.first(middle)), built(locks.subspan(middle + 1)));
}

}  // namespace

void LockSet::Iterator::descend(const Node* node) {
  for (; node != nullptr; node = node->left.get()) path_[depth_++] = node;
}

LockSet::Iterator& LockSet::Iterator::operator++() {
  const Node* const done = path_[--depth_];
  descend(done->right.get());
  return *this;
}

LockSet::LockSet(std::vector<HeldLock> locks) {
  if (!in_order(locks)) std::sort(locks.begin(), locks.end(), less);
  root_ = built(locks);
}

bool LockSet::in_order(const std::vector<HeldLock>& locks) {
  return std::is_sorted(locks.begin(), locks.end(), less);
}

void LockSet::insert(const HeldLock& lock) { root_ = with(root_, lock); }

bool LockSet::erase(const HeldLock& lock) {
  bool found = false;
  root_ = without(root_, lock, found);
  return found;
}

void LockSet::erase_all(const LockSet& others) {
  if (others.size() < size() / 16) {
    for (const HeldLock& lock : others) (void)erase(lock);
    return;
  }
  std::vector<HeldLock> rest;
  rest.reserve(size());
  std::set_difference(begin(), end(), others.begin(), others.end(), std::back_inserter(rest), less);
  root_ = built(rest);
}

bool operator==(const LockSet& a, const LockSet& b) {
  return a.root_ == b.root_ ||
         (a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), b.end()));
}

}  // namespace flotilla::coherence
