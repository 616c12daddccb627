#include "handlers/logon_delays.hpp"

#include <gtest/gtest.h>

namespace flotilla::handlers {
namespace {

using std::chrono::milliseconds;

constexpr MonoTime kNow{1'000'000'000};
constexpr MonoTime after(std::chrono::nanoseconds time) { return MonoTime{kNow.ns + time.count()}; }

TEST(LogonDelays, ThreeErrorsAreFreeThenTheAnswersGetSlowerUpToEightSeconds) {
  LogonDelays delays;
  std::vector<std::int64_t> got;
  for (int i = 0; i < 10; ++i) got.push_back(delays.failed("alice", "10.0.0.7", kNow).count());
  EXPECT_EQ(got, (std::vector<std::int64_t>{0, 0, 0, 500, 1000, 2000, 4000, 8000, 8000, 8000}));
}

TEST(LogonDelays, AnotherUserAndAnotherAddressAreNotSlowedDown) {
  LogonDelays delays;
  for (int i = 0; i < 10; ++i) (void)delays.failed("alice", "10.0.0.7", kNow);
  EXPECT_EQ(delays.failed("bob", "10.0.0.7", kNow), milliseconds(0));
  EXPECT_EQ(delays.failed("alice", "10.0.0.8", kNow), milliseconds(0));
  EXPECT_EQ(delays.succeeded("alice", "10.0.0.8", kNow), milliseconds(0));
}

TEST(LogonDelays, TheRightPasswordWaitsLikeAWrongOneAndThenAllIsForgotten) {
  LogonDelays delays;
  for (int i = 0; i < 5; ++i) (void)delays.failed("Alice", "10.0.0.7", kNow);
  EXPECT_EQ(delays.succeeded("aLICE", "10.0.0.7", kNow), milliseconds(1000));
  EXPECT_EQ(delays.size(), 0U);
  EXPECT_EQ(delays.failed("alice", "10.0.0.7", kNow), milliseconds(0));
}

TEST(LogonDelays, FailuresAreForgottenAfterAQuarterOfAnHour) {
  LogonDelays delays;
  for (int i = 0; i < 5; ++i) (void)delays.failed("alice", "10.0.0.7", kNow);
  EXPECT_EQ(delays.failed("alice", "10.0.0.7", after(std::chrono::minutes(16))), milliseconds(0));
}

TEST(LogonDelays, TheTableNeverGrowsPastItsBound) {
  LogonDelays delays;
  for (int i = 0; i < 10000; ++i) (void)delays.failed(std::to_string(i), "10.0.0.7", kNow);
  EXPECT_EQ(delays.size(), LogonDelays::kEntriesMax);
}

}  // namespace
}  // namespace flotilla::handlers
