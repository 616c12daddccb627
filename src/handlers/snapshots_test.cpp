// Previous versions by pattern and by token.
#include "handlers/snapshots.hpp"

#include <gtest/gtest.h>

namespace flotilla::handlers {
namespace {

constexpr const char* kPattern = ".snapshots/@GMT-%Y.%m.%d-%H.%M.%S";
const NtTime kTime = nt_time_of(1446320430, 0);  // 2015-10-31 19:40:30 UTC

TEST(Snapshots, ThePatternSaysWhereOneIs) {
  EXPECT_EQ(snapshot_directory(kPattern, kTime), ".snapshots/@GMT-2015.10.31-19.40.30");
  EXPECT_EQ(snapshot_directory("s/daily-%F", kTime), "s/daily-2015-10-31");
}

TEST(Snapshots, ATokenIsAWholeComponentAndIsTakenOut) {
  struct Row {
    const char* path;
    const char* rest;
  };
  for (const Row& row :
       {Row{"@GMT-2015.10.31-19.40.30", ""}, Row{"@GMT-2015.10.31-19.40.30/a/b", "a/b"},
        Row{"a/@GMT-2015.10.31-19.40.30/b", "a/b"}, Row{"a/@GMT-2015.10.31-19.40.30", "a"}}) {
    std::string path = row.path;
    const auto time = take_version_token(path);
    ASSERT_TRUE(time) << row.path;
    EXPECT_EQ(*time, kTime);
    EXPECT_EQ(path, row.rest);
  }
  for (const char* none : {"", "a/b", "@GMT-", "x@GMT-2015.10.31-19.40.30", "@GMT-2015.10.31-19.40",
                           "@GMT-2015.10.31-19.40.3x", "@GMT-2015.10.31-19.40.30x"}) {
    std::string path = none;
    EXPECT_FALSE(take_version_token(path)) << none;
    EXPECT_EQ(path, none);
  }
}

}  // namespace
}  // namespace flotilla::handlers
