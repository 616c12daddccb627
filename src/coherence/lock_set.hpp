// The byte-range locks of a file, as a value: copies share what they have in common, so that the
// state machine, every node's I/O gate and what is under way between them hold one tree.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <memory>
#include <vector>

#include "base/ids.hpp"

namespace flotilla::coherence {

/// One element of a LOCK request, or a held lock. [MS-SMB2] 2.2.26.1. Length 0 is legal.
struct LockRange {
  std::uint64_t offset = 0;
  std::uint64_t length_bytes = 0;
  bool exclusive = false;
  friend bool operator==(const LockRange&, const LockRange&) = default;
};

/// A granted byte-range lock as every node with an open on the file knows it.
struct HeldLock {
  OpenId open;
  LockRange range;
  friend bool operator==(const HeldLock&, const HeldLock&) = default;
};

/// The last byte of a range, cut where 64 bits end; its offset where it is empty.
[[nodiscard]] constexpr std::uint64_t last_byte(const LockRange& range) noexcept {
  if (range.length_bytes == 0) return range.offset;
  const std::uint64_t end = range.offset + (range.length_bytes - 1);
  return end < range.offset ? std::numeric_limits<std::uint64_t>::max() : end;
}

/// A balanced tree by offset, length, open and, of equal ones, the exclusive first; each node knows
/// how far the locks below it reach. Nodes never change: who changes a set makes O(log n) new ones.
/// Order   of iteration: the tree's; it depends on the locks alone
/// Threads a set is one thread's, as a vector is; copies may be used by others at the same time
class LockSet {
 public:
  struct Node;
  using Tree = std::shared_ptr<const Node>;

  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = HeldLock;
    using difference_type = std::ptrdiff_t;
    using pointer = const HeldLock*;
    using reference = const HeldLock&;

    Iterator() = default;
    explicit Iterator(const Node* root) { descend(root); }
    reference operator*() const;
    pointer operator->() const { return &**this; }
    Iterator& operator++();
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.top() == b.top(); }

   private:
    void descend(const Node* node);
    [[nodiscard]] const Node* top() const { return depth_ == 0 ? nullptr : path_[depth_ - 1]; }
    std::array<const Node*, 64> path_{};  ///< of a tree of 2^44 nodes
    std::size_t depth_ = 0;
  };
  using value_type = HeldLock;
  using const_iterator = Iterator;

  LockSet() = default;
  /// Of locks in any order. O(n) where they are in the set's.
  explicit LockSet(std::vector<HeldLock> locks);
  LockSet(std::initializer_list<HeldLock> locks) : LockSet(std::vector<HeldLock>(locks)) {}

  [[nodiscard]] std::size_t size() const noexcept;
  [[nodiscard]] bool empty() const noexcept { return root_ == nullptr; }
  [[nodiscard]] Iterator begin() const { return Iterator(root_.get()); }
  [[nodiscard]] Iterator end() const { return {}; }

  /// O(log n). There may be an equal one.
  void insert(const HeldLock& lock);
  /// Takes one such lock out. False where there is none. O(log n)
  bool erase(const HeldLock& lock);
  /// Takes all of `others` out that are in. O(n), or O(m log n) for few.
  void erase_all(const LockSet& others);

  /// True where `matches` is for one of those whose bytes touch the range's; an empty range, or
  /// lock, counts as the byte that it stands before. Asked in order, until one does.
  /// O(log n) and the ones that it is asked about.
  template <class Matches>
  [[nodiscard]] bool any_near(const LockRange& range, const Matches& matches) const {
    return any_near(root_.get(), range.offset, last_byte(range), matches);
  }

  /// Whether a list is as a set of its locks iterates.
  [[nodiscard]] static bool in_order(const std::vector<HeldLock>& locks);

  /// For tests of the tree itself.
  [[nodiscard]] const Tree& tree() const noexcept { return root_; }

  friend bool operator==(const LockSet& a, const LockSet& b);

 private:
  template <class Matches>
  static bool any_near(const Node* node, std::uint64_t first, std::uint64_t last,
                       const Matches& matches);
  Tree root_;
};

/// `reach`  the last byte of any lock from here down
struct LockSet::Node {
  HeldLock lock;
  std::uint64_t reach = 0;
  std::uint32_t size = 1;
  std::uint8_t height = 1;
  Tree left;
  Tree right;
};

inline LockSet::Iterator::reference LockSet::Iterator::operator*() const { return top()->lock; }
inline std::size_t LockSet::size() const noexcept { return root_ == nullptr ? 0 : root_->size; }

template <class Matches>
bool LockSet::any_near(const Node* node, std::uint64_t first, std::uint64_t last,
                       const Matches& matches) {
  while (node != nullptr && node->reach >= first) {
    if (any_near(node->left.get(), first, last, matches)) return true;
    if (node->lock.range.offset > last) return false;
    if (last_byte(node->lock.range) >= first && matches(node->lock)) return true;
    node = node->right.get();
  }
  return false;
}

}  // namespace flotilla::coherence
