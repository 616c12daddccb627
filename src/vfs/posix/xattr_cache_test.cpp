#include "vfs/posix/xattr_cache.hpp"

#include <gtest/gtest.h>

#include <ctime>

namespace flotilla::vfs {
namespace {

struct statx changed_at(std::int64_t seconds, std::uint32_t nanoseconds) {
  struct statx st{};
  st.stx_ctime.tv_sec = seconds;
  st.stx_ctime.tv_nsec = nanoseconds;
  return st;
}

constexpr FileKey kFile{1, 2, 3};

TEST(XattrCache, AnswersAsLongAsTheChangeTimeIsTheSame) {
  XattrCache cache;
  const auto before = changed_at(100, 5);
  EXPECT_FALSE(cache.facts(kFile, before));
  cache.keep_facts(kFile, before, {7, true, 0x20, NtTime{9}, {}});
  cache.keep_security(kFile, before, Bytes{1, 2});
  ASSERT_TRUE(cache.facts(kFile, before));
  EXPECT_EQ(cache.facts(kFile, before)->attributes, 0x20U);
  EXPECT_EQ(*cache.security(kFile, before), (Bytes{1, 2}));
  EXPECT_FALSE(cache.facts(kFile, changed_at(100, 6)));
  EXPECT_FALSE(cache.security(kFile, changed_at(101, 5)));
  EXPECT_FALSE(cache.facts(FileKey{1, 2, 4}, before));
}

TEST(XattrCache, ALaterChangeTimeForgetsAllOfTheEarlierOne) {
  XattrCache cache;
  cache.keep_security(kFile, changed_at(100, 5), Bytes{1});
  cache.keep_facts(kFile, changed_at(100, 6), {});
  EXPECT_TRUE(cache.facts(kFile, changed_at(100, 6)));
  EXPECT_FALSE(cache.security(kFile, changed_at(100, 6)));
  EXPECT_FALSE(cache.security(kFile, changed_at(100, 5)));
}

TEST(XattrCache, RemembersThatThereIsNoAclButNoHugeOne) {
  XattrCache cache;
  const auto st = changed_at(100, 5);
  cache.keep_security(kFile, st, {});
  ASSERT_TRUE(cache.security(kFile, st));
  EXPECT_TRUE(cache.security(kFile, st)->empty());
  const FileKey other{1, 3, 3};
  cache.keep_security(other, st, Bytes(XattrCache::kBlobBytesMax + 1));
  EXPECT_FALSE(cache.security(other, st));
}

TEST(XattrCache, ManyFilesDoNotGrowItWithoutBound) {
  XattrCache cache;
  const auto st = changed_at(100, 5);
  std::size_t known = 0;
  constexpr std::uint64_t kFiles = 20000;
  for (std::uint64_t inode = 0; inode < kFiles; ++inode) cache.keep_facts({1, inode, 0}, st, {});
  for (std::uint64_t inode = 0; inode < kFiles; ++inode) {
    if (cache.facts({1, inode, 0}, st)) ++known;
  }
  EXPECT_GT(known, 0U);
  EXPECT_LE(known, 16U * 256U);
}

TEST(XattrCache, AFreshChangeTimeIsNotTrusted) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  EXPECT_FALSE(
      XattrCache::settled(changed_at(now.tv_sec, static_cast<std::uint32_t>(now.tv_nsec))));
  EXPECT_FALSE(XattrCache::settled(changed_at(now.tv_sec + 10, 0)));
  EXPECT_TRUE(XattrCache::settled(changed_at(now.tv_sec - 2, 0)));
}

}  // namespace
}  // namespace flotilla::vfs
