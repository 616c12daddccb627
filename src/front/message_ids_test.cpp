#include "front/message_ids.hpp"

#include <gtest/gtest.h>

namespace flotilla::front {
namespace {

using Verdict = MessageIds::Verdict;

TEST(MessageIds, EveryIdIsFreshOnceInAnyOrder_MsSmb2_3_3_5_2_3) {
  MessageIds ids;
  ids.start(1, 1000);
  EXPECT_EQ(ids.take(0, 1), Verdict::Used);  // NEGOTIATE's
  for (const std::uint64_t id : {3, 1, 2, 10, 5}) EXPECT_EQ(ids.take(id, 1), Verdict::Fresh);
  for (const std::uint64_t id : {3, 1, 2, 10, 5}) EXPECT_EQ(ids.take(id, 1), Verdict::Used);
  EXPECT_EQ(ids.take(4, 0), Verdict::Fresh);  // a charge of 0 is one id
  EXPECT_EQ(ids.take(4, 0), Verdict::Used);
}

TEST(MessageIds, AChargeTakesThatManyIdsAndOverlapIsUsed) {
  MessageIds ids;
  ids.start(1, 1000);
  EXPECT_EQ(ids.take(1, 16), Verdict::Fresh);
  EXPECT_EQ(ids.take(16, 1), Verdict::Used);
  EXPECT_EQ(ids.take(20, 4), Verdict::Fresh);
  EXPECT_EQ(ids.take(17, 4), Verdict::Used);  // 20 is taken; 17 to 19 stay fresh
  EXPECT_EQ(ids.take(17, 3), Verdict::Fresh);
}

TEST(MessageIds, WhatIsTooFarAheadOrBehindIsRefusedAndTakesNothing) {
  MessageIds ids;
  ids.start(1, 1000);
  EXPECT_EQ(ids.take(1001, 1), Verdict::OutOfReach);
  EXPECT_EQ(ids.take(~std::uint64_t{0}, 1), Verdict::OutOfReach);
  EXPECT_EQ(ids.take(~std::uint64_t{0} - 5, 0xFFFF), Verdict::OutOfReach);
  EXPECT_EQ(ids.take(1000, 1), Verdict::Fresh);
  EXPECT_EQ(ids.take(2000, 1), Verdict::Fresh);
  EXPECT_EQ(ids.take(900, 1), Verdict::Used);  // never seen, but below any window
  EXPECT_EQ(ids.take(1500, 1), Verdict::Fresh);
}

TEST(MessageIds, TheRingGoesRoundWithoutForgettingOrInventing) {
  MessageIds ids;
  ids.start(1, 100);
  for (std::uint64_t id = 1; id < 5000; id += 2) {  // odd ids come late by ten
    ASSERT_EQ(ids.take(id + 1, 1), Verdict::Fresh) << id;
    if (id > 10) {
      ASSERT_EQ(ids.take(id - 10, 1), Verdict::Fresh) << id;
      ASSERT_EQ(ids.take(id - 10, 1), Verdict::Used) << id;
    }
    ASSERT_EQ(ids.take(id + 1, 1), Verdict::Used) << id;
  }
}

}  // namespace
}  // namespace flotilla::front
