#include "coherence/lock_set.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "coherence/locks.hpp"

namespace flotilla::coherence {
namespace {

HeldLock held(std::uint64_t open, std::uint64_t offset, std::uint64_t length, bool exclusive) {
  return {OpenId{open}, {offset, length, exclusive}};
}

std::vector<HeldLock> list(const LockSet& set) { return {set.begin(), set.end()}; }

/// The rule that makes the tree's height logarithmic, and what its nodes say of those below.
bool sound(const LockSet::Tree& tree) {
  if (!tree) return true;
  const auto height = [](const LockSet::Tree& t) { return t ? int{t->height} : 0; };
  std::uint64_t reach = last_byte(tree->lock.range);
  std::uint32_t size = 1;
  for (const auto* below : {&tree->left, &tree->right}) {
    if (!*below) continue;
    if (!sound(*below)) return false;
    reach = std::max(reach, (*below)->reach);
    size += (*below)->size;
  }
  return std::abs(height(tree->left) - height(tree->right)) <= 1 && tree->reach == reach &&
         tree->size == size &&
         tree->height == 1 + std::max(height(tree->left), height(tree->right));
}

TEST(LockSet, Iterates_by_offset_and_equal_sets_are_equal_whatever_was_first) {
  const std::vector<HeldLock> locks{held(1, 0, 5, false), held(2, 0, 5, true), held(2, 0, 5, false),
                                    held(1, 7, 0, true), held(1, 8, 2, true)};
  LockSet set;
  for (auto it = locks.rbegin(); it != locks.rend(); ++it) set.insert(*it);
  EXPECT_EQ(list(set), locks);
  EXPECT_EQ(set, LockSet(std::vector<HeldLock>(locks.rbegin(), locks.rend())));
  set.insert(locks.front());
  EXPECT_EQ(set.size(), 6U);
  EXPECT_NE(set, LockSet(locks));
  EXPECT_TRUE(set.erase(locks.front()));
  EXPECT_EQ(set, LockSet(locks));
  EXPECT_FALSE(set.erase(held(1, 0, 5, true)));
  EXPECT_EQ(set, LockSet(locks));
}

TEST(LockSet, A_copy_does_not_see_what_happens_to_the_other) {
  LockSet set{held(1, 0, 1, true)};
  const LockSet before = set;
  set.insert(held(1, 1, 1, true));
  (void)set.erase(held(1, 0, 1, true));
  EXPECT_EQ(list(before), std::vector{held(1, 0, 1, true)});
  EXPECT_EQ(list(set), std::vector{held(1, 1, 1, true)});
}

TEST(LockSet, The_end_of_64_bits_is_the_end_of_a_range) {
  const std::uint64_t most = ~std::uint64_t{0};
  LockSet set{held(1, most - 9, 10, true)};
  const auto anything = [](const HeldLock&) { return true; };
  EXPECT_TRUE(set.any_near({most, 1, true}, anything));
  EXPECT_TRUE(set.any_near({most - 20, most, true}, anything));
  EXPECT_FALSE(set.any_near({0, 10, true}, anything));
}

class LockSetSeeds : public testing::TestWithParam<unsigned> {};

TEST_P(LockSetSeeds, Finds_what_a_list_of_the_same_locks_has) {
  std::mt19937 random{GetParam()};
  const auto pick = [&](unsigned below) { return static_cast<unsigned>(random() % below); };
  std::vector<HeldLock> model;
  LockSet set;
  for (int step = 0; step < 1500; ++step) {
    const HeldLock lock = held(1 + pick(3), pick(300), pick(20), pick(2) == 0);
    const unsigned what = pick(100);
    const auto same = std::ranges::find(model, lock);
    if (what < 60) {
      model.push_back(lock);
      set.insert(lock);
    } else if (what < 95) {
      EXPECT_EQ(set.erase(lock), same != model.end());
      if (same != model.end()) model.erase(same);
      if (!model.empty()) {
        const std::size_t at = pick(static_cast<unsigned>(model.size()));
        EXPECT_TRUE(set.erase(model[at]));
        model.erase(model.begin() + static_cast<std::ptrdiff_t>(at));
      }
    } else {
      std::vector<HeldLock> others;
      for (const HeldLock& it : model) {
        if (what == 99 ? it.open == lock.open : it.range.offset / 8 == lock.range.offset / 8) {
          others.push_back(it);
        }
      }
      for (const HeldLock& it : others) model.erase(std::ranges::find(model, it));
      set.erase_all(LockSet(others));
    }
    ASSERT_EQ(set.size(), model.size());
    const LockRange asked{pick(310), pick(10), true};
    const bool expected = std::ranges::any_of(
        model, [&](const HeldLock& it) { return ranges_overlap(it.range, asked); });
    EXPECT_EQ(
        set.any_near(asked, [&](const HeldLock& it) { return ranges_overlap(it.range, asked); }),
        expected);
  }
  EXPECT_EQ(set, LockSet(model));
  EXPECT_TRUE(sound(set.tree()));
}

INSTANTIATE_TEST_SUITE_P(Coherence, LockSetSeeds, testing::Range(1U, 21U));

}  // namespace
}  // namespace flotilla::coherence
