#include "flotilla/descriptors.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace flotilla::app {
namespace {

TEST(Descriptors, OpensLeaveRoomForConnections) {
  EXPECT_EQ(opens_within(1'048'576, 500'000, 20'000), 500'000U);
  EXPECT_EQ(opens_within(524'288, 500'000, 20'000), 500'000U);
  EXPECT_EQ(opens_within(20'000, 500'000, 20'000), 20'000U - 2'500U - 128U);
  EXPECT_EQ(opens_within(20'000, 500'000, 100), 20'000U - 100U - 128U);
  EXPECT_EQ(opens_within(20'000, 50, 20'000), 50U);
  EXPECT_EQ(opens_within(100, 500'000, 20'000), 1U);
}

TEST(Descriptors, TheLimitIsRaisedAsFarAsTheSystemLetsIt) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const std::uint64_t limit = raise_descriptor_limit();
  rlimit after{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(limit, after.rlim_cur);
  EXPECT_GE(after.rlim_cur, before.rlim_max);
}

}  // namespace
}  // namespace flotilla::app
